//! Refresh tokens: rotation, families, lifetimes, and what goes wrong for a user.

use serde_json::{Value, json};

use super::http::{ALICE, CLIENT, decode_claims, refresh, sign_in, start};
use crate::entra::{Client, EntraEmulator, NewUser, Rotation, Scenario};

async fn start_rotating(grace_seconds: i64) -> EntraEmulator {
    start(|options| options.settings.rotation = Rotation::Rotate { grace_seconds }).await
}

#[tokio::test]
async fn entra_gives_a_new_refresh_token_and_keeps_the_old() {
    let emulator = start(|_| {}).await;
    let first = sign_in(&emulator, ALICE, &[]).await["refresh_token"].clone();
    let answer = refresh(&emulator, &first, &[]).await.json();
    assert!(answer["refresh_token"].is_string());
    assert_ne!(answer["refresh_token"], first);
    assert_eq!(refresh(&emulator, &first, &[]).await.outcome(), "200");
    assert_eq!(decode_claims(&answer["id_token"])["nonce"], Value::Null);
}

#[tokio::test]
async fn a_lost_answer_can_be_asked_for_again_within_the_grace_period() {
    let emulator = start_rotating(10).await;
    let first = sign_in(&emulator, ALICE, &[]).await["refresh_token"].clone();
    let answer = refresh(&emulator, &first, &[]).await.json();
    emulator.control().advance_clock(8);
    let again = refresh(&emulator, &first, &[]).await.json();
    assert_eq!(again["refresh_token"], answer["refresh_token"]);
    assert_ne!(again["access_token"], answer["access_token"]);
}

#[tokio::test]
async fn reuse_after_the_grace_period_revokes_the_family() {
    for grace in [0, 10] {
        let emulator = start_rotating(grace).await;
        let first = sign_in(&emulator, ALICE, &[]).await["refresh_token"].clone();
        let second = refresh(&emulator, &first, &[]).await.json()["refresh_token"].clone();
        let third = refresh(&emulator, &second, &[]).await.json()["refresh_token"].clone();
        emulator.control().advance_clock(grace);
        for dead in [&first, &third, &second] {
            assert_eq!(
                refresh(&emulator, dead, &[]).await.outcome(),
                "400 invalid_grant bad_token"
            );
        }
    }
}

#[tokio::test]
async fn tokens_expire_by_the_emulator_s_clock() {
    let emulator = start(|options| options.settings.refresh_token_lifetime = 100).await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    let access_token = tokens["access_token"].as_str().expect("an access token");
    assert_eq!(
        emulator.control().verify_access_token(access_token).map(|claims| claims["scp"].clone()),
        Some(json!("User.Read openid profile"))
    );
    emulator.control().advance_clock(100);
    assert_eq!(
        refresh(&emulator, &tokens["refresh_token"], &[]).await.outcome(),
        "400 invalid_grant token_expired"
    );
    emulator.control().advance_clock(3_500);
    assert_eq!(emulator.control().verify_access_token(access_token), None);
}

#[tokio::test]
async fn an_administrator_ends_all_of_a_user_s_grants() {
    let emulator = start(|_| {}).await;
    let alice = sign_in(&emulator, ALICE, &[]).await["refresh_token"].clone();
    let bob = sign_in(&emulator, "bob@contoso.com", &[]).await["refresh_token"].clone();
    assert_eq!(emulator.control().revoke_user("Alice@Contoso.com"), 1);
    let answer = refresh(&emulator, &alice, &[]).await;
    assert_eq!(answer.json()["error_codes"], json!([50_173]));
    assert_eq!(refresh(&emulator, &bob, &[]).await.outcome(), "200");
}

#[tokio::test]
async fn a_family_shares_refresh_tokens_and_others_do_not() {
    let member = |id: &str| Client { id: id.into(), family: true, ..Client::default() };
    let emulator = start(|options| options.clients = vec![member(CLIENT), member("sibling")]).await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    assert_eq!(tokens["foci"], "1");
    let sibling =
        refresh(&emulator, &tokens["refresh_token"], &[("client_id", "sibling")]).await.json();
    assert_eq!(
        (&sibling["foci"], &decode_claims(&sibling["id_token"])["aud"]),
        (&json!("1"), &json!("sibling"))
    );
    assert_eq!(refresh(&emulator, &tokens["refresh_token"], &[]).await.outcome(), "200");
    let stranger = refresh(&emulator, &tokens["refresh_token"], &[("client_id", "stranger")]).await;
    assert_eq!(stranger.outcome(), "400 invalid_grant client_mismatch");
    assert_eq!(stranger.json()["error_additional_info"], json!(["client_mismatch"]));
}

#[tokio::test]
async fn a_user_name_brings_its_trouble_along() {
    for (user, outcome) in [
        ("mfa@contoso.com", "400 interaction_required basic_action"),
        ("password-expired@contoso.com", "400 invalid_grant user_password_expired"),
        ("bad-token@contoso.com", "400 invalid_grant bad_token"),
        ("token-expired@contoso.com", "400 invalid_grant token_expired"),
        ("device@contoso.com", "400 invalid_grant device_authentication_failed"),
        ("protection@contoso.com", "400 unauthorized_client protection_policy_required"),
        ("non-compliant@contoso.com", "400 invalid_grant additional_action"),
        ("blocked@contoso.com", "400 invalid_grant message_only"),
    ] {
        let emulator = start(|options| options.users = vec![NewUser::named(user)]).await;
        let tokens = sign_in(&emulator, user, &[]).await;
        assert_eq!(
            refresh(&emulator, &tokens["refresh_token"], &[]).await.outcome(),
            outcome,
            "{user}"
        );
        emulator.control().set_user_scenario(user, None);
        assert_eq!(
            refresh(&emulator, &tokens["refresh_token"], &[]).await.outcome(),
            "200",
            "{user}"
        );
    }
}

#[tokio::test]
async fn throttling_and_outages_meet_every_grant() {
    let emulator = start(|_| {}).await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    for (scenario, status, retry_after) in
        [(Scenario::Throttled { retry_after: 9 }, 429, "9"), (Scenario::Unavailable, 503, "")]
    {
        emulator.control().set_user_scenario(ALICE, Some(scenario));
        let silent = refresh(&emulator, &tokens["refresh_token"], &[]).await;
        let redirect = super::http::authorize(&emulator, ALICE, &[]);
        let interactive =
            super::http::redeem_code(&emulator, redirect.param("code").expect("a code")).await;
        for answer in [silent, interactive] {
            assert_eq!((answer.status, answer.header("retry-after")), (status, retry_after));
        }
    }
}

#[tokio::test]
async fn a_claims_challenge_is_met_only_by_a_sign_in_with_these_claims() {
    let emulator = start(|_| {}).await;
    let demanded = r#"{"access_token":{"nbf":{"essential":true,"value":"1700000000"}}}"#;
    emulator
        .control()
        .set_user_scenario(ALICE, Some(Scenario::ClaimsChallenge(demanded.to_owned())));
    for claims in ["", r#"{"access_token":{"nbf":{"value":"1"}}}"#] {
        let tokens = sign_in(&emulator, ALICE, &[("claims", claims)]).await;
        let answer = refresh(&emulator, &tokens["refresh_token"], &[]).await.json();
        assert_eq!(answer["claims"], demanded);
    }
    let with_capability =
        demanded.replacen("{\"nbf\"", "{\"xms_cc\":{\"values\":[\"CP1\"]},\"nbf\"", 1);
    for claims in [demanded, &with_capability] {
        let tokens = sign_in(&emulator, ALICE, &[("claims", claims)]).await;
        assert_eq!(
            refresh(&emulator, &tokens["refresh_token"], &[]).await.outcome(),
            "200",
            "{claims}"
        );
    }
}

#[tokio::test]
async fn a_scope_s_trouble_stays_with_the_scope() {
    let emulator = start(|_| {}).await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    emulator.control().set_scope_scenario("Mail.Read", Some(Scenario::ConsentRequired));
    emulator.control().set_scope_scenario("Files.Read", Some(Scenario::InteractionRequired));
    for (scope, outcome) in [
        ("User.Read", "200"),
        ("Mail.Read", "400 invalid_grant consent_required"),
        ("Files.Read", "400 interaction_required basic_action"),
    ] {
        let answer = refresh(&emulator, &tokens["refresh_token"], &[("scope", scope)]).await;
        assert_eq!(answer.outcome(), outcome, "{scope}");
    }
    let consented = sign_in(&emulator, ALICE, &[("scope", "Mail.Read offline_access")]).await;
    assert_eq!(refresh(&emulator, &consented["refresh_token"], &[]).await.outcome(), "200");
}

#[tokio::test]
async fn client_capabilities_show_in_the_access_token() {
    let emulator = start(|_| {}).await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    let claims = r#"{"access_token": {"xms_cc": {"values": ["CP1"]}}}"#;
    let answer = refresh(&emulator, &tokens["refresh_token"], &[("claims", claims)]).await.json();
    assert_eq!(decode_claims(&answer["access_token"])["xms_cc"], json!(["CP1"]));
}
