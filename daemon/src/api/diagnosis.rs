//! `GET /v1/diagnosis`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_proto::v1::Diagnosis;

use super::Api;
use super::answer::{failed, json};
use super::status;
use crate::diagnosis;
use crate::session::Session;

pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response<Body> {
    if let Err(failure) = api.broker.decide_on_own_administration(&session).await {
        return failed(&failure, &api.broker.engine().new_correlation_id());
    }
    let status = status::tell(&api, &session).await;
    let mut findings = diagnosis::of_daemon(&status, api.broker.engine().now());
    // Among several users, where things are is for those who can mend them.
    if status.service.is_none_or(|service| service.administrator) {
        findings.extend(diagnosis::of_modes(&status));
    }
    findings.extend(diagnosis::of_surroundings(&api.process.surroundings).await);
    findings.extend(diagnosis::of_providers(&api.broker, &session).await);
    json(StatusCode::OK, &Diagnosis { findings })
}
