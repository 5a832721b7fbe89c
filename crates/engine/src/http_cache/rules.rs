//! The three rules: which answer is kept, for how long, and what tells a request from all others.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, RETRY_AFTER};
use http::{HeaderMap, Method};
use sha2::{Digest, Sha256};
use valetkey_model::UnixTime;
use valetkey_oauth::{Body, HttpRequest, HttpResponse, parse_retry_after, wants_dpop_nonce};

use crate::route::Route;

/// The largest body that is kept, in bytes.
pub(super) const MAX_BODY: usize = 16 * 1024;
/// How long a GET's success is kept.
pub(super) const GET_SECONDS: i64 = 24 * 3600;
/// How long an identical request is refused after a 400.
const BAD_REQUEST_SECONDS: i64 = 60;
/// How long a provider is left alone when it does not say for how long.
const THROTTLE_SECONDS: i64 = 60;
/// The form members that tell one user's request from another's. MSAL knows the refresh token alone, so that a 429 for
/// one user's password is repeated to another.
pub(super) const USER_MEMBERS: [&str; 7] =
    ["refresh_token", "code", "username", "user_id", "assertion", "device_code", "claims"];

/// Digest of what makes two requests the same under one rule.
pub(super) type Key = [u8; 32];
/// Makes a request's key under one rule.
pub(super) type Rule = fn(Option<&Arc<Route>>, &HttpRequest) -> Key;

/// What is kept of an answer. A provider that is out of order says so with its status: of a large page with it nothing is
/// lost. Any other answer that is too large is not kept.
pub(super) fn abridge(answer: &HttpResponse) -> Option<HttpResponse> {
    let is_small = answer.body.len() <= MAX_BODY;
    let says_all_by_status = answer.status == 429 || answer.status >= 500;
    if !is_small && !says_all_by_status {
        return None;
    }
    let mut headers = HeaderMap::new();
    if let Some(value) = answer.headers.get(RETRY_AFTER) {
        headers.insert(RETRY_AFTER, value.clone());
    }
    let body = if is_small { answer.body.clone() } else { Bytes::new() };
    Some(HttpResponse { status: answer.status, headers, body })
}

/// Which rule an answer falls under: what makes its key, and its lifetime in seconds.
pub(super) fn rule_for(
    request: &HttpRequest,
    answer: &HttpResponse,
    now: UnixTime,
) -> Option<(Rule, i64)> {
    let is_success = (200..300).contains(&answer.status);
    if request.method == Method::GET && !request.asks_for_token {
        return is_success.then_some((get_key as Rule, GET_SECONDS));
    }
    let retry_after = parse_retry_after(&answer.headers, now);
    if has_own_rhythm(request, answer) && retry_after.is_none() {
        return None;
    }
    if !is_success && (answer.status == 429 || answer.status >= 500 || retry_after.is_some()) {
        let seconds = retry_after.unwrap_or(THROTTLE_SECONDS);
        return (seconds > 0).then_some((throttle_key as Rule, seconds));
    }
    // The same form comes again, and with the nonce it is welcome.
    let is_for_now = request.form_value("device_code").is_some() || wants_dpop_nonce(answer);
    (answer.status == 400 && !is_for_now).then_some((bad_request_key as Rule, BAD_REQUEST_SECONDS))
}

/// True when an answer without `Retry-After` says nothing of the next request.
fn has_own_rhythm(request: &HttpRequest, answer: &HttpResponse) -> bool {
    match &request.body {
        // A managed identity's source is asked again after a second or so.
        Body::None => true,
        // Polling has a rhythm (RFC 8628 section 3.5), and a person who waits for its end.
        Body::Form(_) => request.form_value("device_code").is_some(),
        // SOAP says with 400 and 500 that the message was at fault (SOAP 1.2 part 2 section 7.5.2.2), such as by a wrong
        // password; the next one may be right.
        Body::Text { .. } => matches!(answer.status, 400 | 500),
    }
}

pub(super) fn keys_of(route: Option<&Arc<Route>>, request: &HttpRequest) -> Vec<Key> {
    let rules: &[Rule] = match &request.body {
        Body::None if request.asks_for_token => &[throttle_key],
        Body::None => &[get_key],
        Body::Form(_) => &[bad_request_key, throttle_key],
        Body::Text { .. } => &[throttle_key],
    };
    rules.iter().map(|key| key(route, request)).collect()
}

fn get_key(route: Option<&Arc<Route>>, request: &HttpRequest) -> Key {
    digest(route, "GET", [request.url.as_str()])
}

fn throttle_key(route: Option<&Arc<Route>>, request: &HttpRequest) -> Key {
    let members = ["client_id", "scope"].into_iter().chain(USER_MEMBERS);
    let values = members.map(|name| request.form_value(name).unwrap_or_default());
    let user = match &request.body {
        Body::Text { user, .. } => user,
        Body::None | Body::Form(_) => "",
    };
    let parts = [request.url.as_str(), user].into_iter().chain(values);
    digest(route, "throttle", parts.chain(client_of(request)))
}

fn bad_request_key(route: Option<&Arc<Route>>, request: &HttpRequest) -> Key {
    let members = request.form().iter().flat_map(|(name, value)| [&**name, value.as_str()]);
    let parts = std::iter::once(request.url.as_str()).chain(members);
    digest(route, "400", parts.chain(client_of(request)))
}

/// The client that proves itself by a header, and is not named in the form.
fn client_of(request: &HttpRequest) -> Option<&str> {
    request.headers.get(AUTHORIZATION)?.to_str().ok()
}

/// Lengths before the texts, so that no two lists of texts run together into one.
fn digest<'a>(
    route: Option<&'a Arc<Route>>,
    rule: &'a str,
    parts: impl IntoIterator<Item = &'a str>,
) -> Key {
    let route = route.map(|route| route.id()).unwrap_or_default();
    let mut hash = Sha256::new();
    for part in [route, rule].into_iter().chain(parts) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
