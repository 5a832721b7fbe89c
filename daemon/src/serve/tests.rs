//! The loop: limits, idle connections, an orderly end.

use std::time::Duration;

use axum::Extension;
use axum::routing::{get, post};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Notify;
use valetkey_ipc::Endpoint;
use valetkey_proto::v1::paths::MAX_BODY_BYTES;

use super::*;
use crate::api::guard::Json;
use crate::shutdown::Shutdown;

/// A server with an endpoint of its own, stopped when the test says so.
struct Server {
    endpoint: Endpoint,
    shutdown: Shutdown,
    task: tokio::task::JoinHandle<()>,
    /// Lets `GET /slow` answer.
    release: Arc<Notify>,
    /// Tells that `GET /slow` has begun.
    begun: Arc<Notify>,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let endpoint = Endpoint::at(match cfg!(windows) {
            true => std::path::PathBuf::from(format!(
                r"\\.\pipe\{}",
                folder.path().file_name().unwrap().display()
            )),
            false => folder.path().join("broker.sock"),
        });
        let (begun, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (tell, wait) = (Arc::clone(&begun), Arc::clone(&release));
        let who = |Extension(session): Extension<Arc<Session>>| async move {
            session.caller().process.map_or(0, |process| process.number).to_string()
        };
        let slow = || async move {
            tell.notify_one();
            wait.notified().await;
            "slow"
        };
        let echo = post(|Json(sent): Json<Value>| async move { sent.to_string() });
        let router =
            Router::new().route("/who", get(who)).route("/slow", get(slow)).route("/echo", echo);
        let listener = Listener::bind(&endpoint).unwrap();
        let (shutdown, signal) = Shutdown::new();
        let task =
            tokio::spawn(async move { serve(&listener, router, None, signal, limits).await });
        Self { endpoint, shutdown, task, release, begun, _folder: folder }
    }

    async fn connect(&self) -> Stream {
        valetkey_ipc::connect(&self.endpoint).await.unwrap()
    }
}

async fn send(stream: &mut Stream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: valetkey\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// What arrives until `end` does, or the connection is closed.
async fn receive(stream: &mut Stream, end: &str) -> String {
    let mut received = Vec::new();
    while !received.ends_with(end.as_bytes()) {
        let mut piece = [0; 512];
        match stream.read(&mut piece).await {
            Ok(0) | Err(_) => break,
            Ok(length) => received.extend_from_slice(&piece[..length]),
        }
    }
    String::from_utf8(received).unwrap()
}

/// Of a clock that is paused, and moves on by itself when everybody waits.
async fn pass(time: Duration) {
    // sleep: no time passes.
    tokio::time::sleep(time).await;
}

#[tokio::test]
async fn a_kept_connection_answers_again_and_again_and_knows_its_caller() {
    let server = Server::start(Limits::default());
    let mut stream = server.connect().await;
    let own = std::process::id().to_string();
    for _ in 0..3 {
        send(&mut stream, "/who").await;
        let answer = receive(&mut stream, &own).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with(&own), "{answer}");
    }
}

#[tokio::test]
async fn stopping_lets_a_request_in_flight_finish_and_closes_idle_connections() {
    let server = Server::start(Limits::default());
    let (mut busy, mut idle) = (server.connect().await, server.connect().await);
    send(&mut idle, "/who").await;
    receive(&mut idle, &std::process::id().to_string()).await;
    send(&mut busy, "/slow").await;
    server.begun.notified().await;

    server.shutdown.request();
    assert_eq!(receive(&mut idle, "never").await, "");
    server.release.notify_one();
    assert!(receive(&mut busy, "slow").await.ends_with("slow"));
    server.task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_request_that_does_not_finish_is_cut_off_after_the_grace_period() {
    let limits = Limits { grace: Duration::from_secs(1), ..Limits::default() };
    let server = Server::start(limits);
    let mut stream = server.connect().await;
    send(&mut stream, "/slow").await;
    server.begun.notified().await;
    server.shutdown.request();
    server.task.await.unwrap();
    assert_eq!(receive(&mut stream, "never").await, "");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_brings_no_request_is_closed() {
    let server = Server::start(Limits::default());
    for half in ["", "GET /who HTTP/1.1\r\nHost: val"] {
        let mut stream = server.connect().await;
        stream.write_all(half.as_bytes()).await.unwrap();
        // Time moves on by itself when everybody waits.
        assert_eq!(receive(&mut stream, "never").await, "");
    }
}

#[tokio::test]
async fn a_user_cannot_open_more_connections_than_allowed() {
    let server = Server::start(Limits { connections_per_user: 1, ..Limits::default() });
    let own = std::process::id().to_string();
    let mut first = server.connect().await;
    send(&mut first, "/who").await;
    assert!(receive(&mut first, &own).await.ends_with(&own));

    let mut second = server.connect().await;
    send(&mut second, "/who").await;
    let answer = receive(&mut second, "never").await;
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    for part in
        ["\r\nconnection: close\r\n", "\"too_many_requests\"", "this user has 1 open", "\"hint\""]
    {
        assert!(answer.contains(part), "{part}: {answer}");
    }

    send(&mut first, "/who").await;
    assert!(receive(&mut first, &own).await.ends_with(&own));
}

/// Those who do not even ask are not told, nor kept; and those who are not told are closed at once.
#[tokio::test(start_paused = true)]
async fn a_crowd_of_those_who_are_too_many_costs_a_few_places_for_a_moment() {
    let server = Server::start(Limits { connections_per_user: 1, ..Limits::default() });
    let own = std::process::id().to_string();
    let mut first = server.connect().await;
    send(&mut first, "/who").await;
    receive(&mut first, &own).await;

    let start = Instant::now();
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(server.connect().await);
    }
    let mut one_more = server.connect().await;
    assert_eq!(receive(&mut one_more, "never").await, "");
    assert_eq!(start.elapsed(), Duration::ZERO, "there is no place to be told left");
    for mut stream in silent {
        assert_eq!(receive(&mut stream, "never").await, "");
    }
    assert!(start.elapsed() <= 2 * REFUSAL_PATIENCE);

    let mut second = server.connect().await;
    send(&mut second, "/who").await;
    assert!(receive(&mut second, "never").await.starts_with("HTTP/1.1 429 "));
    send(&mut first, "/who").await;
    assert!(receive(&mut first, &own).await.ends_with(&own));
}

#[tokio::test(start_paused = true)]
async fn a_head_that_has_begun_has_less_time_than_a_connection_that_is_kept() {
    let server = Server::start(Limits::default());
    let own = std::process::id().to_string();
    let mut stream = server.connect().await;
    let mut lasts = async |begun: &str| {
        stream.write_all(begun.as_bytes()).await.unwrap();
        pass(2 * prompt_heads::PATIENCE).await;
        stream
            .write_all(&b"GET /who HTTP/1.1\r\nHost: valetkey\r\n\r\n"[begun.len()..])
            .await
            .is_ok()
            && receive(&mut stream, &own).await.ends_with(&own)
    };
    assert!(lasts("").await, "idle from the beginning");
    assert!(lasts("").await, "idle after an answer");
    assert!(!lasts("GET /who HTTP/1.1\r\nHost: val").await);
}

#[tokio::test(start_paused = true)]
async fn a_body_or_an_answer_may_take_longer_than_a_head() {
    let server = Server::start(Limits::default());
    let mut stream = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nHost: valetkey\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    pass(Duration::from_secs(6)).await;
    stream.write_all(b"tr").await.unwrap();
    pass(Duration::from_secs(3)).await;
    stream.write_all(b"ue").await.unwrap();
    assert!(receive(&mut stream, "true").await.ends_with("true"));
    // What was read of the body is no head that has begun.
    pass(2 * prompt_heads::PATIENCE).await;
    send(&mut stream, "/slow").await;
    server.begun.notified().await;
    pass(2 * prompt_heads::PATIENCE).await;
    server.release.notify_one();
    assert!(receive(&mut stream, "slow").await.ends_with("slow"));
}

#[tokio::test]
async fn an_endless_head_is_refused() {
    let server = Server::start(Limits::default());
    let mut stream = server.connect().await;
    let head = format!("GET /who HTTP/1.1\r\nHost: valetkey\r\nX: {}", "x".repeat(HEAD_LIMIT));
    // The server may close before all of it is sent.
    let _ = stream.write_all(head.as_bytes()).await;
    assert!(receive(&mut stream, "never").await.starts_with("HTTP/1.1 431"));
}

/// Nothing of what is announced is sent, or a little more than is allowed and then nothing.
#[tokio::test(start_paused = true)]
async fn a_body_beyond_the_limit_is_refused_before_it_has_come() {
    let server = Server::start(Limits::default());
    let head = "POST /echo HTTP/1.1\r\nHost: valetkey\r\nContent-Type: application/json\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", MAX_BODY_BYTES + 1, "x".repeat(MAX_BODY_BYTES + 1));
    for rest in [
        "Content-Length: 1073741824\r\n\r\n".to_owned(),
        "Content-Length: 1073741824\r\n\r\n{".to_owned(),
        format!("Transfer-Encoding: chunked\r\n\r\n{chunk}"),
    ] {
        let mut stream = server.connect().await;
        let start = tokio::time::Instant::now();
        stream.write_all(format!("{head}{rest}").as_bytes()).await.unwrap();
        let answer = receive(&mut stream, "}").await;
        // The clock stands still while anybody can go on, so no wait of any length goes unseen.
        assert_eq!(start.elapsed(), Duration::ZERO, "{answer}");
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("1048576"), "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
        assert_eq!(receive(&mut stream, "never").await, "");
    }
}

#[test]
fn a_users_connections_leave_descriptors_for_providers_and_the_disk() {
    let allowed = |descriptors| Limits::within(descriptors).connections_per_user;
    for (descriptors, expected) in
        [(None, 4096), (Some(1 << 20), 4096), (Some(1024), 480), (Some(256), 96), (Some(10), 1)]
    {
        assert_eq!(allowed(descriptors), expected, "{descriptors:?}");
    }
}

#[test]
fn a_flood_of_refused_connections_is_told_of_once_a_minute_with_its_size() {
    let start = Instant::now();
    let mut refusals = Refusals::default();
    let mut told = Vec::new();
    for seconds in [0, 0, 1, 59, 60, 61, 200] {
        told.push(refusals.count(start + Duration::from_secs(seconds)));
    }
    assert_eq!(told, [Some(1), None, None, None, Some(4), None, Some(2)]);
}
