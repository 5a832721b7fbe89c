//! Token answers: what is read, kept, and refused.

use serde_json::json;

use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1000);

fn parse(body: &Value) -> Result<TokenResponse, TokenResponseError> {
    let requested = ScopeSet::from_target("asked openid");
    parse_token_response(&HttpResponse::test(200, &body.to_string()), &requested, NOW)
}

fn with(member: &str, value: Value) -> Value {
    let mut body = json!({"access_token": "AT"});
    body[member] = value;
    body
}

#[test]
fn every_member_is_read() {
    let response = parse(&json!({
        "access_token": "AT", "token_type": "pop", "expires_in": 3599, "ext_expires_in": "7199",
        "refresh_in": 1800, "scope": "b a", "refresh_token": "RT", "id_token": "h.p.s", "device_secret": "DS",
        "client_info": "eyJ1aWQiOiAiVUlEIiwgInV0aWQiOiAiVVRJRCJ9", "foci": "1", "custom": [1], "_private": 1,
    }))
    .unwrap();
    assert_eq!(response.access_token.expose(), "AT");
    assert_eq!(response.token_type, "pop");
    assert_eq!((response.expires_in, response.ext_expires_in), (3599, Some(7199)));
    assert_eq!(response.refresh_in, Some(1800));
    assert_eq!(response.scope.target(), "a b");
    assert_eq!(response.refresh_token.unwrap().expose(), "RT");
    assert_eq!(response.id_token.unwrap().expose(), "h.p.s");
    assert_eq!(response.device_secret.unwrap().expose(), "DS");
    assert_eq!(response.client_info.unwrap().uid, "UID");
    assert_eq!(response.foci.as_deref(), Some("1"));
    let names: Vec<&String> = response.fields.keys().collect();
    let expected = [
        "client_info",
        "custom",
        "expires_in",
        "ext_expires_in",
        "foci",
        "id_token",
        "scope",
        "token_type",
    ];
    assert_eq!(names, expected);
}

#[test]
fn what_the_provider_leaves_out_has_a_default() {
    let response =
        parse(&json!({"access_token": "AT", "refresh_token": "", "scope": null})).unwrap();
    assert_eq!((response.token_type.as_str(), response.expires_in), ("Bearer", 600));
    assert_eq!(response.scope.target(), "asked openid");
    assert!(response.refresh_token.is_none() && response.id_token.is_none());
    assert!(response.client_info.is_none() && response.foci.is_none());
}

#[test]
fn a_lifetime_is_a_number_or_text_from_now_or_until_then() {
    for (member, value, expected) in [
        ("expires_in", json!(3599), 3599),
        ("expires_in", json!("3599"), 3599),
        ("expires_in", json!(3599.9), 3599),
        ("expires_in", json!(0), 0),
        ("expires_in", json!(-5), 0),
        ("expires_in", json!(1e300), i64::MAX),
        ("expires_in", json!(""), 600),
        ("expires_on", json!(1500), 500),
        ("expires_on", json!("1500"), 500),
        ("expires_on", json!(900), 0),
    ] {
        assert_eq!(parse(&with(member, value.clone())).unwrap().expires_in, expected, "{value}");
    }
}

#[test]
fn an_answer_that_breaks_the_protocol_is_refused_with_the_members_name() {
    let missing = Misbehaviour::Missing { member: "access_token" };
    let forbidden = |member| Misbehaviour::ForbiddenCharacter { member };
    let wrong = |member| Misbehaviour::WrongType { member };
    for (body, expected) in [
        (json!({}), missing.clone()),
        (json!({"access_token": ""}), missing.clone()),
        (json!({"access_token": null}), missing),
        (json!({"access_token": 7}), wrong("access_token")),
        (json!({"access_token": "AT\r\nX: y"}), forbidden("access_token")),
        (json!({"access_token": "ÄT"}), forbidden("access_token")),
        (with("refresh_token", json!("R\nT")), forbidden("refresh_token")),
        (with("refresh_token", json!({})), wrong("refresh_token")),
        (with("id_token", json!(1)), wrong("id_token")),
        (with("token_type", json!([])), wrong("token_type")),
        (with("scope", json!(["a"])), wrong("scope")),
        (with("expires_in", json!("soon")), wrong("expires_in")),
        (with("expires_in", json!(true)), wrong("expires_in")),
    ] {
        let error = parse(&body).unwrap_err();
        assert!(!error.to_string().contains("AT\r"), "{error}");
        assert_eq!(error, TokenResponseError::ServerMisbehaved(expected), "{body}");
    }
}

#[test]
fn debug_shows_no_token() {
    let response =
        parse(&json!({"access_token": "SECRET-AT", "id_token": "SECRET.ID.TOKEN"})).unwrap();
    assert!(!format!("{response:?}").contains("SECRET"));
}

#[test]
fn a_secret_that_is_nested_in_the_answer_reaches_no_application() {
    let parsed = parse(&json!({
        "access_token": "AT",
        "authed_user": {"access_token": "theirs", "refresh_token": "SECRET", "id": "U1"},
        "others": [{"refreshToken": "SECRET"}, [{"Device-Secret": {"value": "SECRET"}}]],
        "client_secret": "SECRET",
        "refresh_token_expires_in": 90,
    }));
    let expected = json!({
        "authed_user": {"access_token": "theirs", "id": "U1"},
        "others": [{}, [{}]],
        "refresh_token_expires_in": 90,
    });
    assert_eq!(Value::Object(parsed.unwrap().fields), expected);
}
