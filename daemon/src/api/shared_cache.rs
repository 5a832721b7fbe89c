//! `POST /v1/cache/import` and `POST /v1/cache/export`: the cache that a user's programs share, as a whole.
//!
//! An export is the one way by which its refresh tokens leave, so it must be the person's own act. The daemon cannot see who
//! is behind a request of the user's; what it sees to is that nobody gets more by this verb than they could have without it.
//! A key in the keyring or in a file is there for the same user's programs to read, and the store with it. A passphrase is
//! not: where it protects the store, it is asked for again. Nor is anything handed out by accident: the request says in a
//! member of its own that it knows, no SDK of ours for applications has the verb, each export is logged and told to whoever
//! listens to events, and the configuration can forbid them all.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_engine::Error;
use valetkey_model::Secret;
use valetkey_proto::v1::{ExportCacheRequest, ImportCacheRequest};

use super::Api;
use super::answer::{failed, json};
use super::guard::Json;
use crate::failure::Failure;
use crate::session::Session;

pub(super) async fn import(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Json(request): Json<ImportCacheRequest>,
) -> Response<Body> {
    let _turn = session.share().take_turn().await;
    match api.broker.import_cache(&session, request).await {
        Ok(imported) => json(StatusCode::OK, &imported),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

pub(super) async fn export(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Json(request): Json<ExportCacheRequest>,
) -> Response<Body> {
    let _turn = session.share().take_turn().await;
    match hand_out(&api, &session, request).await {
        Ok(exported) => exported,
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

async fn hand_out(
    api: &Api,
    session: &Session,
    request: ExportCacheRequest,
) -> Result<Response<Body>, Failure> {
    if !request.unencrypted {
        return Err(Failure::bad_member("unencrypted", "must be true: the answer is in clear"));
    }
    let authorized = api.broker.authorize_export(session).await?;
    let passphrase = request.passphrase.map(|passphrase| Secret::new(passphrase.0));
    api.store.check_passphrase(passphrase, session.caller().process).await?;
    let exported = api.broker.export_cache(session, authorized).await?;
    tracing::warn!(
        process = session.caller().process.map(|process| process.number),
        "the cache was handed out in clear"
    );
    // As large as the cache.
    let answer = tokio::task::spawn_blocking(move || json(StatusCode::OK, &exported)).await;
    answer.map_err(|_| Error::Bug("writing an answer died").into())
}
