//! Device codes asked for, read, and polled about.

use serde_json::json;

use super::*;
use crate::OAuthError;
use crate::token_response::parse_token_response;

const NOW: UnixTime = UnixTime::from_seconds(1000);

fn document() -> Value {
    json!({
        "device_code": "DC", "user_code": "ABCD", "verification_uri": "https://op.example/device",
        "expires_in": "900", "message": "m", "_internal": 1,
    })
}

fn with(member: &str, value: Value) -> Value {
    let mut document = document();
    document[member] = value;
    document
}

fn parse(status: u16, body: &Value) -> Result<DeviceAuthorization, TokenResponseError> {
    parse_device_authorization(&HttpResponse::test(status, &body.to_string()), NOW)
}

#[test]
fn the_application_is_shown_everything_but_the_device_code() {
    // The status does not matter as long as the body tells.
    for status in [200, 404] {
        let authorization = parse(status, &document()).unwrap();
        assert_eq!(authorization.device_code.expose(), "DC");
        assert_eq!((authorization.expires_in, authorization.interval), (900, 5));
        let expected = json!({
            "user_code": "ABCD", "verification_uri": "https://op.example/device", "expires_in": 900,
            "interval": 5, "message": "m",
        });
        assert_eq!(Value::Object(authorization.fields.clone()), expected);
        assert!(!format!("{authorization:?}").contains("DC"));
    }
}

#[test]
fn intervals_and_lifetimes_have_defaults() {
    for (member, value, expected) in [
        ("interval", json!(7), (900, 7)),
        ("interval", json!("7"), (900, 7)),
        ("interval", json!(0), (900, 1)),
        ("interval", json!(-3), (900, 1)),
        ("expires_in", json!(null), (1800, 5)),
    ] {
        let authorization = parse(200, &with(member, value.clone())).unwrap();
        assert_eq!(
            (authorization.expires_in, authorization.interval),
            expected,
            "{member}: {value}"
        );
    }
}

#[test]
fn what_must_not_be_shown_to_a_person_is_refused() {
    let wrong = |member| Misbehaviour::WrongType { member };
    let forbidden = |member| Misbehaviour::ForbiddenCharacter { member };
    let missing = |member| Misbehaviour::Missing { member };
    for (member, value, expected) in [
        ("device_code", json!(""), missing("device_code")),
        ("user_code", json!(null), missing("user_code")),
        ("user_code", json!("A\u{1b}[2J"), forbidden("user_code")),
        ("user_code", json!("AB\u{202e}C"), forbidden("user_code")),
        ("verification_uri", json!(null), missing("verification_uri")),
        ("verification_uri", json!("javascript:alert(1)"), wrong("verification_uri")),
        ("verification_uri", json!("file:///etc/passwd"), wrong("verification_uri")),
        ("verification_uri", json!("https://a/\nb"), forbidden("verification_uri")),
        ("verification_uri_complete", json!("ftp://a/"), wrong("verification_uri_complete")),
        ("interval", json!("often"), wrong("interval")),
    ] {
        let error = parse(200, &with(member, value.clone())).unwrap_err();
        assert_eq!(error, TokenResponseError::ServerMisbehaved(expected), "{member}: {value}");
    }
}

#[test]
fn what_the_provider_tells_the_person_steers_no_terminal() {
    for (told, expected) in [
        ("\u{1b}[2Jgo", " [2Jgo"),
        ("a\nvaletkey: b\r\tc", "a valetkey: b  c"),
        ("\u{9b}31m\u{202e}\u{200f}\u{7f}", " 31m   "),
        ("Öffne 李", "Öffne 李"),
    ] {
        for member in ["message", "error_description"] {
            let fields = parse(200, &with(member, json!(told))).unwrap().fields;
            assert_eq!(fields[member], expected, "{member}");
        }
    }
}

#[test]
fn a_complete_link_to_another_origin_is_left_out() {
    for (link, is_kept) in [
        ("https://op.example/device?user_code=ABCD", true),
        ("https://op.example:443/elsewhere", true),
        ("https://evil.example/device", false),
        ("https://op.example:444/device", false),
        ("http://op.example/device", false),
        ("https://op.example@evil.example/device", false),
        ("https://evil.example\\@op.example/device", false),
    ] {
        let authorization = parse(200, &with(COMPLETE, json!(link))).unwrap();
        let kept = is_kept.then(|| link.to_owned());
        assert_eq!(authorization.verification_uri_complete, kept, "{link}");
        assert_eq!(authorization.fields.contains_key(COMPLETE), is_kept, "{link}");
        assert_eq!(authorization.had_foreign_link, !is_kept, "{link}");
    }
}

#[test]
fn the_older_spelling_of_the_uri_is_read() {
    let mut body = document();
    let uri = body.as_object_mut().unwrap().remove("verification_uri").unwrap();
    body["verification_url"] = uri;
    assert_eq!(parse(200, &body).unwrap().verification_uri, "https://op.example/device");
}

#[test]
fn a_refusal_is_one_whatever_its_status() {
    for status in [200, 400] {
        let error = parse(status, &json!({"error": "unauthorized_client"})).unwrap_err();
        assert!(
            matches!(error, TokenResponseError::Refused(refusal) if refusal.error == "unauthorized_client")
        );
    }
    let error = parse_device_authorization(&HttpResponse::test(503, "<html>"), NOW).unwrap_err();
    assert_eq!(error, TokenResponseError::Unavailable { status: 503, retry_after: None });
}

#[test]
fn a_poll_goes_on_until_it_is_decided() {
    for (status, body, expected) in [
        (400, "{\"error\":\"authorization_pending\"}", PollOutcome::Pending),
        (200, "{\"error\":\"authorization_pending\"}", PollOutcome::Pending),
        (400, "{\"error\":\"slow_down\"}", PollOutcome::SlowDown),
        (429, "{\"error\":\"too_many_requests\"}", PollOutcome::SlowDown),
        (503, "", PollOutcome::SlowDown),
        (400, "{\"error\":\"expired_token\"}", PollOutcome::Done),
        (400, "{\"error\":\"access_denied\"}", PollOutcome::Done),
        (200, "{\"access_token\":\"AT\"}", PollOutcome::Done),
        (200, "<html>", PollOutcome::Done),
    ] {
        let response = HttpResponse::test(status, body);
        let answer = parse_token_response(&response, &ScopeSet::default(), NOW);
        assert_eq!(poll_outcome(&answer), expected, "{status} {body}");
    }
}

/// The error type stays small enough to be passed by value.
const _: () = assert!(size_of::<TokenResponseError>() < size_of::<OAuthError>());
