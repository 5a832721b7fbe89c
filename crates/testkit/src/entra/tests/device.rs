//! The device code grant.

use serde_json::{Value, json};

use super::http::{
    ALICE, Answer, CLIENT, DEVICE_GRANT, SCOPE, form, get, post, send, start, token,
};
use crate::entra::EntraEmulator;

async fn begin(emulator: &EntraEmulator) -> Value {
    let answer = post(
        emulator,
        "/common/oauth2/v2.0/devicecode",
        &[("client_id", CLIENT), ("scope", SCOPE)],
    )
    .await;
    assert_eq!(answer.status, 200);
    answer.json()
}

fn text<'a>(device: &'a Value, name: &str) -> &'a str {
    device[name].as_str().expect("text")
}

async fn poll(emulator: &EntraEmulator, device: &Value) -> Answer {
    let code = text(device, "device_code");
    // MSAL sends the code under both names.
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", DEVICE_GRANT),
        ("device_code", code),
        ("code", code),
        ("client_info", "1"),
    ];
    token(emulator, &fields).await
}

#[tokio::test]
async fn a_device_gets_tokens_once_a_person_approved_it() {
    let emulator = start(|_| {}).await;
    let device = begin(&emulator).await;
    assert_eq!((&device["interval"], &device["expires_in"]), (&json!(5), &json!(900)));
    assert_eq!(device["verification_uri"], format!("{}/devicelogin", emulator.base_url()));
    assert!(text(&device, "message").contains(text(&device, "user_code")));
    assert_eq!(poll(&emulator, &device).await.outcome(), "400 authorization_pending");
    let typed = text(&device, "user_code").to_lowercase();
    emulator
        .control()
        .approve_device(&format!(" {}-{} ", &typed[..4], &typed[4..]), ALICE)
        .expect("the code waits");
    let tokens = poll(&emulator, &device).await;
    assert_eq!(tokens.outcome(), "200");
    assert!(tokens.json()["refresh_token"].is_string());
    assert_eq!(poll(&emulator, &device).await.outcome(), "400 bad_verification_code");
}

#[tokio::test]
async fn polling_too_fast_costs_five_seconds_for_good() {
    let emulator = start(|_| {}).await;
    let device = begin(&emulator).await;
    for (wait, outcome) in [
        (0, "400 authorization_pending"),
        (5, "400 authorization_pending"),
        (2, "400 slow_down"),
        (6, "400 slow_down"),
        (15, "400 authorization_pending"),
    ] {
        emulator.control().advance_clock(wait);
        assert_eq!(poll(&emulator, &device).await.outcome(), outcome, "after {wait} s");
    }
}

#[tokio::test]
async fn a_device_hears_how_it_ended() {
    let emulator = start(|_| {}).await;
    let declined = begin(&emulator).await;
    emulator.control().decline_device(text(&declined, "user_code")).expect("the code waits");
    assert_eq!(poll(&emulator, &declined).await.outcome(), "400 authorization_declined");

    let expired = begin(&emulator).await;
    emulator.control().advance_clock(900);
    let refused = emulator
        .control()
        .approve_device(text(&expired, "user_code"), ALICE)
        .expect_err("too late");
    assert_eq!(refused.error, "expired_token");
    assert_eq!(poll(&emulator, &expired).await.outcome(), "400 expired_token");

    let foreign = json!({"device_code": "unheard-of"});
    assert_eq!(poll(&emulator, &foreign).await.outcome(), "400 bad_verification_code");
}

#[tokio::test]
async fn the_generic_personality_uses_the_words_of_rfc_8628() {
    let emulator = start(|options| options.generic_oidc = true).await;
    let device =
        post(&emulator, "/t/device", &[("client_id", CLIENT), ("scope", SCOPE)]).await.json();
    assert!(text(&device, "verification_uri_complete").ends_with(text(&device, "user_code")));
    emulator.control().decline_device(text(&device, "user_code")).expect("the code waits");
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", DEVICE_GRANT),
        ("device_code", text(&device, "device_code")),
    ];
    assert_eq!(post(&emulator, "/t/token", &fields).await.outcome(), "400 access_denied");
}

#[tokio::test]
async fn a_person_walks_the_pages() {
    let emulator = start(|_| {}).await;
    let device = begin(&emulator).await;
    let code = text(&device, "user_code");
    let prefilled = get(&emulator, &format!("/devicelogin?otc={code}")).await;
    assert!(prefilled.body.contains(&format!("value=\"{code}\"")));
    for (fields, expected) in [
        (vec![("user_code", "WRONGCODE")], "No device waits under this code"),
        (vec![("user_code", code)], "Pick an account"),
        (
            vec![("user_code", code), ("action", "pick"), ("username", "nobody@contoso.com")],
            "We don&#39;t know this user name",
        ),
        (
            vec![("user_code", code), ("action", "pick"), ("username", ALICE)],
            "Are you trying to sign in to",
        ),
        (vec![("user_code", code), ("action", "approve"), ("username", ALICE)], "all set"),
        (vec![("user_code", code), ("action", "cancel")], "No device waits under this code"),
    ] {
        let page = send(&emulator, form("/devicelogin", &fields)).await;
        assert_eq!(page.status, 200);
        assert!(page.body.contains(expected), "{fields:?} lacks {expected:?}");
    }
    assert_eq!(poll(&emulator, &device).await.outcome(), "200");
}
