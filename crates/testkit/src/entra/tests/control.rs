//! The control: the log, faults, gates, and the same over HTTP.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::http::{
    ALICE, Answer, CLIENT, DEVICE_GRANT, SCOPE, authorize_url, form, post, redeem_code, refresh,
    send, sign_in, start, token, try_send,
};
use crate::entra::{Effect, Endpoint, EntraEmulator, Fault, GrantCount, Rotation};

const TOKEN: &str = "/common/oauth2/v2.0/token";

async fn control(emulator: &EntraEmulator, method: &str, path: &str, body: &Value) -> Answer {
    let request = http::Request::builder()
        .method(method)
        .uri(format!("/_emulator/{path}"))
        .header("host", "localhost");
    let request = request.header("content-type", "application/json");
    send(emulator, request.body(body.to_string()).expect("a request")).await
}

#[tokio::test]
async fn the_log_tells_what_was_asked_and_answered() {
    let emulator = start(|_| {}).await;
    let mut request =
        form(&format!("{TOKEN}?slice=1"), &[("client_id", CLIENT), ("grant_type", "nonsense")]);
    request.headers_mut().insert("X-AnchorMailbox", "Oid:1@2".parse().expect("a header"));
    send(&emulator, request).await;
    let log = emulator.control().requests();
    assert_eq!(log.len(), 1);
    let entry = &log[0];
    assert_eq!((entry.sequence, entry.endpoint, entry.status), (1, Endpoint::Token, Some(400)));
    assert_eq!(
        (entry.method.as_str(), entry.path.as_str(), entry.tenant.as_str()),
        ("POST", TOKEN, "common")
    );
    assert_eq!(entry.query["slice"], "1");
    assert_eq!(entry.headers["x-anchormailbox"], "Oid:1@2");
    assert_eq!(entry.field("grant_type"), Some("nonsense"));
    emulator.control().clear_requests();
    assert!(emulator.control().requests().is_empty());
    token(&emulator, &[]).await;
    assert_eq!(emulator.control().requests()[0].sequence, 2);
}

#[tokio::test]
async fn faults_meet_the_next_requests_in_order() {
    let emulator = start(|_| {}).await;
    let refresh_token = sign_in(&emulator, ALICE, &[]).await["refresh_token"].clone();
    let add = |effect, times| {
        emulator.control().add_fault(Fault::new(Endpoint::Token, effect).times(times))
    };
    add(Effect::status(503), 2);
    add(Effect::retry_after(429, 7), 1);
    add(Effect::Html { status: 200 }, 1);
    add(Effect::NonsenseJson, 1);
    add(Effect::without_access_token(), 1);
    for (status, retry_after, is_json) in [
        (503, "", true),
        (503, "", true),
        (429, "7", true),
        (200, "", false),
        (200, "", false),
        (200, "", true),
        (200, "", true),
    ] {
        let answer = refresh(&emulator, &refresh_token, &[]).await;
        let parsed = serde_json::from_str::<Value>(&answer.body);
        assert_eq!(
            (answer.status, answer.header("retry-after"), parsed.is_ok()),
            (status, retry_after, is_json)
        );
    }
    let statuses: Vec<Option<u16>> =
        emulator.control().requests_to(Endpoint::Token).iter().map(|entry| entry.status).collect();
    assert_eq!(statuses[1..4], [Some(503), Some(503), Some(429)]);
}

#[tokio::test]
async fn an_edited_answer_lacks_what_was_removed() {
    let emulator = start(|_| {}).await;
    emulator.control().add_fault(Fault::new(Endpoint::Token, Effect::without_access_token()));
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    assert_eq!(tokens["access_token"], Value::Null);
    assert!(tokens["refresh_token"].is_string());
}

#[tokio::test]
async fn a_fault_can_wait_for_one_grant_type() {
    let emulator = start(|_| {}).await;
    emulator
        .control()
        .add_fault(Fault::new(Endpoint::Token, Effect::status(500)).for_grant("refresh_token"));
    let refresh_token = sign_in(&emulator, ALICE, &[]).await["refresh_token"].clone();
    assert_eq!(refresh(&emulator, &refresh_token, &[]).await.status, 500);
    emulator.control().add_fault(Fault::new(Endpoint::Token, Effect::status(500)));
    emulator.control().clear_faults();
    assert_eq!(refresh(&emulator, &refresh_token, &[]).await.status, 200);
}

#[tokio::test]
async fn a_cut_connection_tells_nothing_of_whether_the_token_rotated() {
    for (effect, rotated) in [(Effect::DropRequest, false), (Effect::DropAnswer, true)] {
        let emulator =
            start(|options| options.settings.rotation = Rotation::Rotate { grace_seconds: 0 })
                .await;
        let refresh_token = sign_in(&emulator, ALICE, &[]).await["refresh_token"].clone();
        emulator.control().add_fault(Fault::new(Endpoint::Token, effect));
        let fields = [
            ("client_id", CLIENT),
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.as_str().expect("a token")),
        ];
        assert!(try_send(&emulator, form(TOKEN, &fields)).await.is_none());
        assert_eq!(emulator.control().requests_to(Endpoint::Token)[1].status, None);
        let again = refresh(&emulator, &refresh_token, &[]).await;
        assert_eq!(again.status == 400, rotated);
    }
}

#[tokio::test]
async fn a_gate_holds_requests_until_it_is_opened() {
    let emulator = start(|_| {}).await;
    let refresh_token = sign_in(&emulator, ALICE, &[]).await["refresh_token"].clone();
    emulator
        .control()
        .add_fault(Fault::new(Endpoint::Token, Effect::Pass).times(2).behind_gate("hold"));
    let answers = async {
        tokio::join!(
            refresh(&emulator, &refresh_token, &[]),
            refresh(&emulator, &refresh_token, &[])
        )
    };
    let open = async {
        emulator.control().wait_at_gate("hold", 2).await;
        let waiting: Vec<Option<u16>> = emulator.control().requests_to(Endpoint::Token)[1..]
            .iter()
            .map(|entry| entry.status)
            .collect();
        emulator.control().open_gate("hold");
        waiting
    };
    let ((one, other), waiting) = tokio::join!(answers, open);
    assert_eq!(waiting, [None, None]);
    assert_eq!((one.status, other.status), (200, 200));
}

#[tokio::test]
async fn counters_tell_grants_apart() {
    let emulator = start(|_| {}).await;
    let refresh_token = sign_in(&emulator, ALICE, &[]).await["refresh_token"].clone();
    refresh(&emulator, &refresh_token, &[]).await;
    refresh(&emulator, &json!("nonsense"), &[]).await;
    let counters = emulator.control().counters();
    assert_eq!(counters["authorization_code"], GrantCount { answered: 1, refused: 0 });
    assert_eq!(counters["refresh_token"], GrantCount { answered: 1, refused: 1 });
}

#[tokio::test]
async fn every_secret_issued_is_remembered() {
    let emulator = start(|_| {}).await;
    let tokens = sign_in(&emulator, ALICE, &[]).await;
    let device = post(
        &emulator,
        "/common/oauth2/v2.0/devicecode",
        &[("client_id", CLIENT), ("scope", SCOPE)],
    )
    .await
    .json();
    let secrets = emulator.control().secrets();
    for (kind, value) in [
        ("access_token", &tokens["access_token"]),
        ("refresh_token", &tokens["refresh_token"]),
        ("id_token", &tokens["id_token"]),
        ("device_code", &device["device_code"]),
        ("user_code", &device["user_code"]),
    ] {
        assert!(
            secrets.iter().any(|secret| secret.kind == kind && *value == secret.value.as_str()),
            "{kind}"
        );
    }
    assert_eq!(secrets.iter().filter(|secret| secret.kind == "code").count(), 1);
}

#[tokio::test]
async fn a_seed_makes_runs_alike() {
    let codes = async |seed| {
        let emulator = start(|options| options.seed = seed).await;
        super::http::authorize(&emulator, ALICE, &[]).param("code").map(str::to_owned)
    };
    assert_eq!(codes(Some(5)).await, codes(Some(5)).await);
    assert_ne!(codes(None).await, codes(None).await);
}

#[tokio::test]
async fn another_process_drives_a_whole_sign_in() {
    let emulator = start(|_| {}).await;
    control(
        &emulator,
        "POST",
        "users",
        &json!({"name": "carol@fabrikam.com", "display_name": "Carol"}),
    )
    .await;
    let body = json!({"url": authorize_url(&emulator, "common", &[]), "user": "carol@fabrikam.com", "browser": "one"});
    let redirect = control(&emulator, "POST", "authorize", &body).await.json();
    assert!(
        redirect["url"].as_str().is_some_and(|url| url.starts_with("http://localhost:4321/?code="))
    );
    let tokens =
        redeem_code(&emulator, redirect["params"]["code"].as_str().expect("a code")).await.json();
    let silent =
        json!({"url": authorize_url(&emulator, "common", &[("prompt", "none")]), "browser": "one"});
    assert!(
        control(&emulator, "POST", "authorize", &silent).await.json()["params"]["code"].is_string()
    );
    let elsewhere =
        json!({"url": authorize_url(&emulator, "common", &[("prompt", "none")]), "browser": "two"});
    assert_eq!(
        control(&emulator, "POST", "authorize", &elsewhere).await.json()["params"]["error"],
        "login_required"
    );

    control(
        &emulator,
        "POST",
        "users/carol@fabrikam.com/scenario",
        &json!({"throttled": {"retry_after": 3}}),
    )
    .await;
    assert_eq!(refresh(&emulator, &tokens["refresh_token"], &[]).await.status, 429);
    control(&emulator, "POST", "users/carol@fabrikam.com/scenario", &Value::Null).await;
    let fault = json!({"endpoint": "token", "times": 1, "effect": {"answer": {"status": 502, "headers": {"X-Test": "1"}, "body": "oops"}}});
    control(&emulator, "POST", "faults", &fault).await;
    let answer = refresh(&emulator, &tokens["refresh_token"], &[]).await;
    assert_eq!((answer.status, answer.header("x-test"), answer.body.as_str()), (502, "1", "oops"));
    assert_eq!(
        control(&emulator, "POST", "users/carol@fabrikam.com/revoke", &Value::Null).await.json()["revoked"],
        1
    );
    assert_eq!(refresh(&emulator, &tokens["refresh_token"], &[]).await.status, 400);

    let log = control(&emulator, "GET", "log?endpoint=token&at_least=4", &Value::Null).await.json();
    assert_eq!(log.as_array().map(Vec::len), Some(4));
    assert_eq!(log[3]["form"]["grant_type"], "refresh_token");
    let counters = control(&emulator, "GET", "counters", &Value::Null).await.json();
    assert_eq!(counters["refresh_token"], json!({"answered": 0, "refused": 2}));
    assert!(
        control(&emulator, "GET", "secrets", &Value::Null)
            .await
            .json()
            .as_array()
            .is_some_and(|list| list.len() > 4)
    );
}

#[tokio::test]
async fn another_process_changes_settings_and_time() {
    let emulator = start(|_| {}).await;
    let patched = control(
        &emulator,
        "PATCH",
        "settings",
        &json!({"refresh_in": 60, "rotation": {"rotate": {"grace_seconds": 5}}}),
    )
    .await
    .json();
    assert_eq!(
        (&patched["refresh_in"], &patched["access_token_lifetime"]),
        (&json!(60), &json!(3_600))
    );
    assert_eq!(emulator.control().settings().rotation, Rotation::Rotate { grace_seconds: 5 });
    assert_eq!(control(&emulator, "PATCH", "settings", &json!({"typo": 1})).await.status, 422);
    let before = control(&emulator, "GET", "clock", &Value::Null).await.json()["now"].as_i64();
    let after = control(&emulator, "POST", "clock/advance", &json!({"seconds": 1_000_000}))
        .await
        .json()["now"]
        .as_i64();
    assert!(before.zip(after).is_some_and(|(before, after)| after >= before + 1_000_000));
    let device = post(
        &emulator,
        "/common/oauth2/v2.0/devicecode",
        &[("client_id", CLIENT), ("scope", SCOPE)],
    )
    .await
    .json();
    let approval = json!({"user_code": device["user_code"], "user": ALICE});
    assert_eq!(control(&emulator, "POST", "device", &approval).await.status, 204);
    assert_eq!(
        control(&emulator, "POST", "device", &approval).await.json()["error"],
        "invalid_grant"
    );
    let poll = [
        ("client_id", CLIENT),
        ("grant_type", DEVICE_GRANT),
        ("device_code", device["device_code"].as_str().expect("text")),
    ];
    assert_eq!(token(&emulator, &poll).await.status, 200);
}

#[tokio::test]
async fn a_web_page_cannot_drive_the_emulator() {
    let emulator = start(|_| {}).await;
    let request = http::Request::get("/_emulator/secrets")
        .header("host", "localhost")
        .header("origin", "https://evil.example");
    assert_eq!(send(&emulator, request.body(String::new()).expect("a request")).await.status, 403);
}

#[tokio::test]
async fn dropping_the_emulator_closes_its_connections() {
    let emulator = start(|_| {}).await;
    let address = emulator.base_url().trim_start_matches("http://").to_owned();
    let mut stream = TcpStream::connect(address).await.expect("the emulator listens");
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .await
        .expect("a live connection");
    let mut first = [0; 12];
    stream.read_exact(&mut first).await.expect("an answer");
    assert_eq!(&first, b"HTTP/1.1 404");
    drop(emulator);
    // Without the drop this would wait for as long as the connection is kept alive.
    let mut rest = Vec::new();
    assert!(stream.read_to_end(&mut rest).await.is_ok());
}
