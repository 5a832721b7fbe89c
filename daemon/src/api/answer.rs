//! From a handler's outcome to an HTTP response.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use serde::Serialize;
use tokio::time::Instant;
use valetkey_model::CorrelationId;

use super::brake::COMPLAINTS;
use crate::failure::Failure;
use crate::to_wire;

/// A JSON answer. Answers may hold tokens, so nobody may keep them.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Body> {
    let mut text = Vec::with_capacity(2048);
    if serde_json::to_writer(&mut text, value).is_err() {
        return empty(StatusCode::INTERNAL_SERVER_ERROR);
    }
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer that says all with its status.
pub(super) fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The answer to a request that could not be done.
pub(super) fn failed(failure: &Failure, correlation_id: &CorrelationId) -> Response<Body> {
    let (status, body) = to_wire::failure(failure, correlation_id);
    if let Some(left_out) = COMPLAINTS.admit(Instant::now()) {
        tracing::info!(status, error = %body.error, correlation_id = %body.correlation_id, left_out, "request failed");
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = json(status, &body);
    if let Some(seconds) = body.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
