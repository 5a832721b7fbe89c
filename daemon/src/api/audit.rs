//! `GET /v1/audit`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use valetkey_engine::Error;
use valetkey_proto::v1::paths::AUDIT_RECORDS;
use valetkey_proto::v1::{Audit, ErrorCode};

use super::Api;
use super::answer::{failed, json};
use super::guard::Query;
use crate::failure::Failure;
use crate::session::Session;

#[derive(Deserialize)]
pub(super) struct Wanted {
    limit: Option<usize>,
}

pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Query(wanted): Query<Wanted>,
) -> Response<Body> {
    if let Err(failure) = api.broker.decide_on_own_administration(&session).await {
        return failed(&failure, &api.broker.engine().new_correlation_id());
    }
    let (usual, most) = AUDIT_RECORDS;
    let limit = wanted.limit.unwrap_or(usual).min(most);
    let _turn = session.share().take_turn().await;
    let (reading, user) = (Arc::clone(&api), session.caller().partition.clone());
    let task = tokio::task::spawn_blocking(move || reading.broker.audit().read(&user, limit));
    let read = match task.await {
        Ok(read) => read.map_err(unreadable),
        Err(_) => Err(Error::Bug("reading the record died").into()),
    };
    match read {
        Ok(mut records) => {
            api.broker.name_accounts(&session, &mut records).await;
            json(StatusCode::OK, &Audit { records })
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::request(ErrorCode::StoreUnavailable, format!("the record cannot be read: {error}"))
}
