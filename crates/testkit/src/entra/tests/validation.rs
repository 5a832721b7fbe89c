//! Requests that are wrong, by mistake or on purpose.

use serde_json::json;

use super::http::{ALICE, CLIENT, form, get, post, send, sign_in, start, token, try_send};

#[tokio::test]
async fn a_missing_parameter_is_named() {
    let emulator = start(|_| {}).await;
    for (path, fields, missing) in [
        ("token", vec![("grant_type", "refresh_token")], "client_id"),
        ("token", vec![("client_id", CLIENT)], "grant_type"),
        ("token", vec![("client_id", CLIENT), ("grant_type", "refresh_token")], "refresh_token"),
        ("token", vec![("client_id", CLIENT), ("grant_type", "authorization_code")], "code"),
        ("token", vec![("client_id", CLIENT), ("grant_type", "device_code")], "device_code"),
        ("devicecode", vec![("scope", "x")], "client_id"),
        ("devicecode", vec![("client_id", CLIENT), ("scope", "")], "scope"),
    ] {
        let answer = post(&emulator, &format!("/common/oauth2/v2.0/{path}"), &fields).await;
        assert_eq!(answer.outcome(), "400 invalid_request", "{fields:?}");
        let body = answer.json();
        assert_eq!(body["error_codes"], json!([900_144]));
        assert!(body["error_description"].to_string().contains(&format!("'{missing}'")), "{body}");
    }
}

#[tokio::test]
async fn an_error_has_entra_s_members_and_echoes_the_correlation_id() {
    let emulator = start(|_| {}).await;
    let correlation_id = "0a0a0a0a-1111-4222-8333-bbbbbbbbbbbb";
    let mut request = form("/common/oauth2/v2.0/token", &[("client_id", CLIENT)]);
    request.headers_mut().insert("client-request-id", correlation_id.parse().expect("a header"));
    let body = send(&emulator, request.clone()).await.json();
    assert_eq!(body["correlation_id"], correlation_id);
    let description = body["error_description"].as_str().expect("text");
    let expected = format!(
        "AADSTS900144: The request lacks the parameter 'grant_type'. Trace ID: {} Correlation ID: {correlation_id} Timestamp: {}",
        body["trace_id"].as_str().expect("text"),
        body["timestamp"].as_str().expect("text"),
    );
    assert_eq!(description, expected);
    request.headers_mut().insert("client-request-id", "<script>".parse().expect("a header"));
    assert_ne!(send(&emulator, request).await.json()["correlation_id"], "<script>");
}

#[tokio::test]
async fn a_body_that_is_no_form_counts_as_empty() {
    let emulator = start(|_| {}).await;
    for content_type in ["application/json", "text/plain", "application/x-www-form-urlencoded-not"]
    {
        let mut request = form(
            "/common/oauth2/v2.0/token",
            &[("client_id", CLIENT), ("grant_type", "refresh_token")],
        );
        request.headers_mut().insert("content-type", content_type.parse().expect("a header"));
        let body = send(&emulator, request).await.json();
        assert_eq!(body["error_codes"], json!([900_144]), "{content_type}");
    }
}

#[tokio::test]
async fn a_parameter_sent_twice_is_refused() {
    let emulator = start(|_| {}).await;
    let body = token(
        &emulator,
        &[("client_id", CLIENT), ("client_id", CLIENT), ("grant_type", "refresh_token")],
    )
    .await
    .json();
    assert_eq!(body["error_codes"], json!([9_000_411]));
}

#[tokio::test]
async fn other_grants_and_methods_are_refused() {
    let emulator = start(|_| {}).await;
    for grant in ["implicit", "urn:ietf:params:oauth:grant-type:token-exchange", "☃"] {
        let answer = token(&emulator, &[("client_id", CLIENT), ("grant_type", grant)]).await;
        assert_eq!(answer.outcome(), "400 unsupported_grant_type", "{grant}");
    }
    assert_eq!(get(&emulator, "/common/oauth2/v2.0/token").await.status, 405);
    assert_eq!(get(&emulator, "/common/oauth2/v2.0/devicecode").await.status, 405);
    assert_eq!(get(&emulator, "/nothing/here").await.status, 404);
}

#[tokio::test]
async fn an_unregistered_client_is_refused_when_the_directory_is_closed() {
    let emulator = start(|options| options.accept_any_client = false).await;
    let answer = token(&emulator, &[("client_id", CLIENT), ("grant_type", "refresh_token")]).await;
    assert_eq!(answer.outcome(), "400 unauthorized_client");
}

#[tokio::test]
async fn hostile_input_gets_an_answer_and_the_emulator_lives() {
    let emulator = start(|_| {}).await;
    let long = "x".repeat(100_000);
    let deep = format!("{{\"a\":{}", "[".repeat(10_000));
    for value in [
        "\0",
        "%00",
        "../../etc/passwd",
        "';--",
        "<script>",
        "\u{202e}",
        long.as_str(),
        deep.as_str(),
    ] {
        for name in [
            "client_id",
            "grant_type",
            "code",
            "refresh_token",
            "scope",
            "claims",
            "redirect_uri",
            "username",
            "ticket",
            "user_code",
            "token",
        ] {
            for path in [
                "/common/oauth2/v2.0/token",
                "/common/oauth2/v2.0/authorize",
                "/common/oauth2/v2.0/devicecode",
                "/devicelogin",
            ] {
                let answer = try_send(&emulator, form(path, &[(name, value)])).await;
                assert!(answer.is_some_and(|answer| answer.status < 500), "{name} at {path}");
            }
        }
    }
    let mut broken = form("/common/oauth2/v2.0/token", &[]);
    *broken.body_mut() = "%zz=%ff&&&=&client_id".to_owned();
    assert_eq!(send(&emulator, broken).await.status, 400);
    let mut huge = form("/common/oauth2/v2.0/token", &[]);
    *huge.body_mut() = "a".repeat(2 * 1024 * 1024);
    // The server may close before it read everything, which the client sees as a cut connection.
    assert!(try_send(&emulator, huge).await.is_none_or(|answer| answer.status == 413));
    assert_eq!(sign_in(&emulator, ALICE, &[]).await["token_type"], "Bearer");
}

#[tokio::test]
async fn userinfo_wants_a_live_access_token() {
    let emulator = start(|_| {}).await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    let ask = async |token: &str| {
        let request = http::Request::get("/common/oidc/userinfo").header("host", "localhost");
        send(
            &emulator,
            request
                .header("authorization", format!("Bearer {token}"))
                .body(String::new())
                .expect("a request"),
        )
        .await
    };
    let access_token = tokens["access_token"].as_str().expect("a token");
    assert_eq!(ask(access_token).await.json()["preferred_username"], ALICE);
    assert_eq!(ask(tokens["id_token"].as_str().expect("a token")).await.status, 401);
    assert_eq!(ask("nonsense").await.status, 401);
    emulator.control().advance_clock(3_600);
    assert_eq!(ask(access_token).await.status, 401);
}
