//! The authorization code grant and what its tokens say.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p256::EncodedPoint;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use serde_json::{Value, json};

use super::http::{
    ALICE, CLIENT, REDIRECT, VERIFIER, authorize, decode_claims, encode, get, post, redeem_code,
    refresh, sign_in, start, token,
};
use crate::entra::{CONSUMERS, CONTOSO, FABRIKAM, NewUser};

#[tokio::test]
async fn a_sign_in_yields_what_entra_answers() {
    let emulator = start(|options| options.settings.refresh_in = Some(1_800)).await;
    let redirect = authorize(&emulator, ALICE, &[]);
    assert_eq!(redirect.param("state"), Some("the-state"));
    let tokens = redeem_code(&emulator, redirect.param("code").expect("a code")).await;
    assert_eq!(tokens.header("cache-control"), "no-store, no-cache");
    let tokens = tokens.json();
    assert_eq!(tokens["scope"], "User.Read openid profile");
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!((&tokens["expires_in"], &tokens["ext_expires_in"]), (&json!(3_600), &json!(3_600)));
    assert_eq!(tokens["refresh_in"], 1_800);
    assert_eq!(tokens["foci"], Value::Null);
    assert!(tokens["refresh_token"].as_str().is_some_and(|token| token.len() > 1_000));

    let alice =
        emulator.control().users().into_iter().find(|user| user.name == ALICE).expect("alice");
    let client_info = encode(json!({"uid": alice.object_id, "utid": CONTOSO}).to_string());
    assert_eq!(tokens["client_info"], client_info);
    assert_eq!(redirect.param("client_info"), Some(client_info.as_str()));

    let id = decode_claims(&tokens["id_token"]);
    let expected = json!({
        "iss": format!("{}/{CONTOSO}/v2.0", emulator.base_url()), "aud": CLIENT, "oid": alice.object_id, "tid": CONTOSO,
        "preferred_username": ALICE, "name": "Alice", "nonce": "the-nonce", "ver": "2.0",
    });
    for (name, value) in expected.as_object().expect("an object") {
        assert_eq!(&id[name], value, "{name}");
    }
    assert_eq!(id["exp"].as_i64().zip(id["iat"].as_i64()).map(|(exp, iat)| exp - iat), Some(3_600));
}

#[tokio::test]
async fn tokens_verify_with_the_published_keys() {
    let emulator = start(|_| {}).await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    let keys = get(&emulator, "/common/discovery/v2.0/keys").await.json();
    let coordinate = |name: &str| {
        BASE64_URL_SAFE_NO_PAD
            .decode(keys["keys"][0][name].as_str().expect("text"))
            .expect("base64url")
    };
    let (x, y) = (coordinate("x"), coordinate("y"));
    let point =
        EncodedPoint::from_affine_coordinates(x.as_slice().into(), y.as_slice().into(), false);
    let key = VerifyingKey::from_encoded_point(&point).expect("a point on the curve");
    for name in ["access_token", "id_token"] {
        let (signed, signature) =
            tokens[name].as_str().and_then(|token| token.rsplit_once('.')).expect("a JWT");
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
        let signature = Signature::from_slice(&signature).expect("64 bytes");
        assert!(key.verify(signed.as_bytes(), &signature).is_ok(), "{name}");
    }
}

#[tokio::test]
async fn a_code_works_once_and_its_replay_ends_the_grant() {
    let emulator = start(|_| {}).await;
    let redirect = authorize(&emulator, ALICE, &[]);
    let code = redirect.param("code").expect("a code");
    let tokens = redeem_code(&emulator, code).await.json();
    assert_eq!(refresh(&emulator, &tokens["refresh_token"], &[]).await.outcome(), "200");
    let replay = redeem_code(&emulator, code).await;
    assert_eq!(replay.json()["error_codes"], json!([54_005]));
    let dead = refresh(&emulator, &tokens["refresh_token"], &[]).await;
    assert_eq!(dead.outcome(), "400 invalid_grant bad_token");
}

#[tokio::test]
async fn a_code_is_bound_to_how_it_was_asked_for() {
    let emulator = start(|_| {}).await;
    for (changed, value, number) in [
        ("code_verifier", "another-verifier-of-the-same-length-indeed!!", 501_481),
        ("code_verifier", "", 501_481),
        ("redirect_uri", "http://localhost:9999", 500_112),
        ("client_id", "99999999-aaaa-4bbb-8ccc-ddddeeee0009", 700_005),
        ("code", "1.Anonsense", 70_000),
    ] {
        let redirect = authorize(&emulator, ALICE, &[]);
        let mut fields = vec![
            ("client_id", CLIENT),
            ("grant_type", "authorization_code"),
            ("code", redirect.param("code").expect("a code")),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        fields.iter_mut().filter(|(name, _)| *name == changed).for_each(|field| field.1 = value);
        let answer = token(&emulator, &fields).await;
        assert_eq!(answer.json()["error_codes"], json!([number]), "{changed}={value}");
    }
    let redirect = authorize(&emulator, ALICE, &[]);
    emulator.control().advance_clock(601);
    let late = redeem_code(&emulator, redirect.param("code").expect("a code")).await;
    assert_eq!(late.json()["error_codes"], json!([70_008]));
}

#[tokio::test]
async fn scopes_decide_what_is_issued() {
    let emulator = start(|_| {}).await;
    for (scope, granted, has_refresh_token, has_id_token) in [
        ("User.Read", "User.Read", false, false),
        ("User.Read openid", "User.Read openid", false, true),
        ("offline_access User.Read", "User.Read", true, false),
        (
            "https://vault.example/.default offline_access openid profile",
            "https://vault.example/user_impersonation https://vault.example/.default openid profile",
            true,
            true,
        ),
    ] {
        let tokens = sign_in(&emulator, ALICE, &[("scope", scope)]).await;
        assert_eq!(tokens["scope"], granted);
        assert_eq!(tokens["refresh_token"].is_string(), has_refresh_token, "{scope}");
        assert_eq!(tokens["id_token"].is_string(), has_id_token, "{scope}");
    }
}

#[tokio::test]
async fn two_resources_cannot_share_a_token() {
    let emulator = start(|_| {}).await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    let scope = "https://one.example/a https://two.example/b";
    let answer = refresh(&emulator, &tokens["refresh_token"], &[("scope", scope)]).await;
    assert_eq!(answer.outcome(), "400 invalid_scope");
}

#[tokio::test]
async fn a_guest_keeps_the_home_account_and_has_another_object_id() {
    let emulator = start(|options| {
        options.users = vec![
            NewUser { guest_of: vec![FABRIKAM.into()], ..NewUser::named(ALICE) },
            NewUser::named("zoe@outlook.com"),
        ];
    })
    .await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    let home = decode_claims(&tokens["id_token"]);
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", "refresh_token"),
        ("refresh_token", tokens["refresh_token"].as_str().expect("a token")),
        ("client_info", "1"),
    ];
    let away = post(&emulator, "/fabrikam.com/oauth2/v2.0/token", &fields).await.json();
    let guest = decode_claims(&away["id_token"]);
    assert_eq!(guest["tid"], FABRIKAM);
    assert_ne!(guest["oid"], home["oid"]);
    assert_eq!(away["client_info"], tokens["client_info"]);
    let consumers = post(&emulator, "/consumers/oauth2/v2.0/token", &fields).await;
    assert_eq!(consumers.outcome(), "200", "the shared endpoints keep the tenant of the grant");
    let personal = sign_in(&emulator, "zoe@outlook.com", &[]).await;
    assert_eq!(decode_claims(&personal["id_token"])["tid"], CONSUMERS);
}

#[tokio::test]
async fn the_generic_personality_answers_in_plain_oauth() {
    let emulator = start(|options| options.generic_oidc = true).await;
    let url = super::http::authorize_url(&emulator, "t", &[])
        .replace("/oauth2/v2.0/authorize", "/authorize");
    let redirect = emulator
        .control()
        .authorize(&url, ALICE, Default::default(), &Default::default())
        .expect("a redirect");
    let names: Vec<&str> = redirect.params.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["code", "state"]);
    let code = redirect.param("code").expect("a code");
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("client_info", "1"),
    ];
    let tokens = post(&emulator, "/t/token", &fields).await.json();
    assert_eq!(tokens["scope"], super::http::SCOPE);
    assert_eq!((&tokens["client_info"], &tokens["ext_expires_in"]), (&Value::Null, &Value::Null));
    let id = decode_claims(&tokens["id_token"]);
    assert_eq!((&id["iss"], &id["tid"]), (&json!(emulator.authority("t")), &Value::Null));
    let replay = post(&emulator, "/t/token", &fields).await.json();
    let members: Vec<&String> = replay.as_object().expect("an object").keys().collect();
    assert_eq!(members, ["error", "error_description"]);
    assert!(!replay["error_description"].to_string().contains("AADSTS"));
}

#[tokio::test]
async fn revocation_ends_a_refresh_token_and_is_recorded() {
    let emulator = start(|options| options.generic_oidc = true).await;
    let url = super::http::authorize_url(&emulator, "t", &[])
        .replace("/oauth2/v2.0/authorize", "/authorize");
    let redirect = emulator
        .control()
        .authorize(&url, ALICE, Default::default(), &Default::default())
        .expect("a redirect");
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", "authorization_code"),
        ("code", redirect.param("code").expect("a code")),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let tokens = post(&emulator, "/t/token", &fields).await.json();
    let refresh_token = tokens["refresh_token"].as_str().expect("a refresh token");
    let foreign =
        post(&emulator, "/t/revoke", &[("token", refresh_token), ("client_id", "another")]).await;
    assert_eq!(foreign.outcome(), "400 unauthorized_client");
    for named in [refresh_token, refresh_token, "unheard-of"] {
        assert_eq!(
            post(&emulator, "/t/revoke", &[("token", named), ("client_id", CLIENT)]).await.status,
            200
        );
    }
    let revoked: Vec<bool> =
        emulator.control().revocations().iter().map(|entry| entry.revoked).collect();
    assert_eq!(revoked, [true, false, false]);
    let fields =
        [("client_id", CLIENT), ("grant_type", "refresh_token"), ("refresh_token", refresh_token)];
    assert_eq!(post(&emulator, "/t/token", &fields).await.outcome(), "400 invalid_grant");
}
