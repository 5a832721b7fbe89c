//! Who has anything done here at all: a rule that allows a program nothing is about every verb, and decided on before any.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use axum::middleware::Next;
use valetkey_policy::Errand;

use super::Api;
use super::answer::failed;
use crate::session::Session;

/// Before the verbs that are about an application.
pub(super) async fn with_an_application(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    enter(&api, &session, Errand::OfAnApplication, request, next).await
}

/// Before all others.
pub(super) async fn without_one(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    request: Request,
    next: Next,
) -> Response<Body> {
    enter(&api, &session, Errand::Other, request, next).await
}

async fn enter(
    api: &Api,
    session: &Session,
    errand: Errand,
    request: Request,
    next: Next,
) -> Response<Body> {
    match api.broker.decide_on_entry(session, errand).await {
        Ok(()) => next.run(request).await,
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
