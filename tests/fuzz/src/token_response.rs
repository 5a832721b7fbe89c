//! The token endpoint's answer: what an application gets of it has no secret of the broker's in it, and no error text has
//! anything of it but codes.

use serde_json::{Map, Value};
use url::Url;
use valetkey_model::{ScopeSet, UnixTime};
use valetkey_oauth::{
    HttpRequest, HttpResponse, TokenResponse, TokenResponseError, parse_date, parse_retry_after,
    parse_revocation_response, parse_token_response,
};
use zeroize::Zeroizing;

use crate::NOW;
use crate::input::{CANARY, Input, assert_error_silent, assert_silent, is_only_in_secrets};
use crate::response::read_response;

/// As `read_response`.
pub fn run(data: &[u8]) {
    let response = read_response(Input::new(data));
    check_headers(&response);
    let requested = ScopeSet::from_target("asked");
    match parse_token_response(&response, &requested, NOW) {
        Ok(tokens) => check(&response, &tokens),
        Err(error) => check_refusal(&response, &error),
    }
    if let Err(error) = parse_revocation_response(&response, NOW) {
        check_refusal(&response, &error);
    }
    check_echoes(response);
}

fn check_headers(response: &HttpResponse) {
    let wait = parse_retry_after(&response.headers, NOW);
    assert!(wait.is_none_or(|seconds| (0..=3600).contains(&seconds)), "{wait:?}");
    let date = parse_date(&response.headers);
    assert!(date.is_none_or(|date| date >= UnixTime::default()), "{date:?}");
}

fn check(response: &HttpResponse, tokens: &TokenResponse) {
    assert!((200..300).contains(&response.status));
    let secrets =
        [Some(&tokens.access_token), tokens.refresh_token.as_ref(), tokens.device_secret.as_ref()];
    for secret in secrets.into_iter().flatten() {
        assert!(!secret.is_empty());
        assert!(secret.expose().bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }
    assert!(!tokens.scope.is_empty());
    let seconds = [Some(tokens.expires_in), tokens.ext_expires_in, tokens.refresh_in];
    assert!(seconds.into_iter().flatten().all(|seconds| seconds >= 0));
    let members = read(response).expect("a success is an object");
    let shown = format!("{tokens:?}");
    let is_shown = |name: &str| name == "scope";
    if is_only_in_secrets(&Value::Object(members.clone()), &|name| !is_shown(name)) {
        assert_silent(shown);
    }
    assert!(!tokens.fields.contains_key("access_token"));
    if is_only_in_secrets(&Value::Object(members), &is_kept_back) {
        assert_silent(Value::Object(tokens.fields.clone()).to_string());
    }
}

/// What no application is given, in whatever style it is written.
fn is_kept_back(name: &str) -> bool {
    let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    ["refreshtoken", "devicesecret", "clientsecret", "codeverifier", "devicecode"]
        .contains(&folded.to_ascii_lowercase().as_str())
}

fn check_refusal(response: &HttpResponse, error: &TokenResponseError) {
    let shown = error.to_string();
    assert!(!shown.contains(char::is_control) && shown.len() < 2048, "{shown:?}");
    if let TokenResponseError::Refused(refusal) = error {
        assert!(refusal.retry_after.is_none_or(|seconds| (0..=3600).contains(&seconds)));
        let members = Value::Object(read(response).unwrap_or_default());
        if is_only_in_secrets(&members, &is_kept_back) {
            assert_silent(Value::Object(refusal.fields.clone()).to_string());
        }
        let is_code = |name: &str| ["error", "suberror", "error_codes"].contains(&name);
        if !is_only_in_secrets(&members, &|name| !is_code(name)) {
            return;
        }
    }
    assert_error_silent(error);
}

/// A refusal that repeats the request's secret does so no more.
fn check_echoes(response: HttpResponse) {
    let secret = format!("{CANARY}-0123456789");
    let url = Url::parse("https://id.example/token").expect("a constant");
    let form = vec![("refresh_token".into(), Zeroizing::new(secret.clone()))];
    let request = HttpRequest::post(url, http::HeaderMap::new(), form);
    let status = response.status;
    let answer = response.without_echoes_of(&request);
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return };
    assert!(status < 400 || !repeats(&body, &secret), "{body}");
}

fn repeats(value: &Value, secret: &str) -> bool {
    match value {
        Value::String(text) => text.contains(secret),
        Value::Array(values) => values.iter().any(|value| repeats(value, secret)),
        Value::Object(members) => members.values().any(|value| repeats(value, secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn read(response: &HttpResponse) -> Option<Map<String, Value>> {
    serde_json::from_slice(&response.body).ok()
}
