//! One request of a browser: checked, read, handed to the flow, answered with the page that the flow decides on.
//!
//! The page is the answer to the redirect itself, so the address bar still has the code. It is worth nothing there: it was
//! redeemed before the page was made, it needs the verifier (RFC 7636) in any case, and the page sends no referrer and
//! loads nothing. A redirect to a clean path would need the port to stay open for a second request, and a browser that
//! is slow or blocked there would show an error to a person who has signed in.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::{mpsc, oneshot};
use valetkey_engine::ports::{Page, Redirect};

use super::waiting::Seat;
use super::{host, page};

pub(super) async fn answer(
    request: Request<Incoming>,
    port: u16,
    redirects: &mpsc::Sender<Redirect>,
    seat: &Seat,
) -> Result<Response<Full<Bytes>>, Infallible> {
    Ok(match read_redirect(request, port).await {
        Ok(parameters) => {
            seat.leave();
            page::respond(&ask_flow(parameters, redirects).await)
        }
        Err(status) => page::refuse(status),
    })
}

/// The parameters of a redirect to `port`.
///
/// # Errors
/// With the status that says why this request is none.
pub async fn read_redirect<B: Form>(
    request: Request<B>,
    port: u16,
) -> Result<Parameters, StatusCode> {
    if !host::is_loopback(request.headers(), port) {
        return Err(StatusCode::MISDIRECTED_REQUEST);
    }
    if request.uri().path() != "/" {
        return Err(StatusCode::NOT_FOUND);
    }
    let parameters = match *request.method() {
        Method::GET => parse(request.uri().query().unwrap_or_default().as_bytes())?,
        Method::POST => parse(&read_form(request).await?)?,
        _ => return Err(StatusCode::METHOD_NOT_ALLOWED),
    };
    // A browser that only looks whether somebody is there must not end the flow.
    let is_response =
        ["code", "error", "response"].iter().any(|name| parameters.contains_key(*name));
    if is_response { Ok(parameters) } else { Err(StatusCode::NOT_FOUND) }
}

async fn read_form<B: Form>(request: Request<B>) -> Result<Bytes, StatusCode> {
    let content_type = request.headers().get(CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if !essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    let collect = Limited::new(request.into_body(), FORM_LIMIT).collect();
    match tokio::time::timeout(FORM_PATIENCE, collect).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            Err(StatusCode::PAYLOAD_TOO_LARGE)
        }
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// RFC 6749 section 3.1: a parameter that comes twice makes the request invalid; which of the two would count is the
/// attacker's choice otherwise.
fn parse(text: &[u8]) -> Result<Parameters, StatusCode> {
    let mut parameters = Parameters::new();
    for (name, value) in url::form_urlencoded::parse(text) {
        if parameters.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(StatusCode::BAD_REQUEST);
        }
    }
    Ok(parameters)
}

/// Hands the parameters over and waits for the verdict. A flow that is over, or busy with another redirect, has no use for
/// this one.
async fn ask_flow(parameters: Parameters, redirects: &mpsc::Sender<Redirect>) -> Page {
    let (page, verdict) = oneshot::channel();
    match redirects.try_send(Redirect { parameters, page }) {
        Ok(()) => verdict.await.unwrap_or(Page::Stale),
        Err(_) => Page::Stale,
    }
}

type Parameters = BTreeMap<String, String>;

/// A body that may be a form, whoever sends it.
pub trait Form: Body<Data = Bytes, Error: Into<BoxError>> {}

impl<B: Body<Data = Bytes, Error: Into<BoxError>>> Form for B {}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

const FORM_LIMIT: usize = 64 * 1024;
const FORM_PATIENCE: Duration = Duration::from_secs(10);
