//! `POST /v1/lock` and `POST /v1/unlock`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use valetkey_engine::Patience;
use valetkey_model::{Partition, Secret};
use valetkey_proto::v1::{AuditAct, UnlockRequest};

use super::Api;
use super::answer::{empty, failed};
use super::guard::{Json, Query};
use crate::audit::Deed;
use crate::failure::Failure;
use crate::locking::{self, Whose};
use crate::session::Session;

/// Where several users are served, the store is locked by those who administer the daemon (`?everybody=true`). Any other lock
/// is of what is the caller's own.
pub(super) async fn lock(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Query(wish): Query<Wish>,
) -> Response<Body> {
    let locked = async {
        api.broker.decide_on_own_administration(&session).await?;
        match api.whose(&session) {
            Whose::Users(user) if !wish.everybody => lock_own(&api, user).await,
            _ => lock_store(&api, &session).await,
        }
    };
    confirm(&api, &session, AuditAct::Locked, locked.await)
}

#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    everybody: bool,
}

async fn lock_own(api: &Arc<Api>, user: Partition) -> Result<(), Failure> {
    locking::lock_user(api, &user, Patience::USUAL).await?;
    api.locking.note_decision(&Whose::Users(user), api.broker.engine().now());
    Ok(())
}

async fn lock_store(api: &Api, session: &Session) -> Result<(), Failure> {
    api.broker.decide_on_shared_administration(session).await?;
    locking::lock(&api.broker, &api.store, Patience::USUAL).await?;
    api.locking.note_decision(&Whose::Everybodys, api.broker.engine().now());
    Ok(())
}

pub(super) async fn unlock(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Json(request): Json<UnlockRequest>,
) -> Response<Body> {
    let unlocked = unlock_for(&api, &session, Secret::new(request.passphrase)).await;
    confirm(&api, &session, AuditAct::Unlocked, unlocked)
}

/// Whoever may guess at the store's passphrase makes others wait for their turn, and whoever may not administer must not open
/// what somebody locked.
async fn unlock_for(api: &Api, session: &Session, passphrase: Secret) -> Result<(), Failure> {
    api.broker.decide_on_own_administration(session).await?;
    let engine = api.broker.engine();
    let was_locked = api.store.report().locked;
    if let own @ Whose::Users(user) = &api.whose(session) {
        let was_own = engine.unlock_user(user);
        api.locking.note_decision(own, engine.now());
        if !was_locked {
            if was_own {
                engine.tell_unlocked(Some(user));
            }
            return Ok(());
        }
        api.broker.decide_on_shared_administration(session).await?;
    }
    if api.store.awaits_passphrase() {
        api.store.unlock(passphrase, session.caller().process).await?;
    } else if api.store.report().locked {
        api.store.reopen().await?;
    }
    if was_locked {
        engine.tell_unlocked(None);
    }
    api.locking.note_decision(&Whose::Everybodys, engine.now());
    Ok(())
}

fn confirm(
    api: &Api,
    session: &Session,
    act: AuditAct,
    outcome: Result<(), Failure>,
) -> Response<Body> {
    match outcome {
        Ok(()) => {
            api.broker.note(session, &Deed::new(act));
            empty(StatusCode::NO_CONTENT)
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
