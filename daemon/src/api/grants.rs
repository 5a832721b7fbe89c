//! `GET` and `DELETE /v1/grants`, `DELETE /v1/grants/{grant}`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Api;
use super::answer::{empty, failed, json};
use super::guard::Path;
use crate::session::Session;

pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response<Body> {
    match api.broker.list_grants(&session).await {
        Ok(grants) => json(StatusCode::OK, &grants),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

pub(super) async fn delete_all(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response<Body> {
    revoke(&api, &session, None).await
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(grant): Path<String>,
) -> Response<Body> {
    revoke(&api, &session, Some(&grant)).await
}

async fn revoke(api: &Api, session: &Session, grant: Option<&str>) -> Response<Body> {
    match api.broker.revoke_grants(session, grant).await {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
