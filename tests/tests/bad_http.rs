//! Bytes that are wrong below the level of requests: lengths that lie, what is no HTTP, those who dawdle or hang up.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::json;
#[cfg(unix)]
use valetkey_tests::Connection;
use valetkey_tests::{Caller, Machine, World, patiently, post, request};

/// A connection whose sending half can be closed by itself; a pipe's cannot.
#[cfg(unix)]
async fn connect_plainly(machine: &Machine) -> Connection {
    let socket = tokio::net::UnixStream::connect(machine.endpoint().path()).await;
    Connection::over(socket.unwrap())
}

/// Bodies that do not come as they were announced, from clients that then hang up or wait.
#[cfg(unix)]
#[tokio::test]
async fn lengths_that_lie() {
    let machine = Machine::start().await;
    let announced = |length: u64| {
        let headers = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n");
        request("POST", "/v1/apps", &headers, b"{\"client_id\":\"x\"}")
    };
    let mut too_short = connect_plainly(&machine).await;
    too_short.send(&announced(1_000)).await.unwrap();
    too_short.finish_sending().await.unwrap();
    let end = patiently("an answer or the end", too_short.receive()).await;
    assert!(end.as_ref().map_or(true, |answer| answer.refusal().0 == 400), "{end:?}");
    // What is more than announced begins the next request, and is none.
    let mut too_long = machine.connect().await;
    assert_eq!(too_long.ask(&announced(10)).await.refusal(), (400, "bad_request".to_owned()));
    let rest = patiently("the end", too_long.read_to_end()).await.unwrap();
    assert!(!rest.windows(6).any(|six| six == b" 200 O"), "{}", String::from_utf8_lossy(&rest));
    for length in [1 << 30, u64::MAX] {
        let mut enormous = machine.connect().await;
        enormous.send(&announced(length)).await.unwrap();
        drop(enormous);
        assert_eq!(machine.get("/v1/status").await.status, 200);
    }
    let mut enormous = machine.connect().await;
    let refused = enormous.ask(&announced(1 << 30)).await;
    assert_eq!(refused.refusal(), (413, "payload_too_large".to_owned()));
}

/// What is no HTTP/1.1 is refused with this status, or by closing without a word.
#[tokio::test]
async fn what_is_no_http() {
    let machine = Machine::start().await;
    let head = "GET /v1/status HTTP/1.1\r\nHost: valetkey\r\n";
    let many: String = (0..500).map(|number| format!("X-{number}: y\r\n")).collect();
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec(), 400),
        ("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".repeat(20), 400),
        ("zeros", vec![0; 4_096], 400),
        ("a line of garbage", b"\xde\xad\xbe\xef\r\n\r\n".to_vec(), 400),
        ("no version", b"GET /v1/status\r\n\r\n".to_vec(), 400),
        (
            "a version of the future",
            b"GET /v1/status HTTP/9.9\r\nHost: valetkey\r\n\r\n".to_vec(),
            400,
        ),
        ("a header without colon", format!("{head}Nonsense\r\n\r\n").into_bytes(), 400),
        ("a header with a zero", format!("{head}X: a\0b\r\n\r\n").into_bytes(), 400),
        (
            "a length that is no number",
            format!("{head}Content-Length: many\r\n\r\n").into_bytes(),
            400,
        ),
        ("a negative length", format!("{head}Content-Length: -1\r\n\r\n").into_bytes(), 400),
        (
            "two lengths",
            format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\n").into_bytes(),
            400,
        ),
        ("five hundred headers", format!("{head}{many}\r\n").into_bytes(), 431),
        ("a long header", format!("{head}X: {}\r\n\r\n", "y".repeat(1 << 20)).into_bytes(), 431),
        (
            "a long path",
            format!("GET /{} HTTP/1.1\r\nHost: valetkey\r\n\r\n", "y".repeat(1 << 20)).into_bytes(),
            431,
        ),
    ];
    for (name, bytes, status) in cases {
        let mut connection = machine.connect().await;
        // The daemon may close before it has read all.
        let sent = connection.send(&bytes).await;
        let rest = patiently(name, connection.read_to_end()).await;
        let said = rest.unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let expected = format!("HTTP/1.1 {status} ");
        assert!(said.is_empty() || said.starts_with(&expected), "{name} ({sent:?}): {said}");
        assert_eq!(machine.get("/v1/status").await.status, 200, "after {name}");
    }
}

#[tokio::test]
async fn requests_in_one_piece_are_answered_in_their_order() {
    let machine = Machine::start().await;
    let mut connection = machine.connect().await;
    let requests = [
        request("GET", "/v1/status", "", b""),
        post("/v1/apps", &json!({"client_id": "x"})),
        request("GET", "/nowhere", "", b""),
        post("/v1/apps", &json!([])),
        request("GET", "/v1/apps", "", b""),
    ];
    connection.send(&requests.concat()).await.unwrap();
    let mut statuses = Vec::new();
    for _ in &requests {
        statuses.push(patiently("an answer", connection.receive()).await.unwrap().status);
    }
    assert_eq!(statuses, [200, 200, 404, 400, 200]);
}

#[tokio::test]
async fn a_request_may_come_byte_by_byte() {
    let machine = Machine::start().await;
    let mut connection = machine.connect().await;
    for byte in post("/v1/apps", &json!({"client_id": "x"})) {
        connection.send(&[byte]).await.unwrap();
    }
    assert_eq!(patiently("an answer", connection.receive()).await.unwrap().status, 200);
}

/// Who stops sending counts as gone, which a long poll notices in this way alone.
#[cfg(unix)]
#[tokio::test]
async fn who_stops_sending_is_not_waited_for() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    let flow = caller.start_flow(json!({"kind": "device_code"})).await.success();
    let wait = format!("/v1/flows/{}?wait=60", flow["flow"].as_str().unwrap());
    for path in ["/v1/status", &wait] {
        let mut connection = connect_plainly(&world.machine).await;
        connection.send(&request("GET", path, "", b"")).await.unwrap();
        connection.finish_sending().await.unwrap();
        let said = patiently("the end", connection.read_to_end()).await.unwrap();
        assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 200 "), "{path}: {said:?}");
    }
    assert_eq!(world.machine.get("/v1/status").await.status, 200);
}

/// Unfinished heads and bodies hold up neither the others nor the daemon's end.
#[tokio::test]
async fn those_who_dawdle_hold_up_nobody() {
    let mut machine = Machine::start().await;
    let mut dawdlers = Vec::new();
    for unfinished in
        ["", "G", "GET /v1/status HTTP/1.1\r\nHost: valet", "GET /v1/status HTTP/1.1\r\n"]
    {
        for _ in 0..50 {
            let mut connection = machine.connect().await;
            connection.send(unfinished.as_bytes()).await.unwrap();
            dawdlers.push(connection);
        }
    }
    let mut caller = Caller::open(machine.connect().await, &json!({"client_id": "x"})).await;
    assert_eq!(caller.token(json!({})).await.status, 409);
    #[cfg(unix)]
    assert!(machine.stop().await.success());
    #[cfg(not(unix))]
    machine.kill().await;
    for mut dawdler in dawdlers {
        assert_eq!(patiently("the end", dawdler.read_to_end()).await.unwrap_or_default(), b"");
    }
}
