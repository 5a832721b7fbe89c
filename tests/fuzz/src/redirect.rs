//! The redirect: only the browser's own request to this very port is read, and only the right state brings a code.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use url::form_urlencoded;
use valetkey_oauth::{ExpectedRedirect, RedirectError, parse_authorization_response};
use valetkeyd::redirect_listener::read_redirect;

use crate::input::{CANARY, Input, assert_error_silent};
use crate::wait;

const PORT: u16 = 4711;
const STATE: &str = "the-state";
const ISSUER: &str = "https://op.example";
const OWN_HOSTS: [&str; 3] = ["localhost:4711", "127.0.0.1:4711", "[::1]:4711"];
const FORM: &str = "application/x-www-form-urlencoded";

/// One byte of options, lines for target, host and media type, and the body.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let method = [Method::GET, Method::POST, Method::HEAD][usize::from(flags & 3) % 3].clone();
    let Some(request) = build_request(method, input) else { return };
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let is_own = host.is_some_and(|host| OWN_HOSTS.contains(&host.to_ascii_lowercase().as_str()));
    let path = request.uri().path().to_owned();
    match wait(read_redirect(request, PORT)) {
        Ok(parameters) => {
            assert!(is_own && path == "/", "a request that is for somebody else is read");
            check_again(&parameters);
            check_code(&parameters, flags & 4 != 0);
        }
        Err(status) => assert!(status.is_client_error(), "{status}"),
    }
}

fn build_request(method: Method, mut input: Input<'_>) -> Option<Request<Full<Bytes>>> {
    let target = Uri::try_from(input.line()).ok()?;
    let mut request = Request::new(Full::new(Bytes::new()));
    *request.method_mut() = method;
    *request.uri_mut() = target;
    for name in [HOST, CONTENT_TYPE] {
        let value = HeaderValue::from_bytes(input.line()).ok()?;
        request.headers_mut().insert(name, value);
    }
    *request.body_mut() = Full::new(Bytes::copy_from_slice(input.rest()));
    Some(request)
}

/// As a form, what was read says the same; and one more of a name makes it invalid.
fn check_again(parameters: &BTreeMap<String, String>) {
    assert!(["code", "error", "response"].iter().any(|name| parameters.contains_key(*name)));
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    // A form may be as large as it is when the browser wrote it, and grows where we escape more than it did.
    if form.len() > 64 * 1024 {
        return;
    }
    let post = |form: String| {
        let mut request = Request::new(Full::new(Bytes::from(form)));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(HOST, HeaderValue::from_static(OWN_HOSTS[0]));
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        wait(read_redirect(request, PORT))
    };
    assert_eq!(post(form.clone()).as_ref(), Ok(parameters));
    let twice = post(format!("{form}&{form}"));
    assert!(matches!(twice, Err(StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE)));
}

fn check_code(parameters: &BTreeMap<String, String>, issuer_is_required: bool) {
    let expected = ExpectedRedirect { state: STATE, issuer: Some(ISSUER), issuer_is_required };
    let given = |name: &str| parameters.get(name).map_or("", String::as_str);
    match parse_authorization_response(parameters, &expected) {
        Ok(found) => {
            assert_eq!((given("state"), given("error")), (STATE, ""));
            assert_eq!(found.code.expose(), given("code"));
            assert!(!found.code.is_empty());
            let issuer = given("iss").trim_end_matches('/');
            assert!(issuer == ISSUER || (issuer.is_empty() && !issuer_is_required), "{issuer}");
        }
        Err(RedirectError::Refused { .. }) => assert_eq!(given("state"), STATE),
        Err(error) => {
            assert!(!error.to_string().contains(char::is_control));
            if parameters.iter().any(|(_, value)| value.contains(CANARY)) {
                assert_error_silent(&error);
            }
        }
    }
}
