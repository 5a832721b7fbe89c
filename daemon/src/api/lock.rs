//! `POST /v1/lock` and `POST /v1/unlock`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_engine::Error;
use valetkey_model::Secret;
use valetkey_proto::v1::{AuditAct, UnlockRequest};

use super::Api;
use super::answer::{empty, failed};
use super::guard::Json;
use crate::audit::Deed;
use crate::failure::Failure;
use crate::session::Session;

/// Drops keys and tokens from memory, once all that was issued is saved. Only a store with a passphrase can be locked: any
/// other would open itself again.
///
/// What is dropped is zeroed, in whatever buffer it was (`allocator.rs`). What is not dropped is not: a copy may remain in
/// the buffers of a connection that is kept open, to a provider or to a client, until it is used again or closed.
pub(super) async fn lock(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response<Body> {
    let locking = Arc::clone(&api);
    // A task of its own: a caller who hangs up must not leave the store locked and the tokens in memory.
    let task = tokio::spawn(async move {
        let quiet = locking.broker.engine().quiet_down().await?;
        locking.store.lock().await?;
        quiet.forget_users();
        locking.broker.consent().forget();
        Ok::<_, Failure>(())
    });
    match task.await.unwrap_or(Err(Error::Bug("a lock died").into())) {
        Ok(()) => {
            api.broker.note(&session, &Deed::new(AuditAct::Locked));
            empty(StatusCode::NO_CONTENT)
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

pub(super) async fn unlock(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Json(request): Json<UnlockRequest>,
) -> Response<Body> {
    match api.store.unlock(Secret::new(request.passphrase)).await {
        Ok(()) => {
            api.broker.note(&session, &Deed::new(AuditAct::Unlocked));
            empty(StatusCode::NO_CONTENT)
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
