//! `GET` and `PUT /v1/apps/{app}/cache`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_proto::v1::{CacheVersion, ReplaceCacheRequest};

use super::Api;
use super::answer::{failed, json};
use super::guard::{Json, Path};
use crate::session::Session;

pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(app): Path<String>,
) -> Response<Body> {
    let _turn = session.share().take_turn().await;
    let content = async {
        let opened = api.broker.find_app(&session, &app).await?;
        api.broker.read_cache(&session, opened).await
    };
    match content.await {
        Ok(content) => json(StatusCode::OK, &content),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

pub(super) async fn put(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(app): Path<String>,
    Json(request): Json<ReplaceCacheRequest>,
) -> Response<Body> {
    let _turn = session.share().take_turn().await;
    let replaced = async {
        let opened = api.broker.find_app(&session, &app).await?;
        api.broker.replace_cache(&session, opened, request).await
    };
    match replaced.await {
        Ok(version) => json(StatusCode::OK, &CacheVersion { version }),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
