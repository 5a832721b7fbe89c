//! `POST /v1/apps/{app}/token`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_proto::v1::TokenRequest;

use super::Api;
use super::answer::{failed, json};
use super::guard::{Json, Path};
use crate::session::Session;
use crate::{from_wire, to_wire};

pub(super) async fn post(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(app): Path<String>,
    Json(request): Json<TokenRequest>,
) -> Response<Body> {
    let fresh = api.broker.engine().new_correlation_id();
    let correlation_id =
        match from_wire::correlation_id(request.correlation_id.as_deref(), fresh.clone()) {
            Ok(id) => id,
            Err(failure) => return failed(&failure, &fresh),
        };
    api.locking.note_use(api.whose(&session), api.broker.engine().now());
    let acquired = async {
        if let Some(opened) = api.broker.find_managed_identity(&session, &app).await? {
            let id = correlation_id.clone();
            return api.broker.acquire_for_managed_identity(&session, opened, request, id).await;
        }
        let opened = api.broker.find_app(&session, &app).await?;
        api.broker.acquire(&session, opened, request, correlation_id.clone()).await
    };
    match acquired.await {
        Ok(answer) => json(StatusCode::OK, &to_wire::token(&answer, api.broker.engine().now())),
        Err(failure) => failed(&failure, &correlation_id),
    }
}
