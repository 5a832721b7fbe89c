//! `POST /v1/lock` and `POST /v1/unlock`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_model::Secret;
use valetkey_proto::v1::UnlockRequest;

use super::Api;
use super::answer::{empty, failed};
use super::guard::Json;

/// Drops keys and tokens from memory. Only a store with a passphrase can be locked: any other would open itself again.
pub(super) async fn lock(State(api): State<Arc<Api>>) -> Response<Body> {
    match api.store.lock().await {
        Ok(()) => {
            api.broker.engine().forget_users();
            empty(StatusCode::NO_CONTENT)
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

pub(super) async fn unlock(
    State(api): State<Arc<Api>>,
    Json(request): Json<UnlockRequest>,
) -> Response<Body> {
    match api.store.unlock(Secret::new(request.passphrase)).await {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
