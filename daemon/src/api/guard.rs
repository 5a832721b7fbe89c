//! What every request must pass before its handler: no browser, a `Host` of ours, a small body, JSON.
//!
//! A page in a browser cannot speak to a Unix socket, but to a bridge that somebody set up to one it can; hence the headers
//! (DNS rebinding, cross-site requests). The checks look at the head alone and allocate nothing unless they refuse.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, header,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tower::Service;
use valetkey_engine::ports::Rng;
use valetkey_model::CorrelationId;
use valetkey_proto::v1::paths::{HOSTS, MAX_BODY_BYTES, MAX_CACHE_BYTES, VERSION_HEADER, route};
use valetkey_proto::v1::{ErrorBody, ErrorCode};

use super::brake::COMPLAINTS;
use crate::rng::SystemRng;
use crate::session::Session;

/// Checks the request and lets the router answer it, or answers in its place.
pub async fn answer<B>(router: &mut Router, request: Request<B>) -> Response<Body>
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    with_version(match check(&request) {
        Ok(()) => {
            let Ok(response) = router.call(request).await;
            response
        }
        Err(refusal) => {
            if refusal.code == ErrorCode::PayloadTooLarge {
                tokio::spawn(drain(request.into_body()));
            }
            refusal.into_response()
        }
    })
}

fn with_version(mut response: Response<Body>) -> Response<Body> {
    response
        .headers_mut()
        .insert(HeaderName::from_static(VERSION_HEADER), HeaderValue::from_static(VERSION));
    response
}

/// The answer on a connection of a user who has as many as they may have.
pub fn refuse_connection(limit: usize) -> Response<Body> {
    let text = format!(
        "too many connections: this user has {limit} open, and may have no more; close some, or use one for many requests"
    );
    with_version(refuse(ErrorCode::TooManyRequests, text).into_response())
}

/// A request body that is JSON of the type's shape.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Send + 'static, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Response<Body>;

    async fn from_request(request: Request<Body>, _state: &S) -> Result<Self, Response<Body>> {
        let limit = body_limit(request.method(), request.uri());
        let session = request.extensions().get::<Arc<Session>>().cloned();
        let body = read_in_turn(session.as_deref(), request.into_body(), limit).await;
        let body = body.map_err(Refusal::into_response)?;
        let parsed = match session {
            Some(session) if body.len() > LARGE => parse_in_turn(&session, body).await,
            _ => parse(&body),
        };
        parsed.map(Self).map_err(Refusal::into_response)
    }
}

/// The path's parameters.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response<Body>> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(parameters)) => Ok(Self(parameters)),
            Err(rejection) => {
                Err(refuse(ErrorCode::BadRequest, rejection.body_text()).into_response())
            }
        }
    }
}

/// The query's parameters.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Response<Body>;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response<Body>> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => {
                Err(refuse(ErrorCode::BadRequest, rejection.body_text()).into_response())
            }
        }
    }
}

/// Why a request is not handled.
struct Refusal {
    code: ErrorCode,
    description: String,
}

fn refuse(code: ErrorCode, description: impl Into<String>) -> Refusal {
    Refusal { code, description: description.into() }
}

fn check<B: HttpBody>(request: &Request<B>) -> Result<(), Refusal> {
    let headers = request.headers();
    check_not_a_browser(headers)?;
    check_host(request)?;
    check_transfer_encoding(headers)?;
    let size = request.body().size_hint();
    let limit = body_limit(request.method(), request.uri());
    if size.lower() > limit as u64 {
        return Err(too_large(limit));
    }
    if matches!(*request.method(), Method::POST | Method::PUT) && size.upper() != Some(0) {
        check_json(headers)?;
    }
    Ok(())
}

/// Fetch metadata headers cannot be set or left out by a page's script, and each new one begins in the same way.
fn check_not_a_browser(headers: &HeaderMap) -> Result<(), Refusal> {
    let is_browsers = |name: &HeaderName| {
        *name == header::ORIGIN
            || *name == header::REFERER
            || name.as_str().starts_with("sec-fetch-")
    };
    match headers.keys().find(|name| is_browsers(name)) {
        None => Ok(()),
        Some(name) => {
            let text = format!("the request carries `{name}`, which only browsers send");
            Err(refuse(ErrorCode::BrowserRefused, text))
        }
    }
}

/// RFC 9112 section 3.2: exactly one `Host`, and a request target in absolute form goes before it.
fn check_host<B>(request: &Request<B>) -> Result<(), Refusal> {
    let mut values = request.headers().get_all(header::HOST).iter();
    let is_ours = |host: &[u8]| HOSTS.iter().any(|ours| ours.as_bytes().eq_ignore_ascii_case(host));
    let by_header = values.next().is_some_and(|host| is_ours(host.as_bytes()));
    let is_only = values.next().is_none();
    let by_target =
        request.uri().authority().is_none_or(|authority| is_ours(authority.as_str().as_bytes()));
    if by_header && is_only && by_target {
        return Ok(());
    }
    let text = format!("`Host` must be `{}` or `{}`", HOSTS[0], HOSTS[1]);
    Err(refuse(ErrorCode::BrowserRefused, text))
}

/// RFC 9112 section 6.1: a coding that we do not undo must not be taken for the body.
fn check_transfer_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")) {
        return Ok(());
    }
    Err(refuse(ErrorCode::BadRequest, "`Transfer-Encoding` must be `chunked` alone"))
}

/// A form can be posted across sites without asking first; JSON cannot.
fn check_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let value = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if essence.eq_ignore_ascii_case(b"application/json") {
        return Ok(());
    }
    let text = "the body must be JSON: set `Content-Type: application/json`";
    Err(refuse(ErrorCode::UnsupportedMediaType, text))
}

/// A whole cache is larger than any other honest body, and goes to two places.
fn body_limit(method: &Method, uri: &Uri) -> usize {
    let replaces = *method == Method::PUT && uri.path().ends_with("/cache");
    match replaces || uri.path() == route::CACHE_IMPORT {
        true => MAX_CACHE_BYTES,
        false => MAX_BODY_BYTES,
    }
}

fn too_large(limit: usize) -> Refusal {
    refuse(ErrorCode::PayloadTooLarge, format!("the body is larger than {limit} bytes"))
}

/// Bodies that come slowly keep those of the same user waiting, once there are many, and nobody else's.
async fn read_in_turn(
    session: Option<&Session>,
    body: Body,
    limit: usize,
) -> Result<Bytes, Refusal> {
    let bytes = body.size_hint().upper().and_then(|upper| usize::try_from(upper).ok());
    let bytes = bytes.unwrap_or(limit).min(limit);
    let room = async {
        match session {
            Some(session) if bytes > 0 => session.share().take_room_for_body(bytes).await,
            _ => None,
        }
    };
    match tokio::time::timeout(BODY_PATIENCE, room).await {
        Ok(_room) => read_body(body, limit).await,
        Err(_) => {
            let text = "too many of this user's requests are on their way; send fewer at once";
            Err(refuse(ErrorCode::TooManyRequests, text))
        }
    }
}

async fn read_body(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let collect = Limited::new(&mut body, limit).collect();
    match tokio::time::timeout(BODY_PATIENCE, collect).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            tokio::spawn(drain(body));
            Err(too_large(limit))
        }
        Ok(Err(_)) => Err(refuse(ErrorCode::BadRequest, "the body broke off")),
        Err(_) => Err(refuse(ErrorCode::BadRequest, "the body did not arrive in time")),
    }
}

/// What is large takes a while, and others are being answered.
async fn parse_in_turn<T: DeserializeOwned + Send + 'static>(
    session: &Session,
    body: Bytes,
) -> Result<T, Refusal> {
    let _turn = session.share().take_turn().await;
    let parsed = tokio::task::spawn_blocking(move || parse(&body)).await;
    parsed.unwrap_or_else(|_| Err(refuse(ErrorCode::Internal, "reading the body died")))
}

/// The path to the wrong member costs a second parse, which only wrong requests pay for.
fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    // Nothing but what may be left out is the same as nothing at all.
    let body = if body.is_empty() { b"{}" } else { body };
    // serde reads a struct from a list as well, by the order of its members, which nobody means.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(refuse(ErrorCode::BadRequest, "the body must be a JSON object, not a list"));
    }
    if let Ok(value) = serde_json::from_slice(body) {
        return Ok(value);
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let description = match serde_path_to_error::deserialize::<_, T>(&mut deserializer) {
        Err(error) if error.path().iter().len() > 0 => {
            format!("{}: {}", error.path(), error.inner())
        }
        Err(error) => error.inner().to_string(),
        Ok(_) => match deserializer.end() {
            Err(error) => error.to_string(),
            Ok(()) => "the body is not what it should be".to_owned(),
        },
    };
    Err(refuse(ErrorCode::BadRequest, description))
}

/// Reads what the client is still sending, up to a bound, while the answer is on its way already: a client that announced a
/// lot and sends nothing is told at once, and one that cannot stop sending does not see a broken connection instead.
async fn drain<B>(body: B)
where
    B: HttpBody<Data = Bytes>,
{
    let mut body = std::pin::pin!(body);
    let mut left = DRAIN_LIMIT;
    let discard = async {
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    // Dropping the body closes the connection.
    let _ = tokio::time::timeout(DRAIN_PATIENCE, discard).await;
}

impl Refusal {
    fn into_response(self) -> Response<Body> {
        let mut random = [0; 16];
        SystemRng.fill(&mut random);
        let body = ErrorBody {
            error: self.code.as_str().to_owned(),
            error_description: self.description,
            correlation_id: CorrelationId::from_random(random).as_str().to_owned(),
            hint: Some(self.code.row().action.to_owned()),
            ..ErrorBody::default()
        };
        if let Some(left_out) = COMPLAINTS.admit(Instant::now()) {
            tracing::info!(error = %body.error, correlation_id = %body.correlation_id, left_out, "request refused");
        }
        // Strings and numbers alone, which always can be written.
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = Response::new(Body::from(text));
        *response.status_mut() =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.code == ErrorCode::PayloadTooLarge {
            // RFC 9110 section 15.5.14: what was announced need not be sent any more.
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

/// What the version header says.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A local client sends its body at once.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Honest bodies are smaller, but for whole caches.
const LARGE: usize = 64 * 1024;

/// An orderly end of the daemon waits for it.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

/// More than any client would send by mistake.
const DRAIN_LIMIT: usize = 8 * 1024 * 1024;

#[cfg(test)]
mod tests;
