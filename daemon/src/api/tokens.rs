//! `DELETE /v1/apps/{app}/tokens`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};

use super::Api;
use super::answer::{empty, failed};
use super::guard::Path;
use crate::session::Session;

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(app): Path<String>,
) -> Response<Body> {
    let removed = async {
        let opened = api.broker.find_app(&session, &app).await?;
        api.broker.remove_app_tokens(&session, opened).await
    };
    match removed.await {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
