//! What a refusal means for the refresh token and for the person.

use serde_json::json;

use super::*;
use crate::http::HttpResponse;

const NOW: UnixTime = UnixTime::from_seconds(1000);

fn respond(status: u16, body: &Value) -> HttpResponse {
    HttpResponse::test(status, &body.to_string())
}

fn refuse(body: &Value) -> OAuthError {
    match read_success(&respond(400, body), NOW) {
        Err(TokenResponseError::Refused(refusal)) => *refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_dead_refresh_token_is_told_from_one_that_a_person_can_rescue() {
    for (body, expected) in [
        (json!({"error": "invalid_grant"}), true),
        (json!({"error": "invalid_grant", "error_description": "expired"}), true),
        (json!({"error": "invalid_grant", "suberror": "bad_token"}), true),
        (json!({"error": "invalid_grant", "suberror": "token_expired", "error_codes": [1]}), true),
        (json!({"error": "invalid_grant", "error_codes": [700_082]}), true),
        (json!({"error": "invalid_grant", "error_codes": [50173]}), true),
        (json!({"error": "invalid_grant", "error_codes": [50076]}), false),
        (json!({"error": "invalid_grant", "error_codes": [700_082], "claims": "{}"}), false),
        (json!({"error": "invalid_grant", "suberror": "basic_action"}), false),
        (json!({"error": "invalid_grant", "suberror": "consent_required"}), false),
        (json!({"error": "invalid_grant", "suberror": "device_authentication_failed"}), false),
        (json!({"error": "invalid_grant", "suberror": "client_mismatch"}), false),
        (json!({"error": "invalid_grant", "error_additional_info": ["client_mismatch"]}), false),
        (json!({"error": "interaction_required"}), false),
        (json!({"error": "invalid_client"}), false),
        (json!({"error": "temporarily_unavailable"}), false),
    ] {
        assert_eq!(refuse(&body).is_dead_refresh_token(), expected, "{body}");
    }
}

#[test]
fn classification_hides_what_an_application_cannot_act_upon() {
    for (suberror, expected) in [
        (json!(null), None),
        (json!(""), None),
        (json!("bad_token"), Some("")),
        (json!("token_expired"), Some("")),
        (json!("protection_policy_required"), Some("")),
        (json!("client_mismatch"), Some("")),
        (json!("device_authentication_failed"), Some("")),
        (json!("basic_action"), Some("basic_action")),
        (json!("something_new"), Some("something_new")),
    ] {
        let refusal = refuse(&json!({"error": "invalid_grant", "suberror": suberror}));
        assert_eq!(refusal.classification(), expected, "{suberror}");
    }
}

#[test]
fn interaction_and_passing_faults_are_recognised() {
    for (status, body, interaction, temporary) in [
        (400, json!({"error": "interaction_required"}), true, false),
        (400, json!({"error": "invalid_grant"}), true, false),
        (401, json!({"error": "invalid_client", "claims": "{}"}), true, false),
        (400, json!({"error": "temporarily_unavailable"}), false, true),
        (429, json!({"error": "too_many"}), false, true),
        (400, json!({"error": "invalid_scope"}), false, false),
    ] {
        let Err(TokenResponseError::Refused(refusal)) = read_success(&respond(status, &body), NOW)
        else {
            panic!("{body} is a refusal");
        };
        assert_eq!((refusal.needs_interaction(), refusal.is_temporary()), (interaction, temporary));
    }
}

#[test]
fn a_refusal_keeps_every_member_but_tokens() {
    let body = json!({
        "error": "invalid_grant",
        "error_description": "AADSTS50076: user@contoso.com must use multi-factor authentication",
        "error_codes": [50076, "x"],
        "suberror": "basic_action",
        "claims": "{\"access_token\":{}}",
        "correlation_id": "c",
        "trace_id": "t",
        "refresh_token": "RT",
        "_internal": 1,
    });
    let mut response = respond(400, &body);
    response.headers.insert("retry-after", "7".parse().unwrap());
    let Err(TokenResponseError::Refused(refusal)) = read_success(&response, NOW) else {
        panic!("not refused");
    };
    assert_eq!(refusal.error_codes, [50076]);
    assert_eq!((refusal.status, refusal.retry_after), (400, Some(7)));
    assert_eq!(refusal.claims.as_deref(), Some("{\"access_token\":{}}"));
    assert_eq!(refusal.correlation_id.as_deref(), Some("c"));
    assert_eq!(refusal.fields.get("trace_id"), Some(&json!("t")));
    assert!(!refusal.fields.contains_key("refresh_token"));
    assert!(!refusal.fields.contains_key("_internal"));
    assert_eq!(refusal.to_string(), "provider answered invalid_grant/basic_action AADSTS50076");
    assert_eq!(format!("{refusal:?}"), format!("OAuthError({refusal})"));
}

#[test]
fn what_is_neither_success_nor_refusal_says_what_it_is() {
    let html = "<html>Sign in to the airport's network</html>";
    for (status, body, expected) in [
        (200, html, Misbehaviour::NotJson { status: 200 }.into()),
        (403, html, Misbehaviour::NotJson { status: 403 }.into()),
        (200, "[]", Misbehaviour::NotAnObject { status: 200 }.into()),
        (200, "", Misbehaviour::NotJson { status: 200 }.into()),
        (400, "{}", Misbehaviour::NoErrorCode { status: 400 }.into()),
        (302, "{}", Misbehaviour::UnexpectedStatus { status: 302 }.into()),
        (400, "{\"error\":{\"code\":1}}", Misbehaviour::WrongType { member: "error" }.into()),
        (429, html, TokenResponseError::Unavailable { status: 429, retry_after: None }),
        (
            500,
            "{\"error\":\"x\"}",
            TokenResponseError::Unavailable { status: 500, retry_after: None },
        ),
        (503, html, TokenResponseError::Unavailable { status: 503, retry_after: None }),
    ] {
        let response = HttpResponse::test(status, body);
        assert_eq!(read_success(&response, NOW), Err(expected), "{status} {body}");
    }
}

#[test]
fn a_refusal_with_status_200_is_a_refusal() {
    let read = read_success(&respond(200, &json!({"error": "bad_verification_code"})), NOW);
    assert!(matches!(read, Err(TokenResponseError::Refused(_))));
}

#[test]
fn an_error_code_that_could_forge_or_flood_a_log_is_none() {
    let longest = "x".repeat(MAX_ERROR_CODE);
    for code in ["invalid_grant", "a code with spaces!", "~[]", &longest] {
        assert_eq!(refuse(&json!({"error": code})).error, code);
    }
    let too_long = format!("{longest}x");
    for code in [
        "a\nb",
        "\u{1b}[2J",
        "\u{9b}31m",
        "\u{202e}",
        "quo\"te",
        "back\\slash",
        "\u{7f}",
        &too_long,
    ] {
        let read = read_success(&respond(400, &json!({"error": code})), NOW);
        assert_eq!(read, Err(Misbehaviour::BadErrorCode.into()), "{code:?}");
    }
}

#[test]
fn a_refusal_is_shown_in_a_line_of_bounded_length() {
    let refusal = refuse(&json!({
        "error": "invalid_grant", "suberror": "s\n".repeat(50_000), "error_codes": vec![i64::MAX; 10_000],
    }));
    let shown = refusal.to_string();
    assert!(shown.len() < 1000 && !shown.contains('\n'), "{shown}");
}
