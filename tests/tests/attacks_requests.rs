//! Attacks by what a request says: JSON that is a trap, identifiers that forge, requests that hide another one or are for
//! somebody else. Each is refused by name; what is denied is denied in every form.
#![cfg(target_os = "linux")]

use serde_json::{Value, json};
use tokio::net::UnixStream;
use valetkey_tests::{ALICE, Connection, Machine, World, patiently, post, request};

/// JSON whose reading is a trap: refused by name, on a stack and in memory that stay small.
#[tokio::test]
async fn json_that_is_a_trap_is_refused_and_costs_nothing() {
    let world = World::start().await;
    let caller = world.signed_in(ALICE).await;
    let before = world.machine.vitals();
    let nested =
        |open: &str, close: &str| format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
    let lists = nested("[", "]");
    let objects = format!("{}1", "{\"a\":".repeat(100_000));
    let as_text = Value::from(lists.as_str()).to_string();
    let many = format!("[{}\"x\"]", "\"x\",".repeat(200_000));
    let members: String = (0..60_000).map(|number| format!("\"m{number}\":1,")).collect();
    let twins = "\"client_id\":\"x\",".repeat(50_000);
    let token = format!("/v1/apps/{}/token", caller.app);
    let flows = format!("/v1/apps/{}/flows", caller.app);
    let cases = [
        ("lists in a text's place", "/v1/apps", format!("{{\"client_id\":{lists}}}")),
        ("lists without an end", "/v1/apps", format!("{{\"client_id\":{}", "[".repeat(900_000))),
        (
            "lists in claims",
            "/v1/apps",
            format!("{{\"client_id\":\"x\",\"client_claims\":{{\"a\":{lists}}}}}"),
        ),
        (
            "objects in claims",
            "/v1/apps",
            format!("{{\"client_id\":\"x\",\"client_claims\":{objects}"),
        ),
        (
            "lists in a cache",
            "/v1/cache/import",
            format!("{{\"cache\":{{\"AccessToken\":{lists}}}}}"),
        ),
        (
            "a challenge of lists",
            &token,
            format!("{{\"scopes\":[\"s\"],\"claims_challenge\":{as_text}}}"),
        ),
        ("a great many scopes", &token, format!("{{\"scopes\":{many}}}")),
        (
            "a great many scopes of a flow",
            &flows,
            format!("{{\"kind\":\"device_code\",\"scopes\":{many}}}"),
        ),
        ("a great many members", "/v1/apps", format!("{{{members}\"client_id\":\"x\"}}")),
        ("a member again and again", "/v1/apps", format!("{{{twins}\"kind\":\"public\"}}")),
        (
            "a number of many digits",
            &token,
            format!("{{\"scopes\":[\"s\"],\"min_validity\":{}}}", "9".repeat(500_000)),
        ),
        (
            "a number that is none",
            &token,
            "{\"scopes\":[\"s\"],\"min_validity\":1e999999999}".to_owned(),
        ),
        (
            "a redirect of lists",
            "/v1/flows/x/complete",
            format!("{{\"auth_response\":{{\"code\":{lists}}}}}"),
        ),
    ];
    for (name, path, body) in cases {
        let headers =
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let asked = request("POST", path, &headers, body.as_bytes());
        let answer = world.machine.connect().await.ask(&asked).await;
        let (status, error) = answer.refusal();
        assert_eq!((status, error.as_str()), (400, "bad_request"), "{name}: {}", answer.json());
        assert!(answer.body.len() < 4_096, "{name}: an answer of {} bytes", answer.body.len());
    }
    let after = world.machine.vitals();
    assert!(after.peak_kib - before.peak_kib < 64 * 1024, "{before:?} became {after:?}");
}

/// Control characters, and bytes that are no text, in each identifier of a body and a path.
#[tokio::test]
async fn an_identifier_with_a_control_character_is_refused_and_forges_no_line() {
    let machine = Machine::start().await.with("VALETKEY_LOG", "trace");
    let mut connection = machine.connect().await;
    let app =
        connection.post("/v1/apps", &json!({"client_id": "x"})).await.success()["app"].clone();
    let token = format!("/v1/apps/{}/token", app.as_str().unwrap());
    for bad in ["a\0b", "a\rb", "a\nb", "a\r\nforged: line", "a\u{1b}[2Jb", "a\u{202e}b"] {
        let is_control = bad.chars().any(char::is_control);
        let cases = [
            ("/v1/apps", json!({"client_id": bad})),
            ("/v1/apps", json!({"client_id": "x", "app_name": bad})),
            ("/v1/apps", json!({"client_id": "x", "app_version": bad})),
            ("/v1/apps", json!({"client_id": "x", "client_capabilities": [bad]})),
            ("/v1/apps", json!({"client_id": "x", "exclude_scopes": [bad]})),
            (
                "/v1/apps",
                json!({"client_id": "x", "authority": format!("https://{bad}.example/t")}),
            ),
            (
                "/v1/apps",
                json!({"client_id": "x", "oidc_authority": format!("https://op.example/{bad}")}),
            ),
            ("/v1/apps", json!({"name": bad})),
            (&token, json!({"scopes": [bad]})),
            (&token, json!({"scopes": ["s"], "correlation_id": bad})),
            (&token, json!({"scopes": ["s"], "tenant": bad})),
            (&token, json!({"scopes": ["s"], "account": bad})),
        ];
        for (path, body) in cases {
            let answer = connection.post(path, &body).await;
            assert!(is_control <= (answer.status >= 400), "{body}: {answer:?}");
            assert!(answer.headers.iter().all(|(name, _)| name != "forged"), "{answer:?}");
        }
    }
    for path in ["%00", "%0d%0aforged:%20line", "%0A", "%1b[2J", "%ff", "..%2f..%2fetc", "%"] {
        for (method, path) in [
            ("POST", format!("/v1/apps/{path}/token")),
            ("DELETE", format!("/v1/apps/x/accounts/{path}")),
            ("GET", format!("/v1/flows/{path}")),
            ("PUT", format!("/v1/secrets/{path}")),
        ] {
            let headers = "Content-Type: application/json\r\nContent-Length: 14\r\n";
            let asked = request(method, &path, headers, b"{\"scopes\":[]} ");
            let answer = connection.ask(&asked).await;
            assert!((400..500).contains(&answer.status), "{method} {path}: {answer:?}");
            assert!(answer.headers.iter().all(|(name, _)| name != "forged"), "{answer:?}");
        }
    }
    let logs = machine.logs();
    assert!(!logs.lines().any(|line| line.starts_with("forged")), "{logs}");
    assert!(!logs.contains("\u{1b}[2J"), "{logs}");
}

/// A request behind another one's length, for a reader that counts otherwise than the daemon does.
#[tokio::test]
async fn a_request_that_is_hidden_in_anothers_body_is_never_heard() {
    let machine = Machine::start().await;
    let hidden = String::from_utf8(post("/v1/apps", &json!({"client_id": "smuggled"}))).unwrap();
    let length = hidden.len();
    let json = "POST /v1/apps HTTP/1.1\r\nHost: valetkey\r\nContent-Type: application/json\r\n";
    let cases = [
        (
            "a length and chunks",
            format!(
                "{json}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}",
                length + 5
            ),
        ),
        (
            "chunks and a length",
            format!(
                "{json}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n{length:x}\r\n{hidden}\r\n0\r\n\r\n"
            ),
        ),
        (
            "chunks that are something else last",
            format!("{json}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        ),
        (
            "chunks twice",
            format!(
                "{json}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{hidden}\r\n0\r\n\r\n"
            ),
        ),
        (
            "chunks by a misspelt name",
            format!(
                "{json}Transfer-Encoding : chunked\r\nContent-Length: {length}\r\n\r\n{hidden}"
            ),
        ),
        (
            "chunks of another coding",
            format!(
                "{json}Transfer-Encoding: xchunked\r\nContent-Length: {length}\r\n\r\n{hidden}"
            ),
        ),
        (
            "two lengths",
            format!("{json}Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        ),
        ("a list of lengths", format!("{json}Content-Length: 0, {length}\r\n\r\n{hidden}")),
        ("a length with a sign", format!("{json}Content-Length: +{length}\r\n\r\n{hidden}")),
        ("a folded length", format!("{json}Content-Length:\r\n {length}\r\n\r\n{hidden}")),
        (
            "a chunk whose size overflows",
            format!(
                "{json}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{hidden}\r\n0\r\n\r\n"
            ),
        ),
        (
            "a chunk with a bare line feed",
            format!("{json}Transfer-Encoding: chunked\r\n\r\n{length:x}\n{hidden}\n0\n\n"),
        ),
        (
            "a body of a GET",
            format!(
                "GET /v1/status HTTP/1.1\r\nHost: valetkey\r\nContent-Length: {length}\r\n\r\n{hidden}"
            ),
        ),
    ];
    for (name, bytes) in cases {
        // The socket itself can be closed on one side.
        let socket = UnixStream::connect(machine.endpoint().path()).await.unwrap();
        let mut connection = Connection::over(socket);
        // The daemon may close before it has read all; it is told that no more will come.
        let _ = connection.send(bytes.as_bytes()).await;
        let _ = connection.finish_sending().await;
        let said = patiently(name, connection.read_to_end()).await.unwrap_or_default();
        let apps = machine.get("/v1/apps").await.success();
        let said = String::from_utf8_lossy(&said);
        assert!(!apps.to_string().contains("smuggled"), "{name}: {said}");
    }
}

/// Targets for a proxy, and for another protocol: the daemon is none, and forwards nothing.
#[tokio::test]
async fn a_target_that_is_for_a_proxy_is_refused() {
    let machine = Machine::start().await;
    for line in [
        "CONNECT evil.example:443",
        "CONNECT valetkey",
        "CONNECT valetkey:443",
        "GET http://evil.example/v1/status",
        "GET http://valetkey@evil.example/v1/status",
        "GET http://evil.example@valetkey/v1/status",
        "GET http://valetkey:80/v1/status",
        "GET //evil.example/v1/status",
        "GET valetkey/v1/status",
        "GET v1/status",
        "GET ?/v1/status",
        "OPTIONS *",
        "PRI *",
    ] {
        let asked = format!("{line} HTTP/1.1\r\nHost: valetkey\r\n\r\n");
        let mut connection = machine.connect().await;
        connection.send(asked.as_bytes()).await.unwrap();
        let answer = patiently(line, connection.receive()).await;
        assert!(answer.as_ref().map_or(true, |answer| answer.status >= 400), "{line}: {answer:?}");
        assert_eq!(machine.get("/v1/status").await.status, 200, "after {line}");
    }
}

/// What authorises a request must see what the handler sees, however its body came (CVE-2024-41110).
#[tokio::test]
async fn what_is_denied_is_denied_however_its_body_comes() {
    let mut machine = Machine::new();
    machine.write("config/valetkey/config.toml", "[policy]\nauthorities = [\"login.example\"]\n");
    machine.launch().await;
    let denied = json!({"client_id": "x", "authority": "https://evil.example/t"}).to_string();
    let padded = |length: usize| format!("{denied}{}", " ".repeat(length - denied.len()));
    let json = "Content-Type: application/json\r\n";
    let whole = |body: &str, length: usize| {
        let headers = format!("{json}Content-Length: {length}\r\n");
        request("POST", "/v1/apps", &headers, body.as_bytes())
    };
    let bytewise: String =
        denied.bytes().map(|byte| format!("1\r\n{}\r\n", char::from(byte))).collect();
    let chunked = format!("{json}Transfer-Encoding: chunked\r\n");
    let in_bytes = request("POST", "/v1/apps", &chunked, format!("{bytewise}0\r\n\r\n").as_bytes());
    let expected = "Expect: 100-continue\r\n";
    let headers = format!("{json}{expected}Content-Length: {}\r\n", denied.len());
    let cases = [
        ("at once", whole(&denied, denied.len()), 403),
        ("byte by byte", in_bytes, 403),
        ("as much as is read", whole(&padded(1 << 20), 1 << 20), 403),
        ("one byte more", whole(&padded((1 << 20) + 1), (1 << 20) + 1), 413),
        ("with a length of nothing", whole(&denied, 0), 400),
        ("announced", request("POST", "/v1/apps", &headers, denied.as_bytes()), 403),
    ];
    for (name, bytes, status) in cases {
        let mut connection = machine.connect().await;
        connection.send(&bytes).await.unwrap();
        let mut answer = patiently(name, connection.receive()).await.unwrap();
        if answer.status == 100 {
            answer = patiently(name, connection.receive()).await.unwrap();
        }
        assert_eq!(answer.status, status, "{name}: {}", answer.json());
        let apps = machine.get("/v1/apps").await.success();
        assert!(!apps.to_string().contains("evil"), "{name}: {apps}");
    }
}
