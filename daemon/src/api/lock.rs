//! `POST /v1/lock` and `POST /v1/unlock`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use valetkey_engine::Error;
use valetkey_model::Secret;
use valetkey_proto::v1::{AuditAct, UnlockRequest};

use super::Api;
use super::answer::{empty, failed};
use super::guard::{Json, Query};
use crate::audit::Deed;
use crate::failure::Failure;
use crate::session::Session;

/// Drops keys and tokens from memory, once all that was issued is saved. Only a store with a passphrase can be locked: any
/// other would open itself again.
///
/// What is dropped is zeroed, in whatever buffer it was (`allocator.rs`). What is not dropped is not: a copy may remain in
/// the buffers of a connection that is kept open, to a provider or to a client, until it is used again or closed.
///
/// Where several users are served, this is for those who administer the daemon (`?everybody=true`). Any other lock is of
/// what is the caller's own, whatever the store's key is.
pub(super) async fn lock(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Query(wish): Query<Wish>,
) -> Response<Body> {
    let (locking, caller) = (Arc::clone(&api), Arc::clone(&session));
    // A task of its own: a caller who hangs up must not leave the store locked and the tokens in memory.
    let task = tokio::spawn(async move {
        match locking.broker.serves_several() && !wish.everybody {
            true => lock_own(&locking, &caller).await,
            false => lock_store(&locking, &caller).await,
        }
    });
    match task.await.unwrap_or(Err(Error::Bug("a lock died").into())) {
        Ok(()) => {
            api.broker.note(&session, &Deed::new(AuditAct::Locked));
            empty(StatusCode::NO_CONTENT)
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

#[derive(Deserialize)]
pub(super) struct Wish {
    #[serde(default)]
    everybody: bool,
}

async fn lock_own(api: &Api, session: &Session) -> Result<(), Failure> {
    let quiet = api.broker.engine().quiet_down_for(&session.caller().partition).await?;
    quiet.lock_user();
    api.broker.consent().forget_user(&session.caller().partition);
    Ok(())
}

async fn lock_store(api: &Api, session: &Session) -> Result<(), Failure> {
    api.broker.check_administration(session).await?;
    let quiet = api.broker.engine().quiet_down().await?;
    api.store.lock().await?;
    quiet.forget_users();
    api.broker.consent().forget();
    Ok(())
}

pub(super) async fn unlock(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Json(request): Json<UnlockRequest>,
) -> Response<Body> {
    match unlock_for(&api, &session, Secret::new(request.passphrase)).await {
        Ok(()) => {
            api.broker.note(&session, &Deed::new(AuditAct::Unlocked));
            empty(StatusCode::NO_CONTENT)
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

/// Whoever may guess at the store's passphrase makes others wait for their turn.
async fn unlock_for(api: &Api, session: &Session, passphrase: Secret) -> Result<(), Failure> {
    api.broker.engine().unlock_user(&session.caller().partition);
    if api.broker.serves_several() {
        if !api.store.report().locked {
            return Ok(());
        }
        api.broker.check_administration(session).await?;
    }
    api.store.unlock(passphrase).await
}
