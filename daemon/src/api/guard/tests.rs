//! Which requests never reach a handler.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::routing::{get, post};
use hyper::body::Frame;
use serde::Deserialize;
use serde_json::Value;

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    scopes: Vec<String>,
}

fn router() -> Router {
    Router::new()
        .route("/get", get(|| async { "got" }))
        .route("/post", post(|Json(order): Json<Order>| async move { order.scopes.join(" ") }))
        .route("/bare", post(|| async { "done" }))
}

/// Sends one request; `head` is its first line and headers as they go over the wire.
async fn send(head: &str, body: impl Into<Body>) -> (u16, String) {
    let mut lines = head.lines();
    let (method, target) = lines.next().unwrap().split_once(' ').unwrap();
    let mut request = Request::builder().method(method).uri(target);
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    let response = answer(&mut router(), request.body(body.into()).unwrap()).await;
    assert_eq!(response.headers()[VERSION_HEADER], VERSION);
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Expects a refusal with this code, whose description has `part`.
async fn check_refused(head: &str, body: impl Into<Body>, code: ErrorCode, part: &str) {
    let (status, text) = send(head, body).await;
    let error: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, error["error"].as_str()), (code.status(), Some(code.as_str())), "{head}");
    let description = error["error_description"].as_str().unwrap();
    assert!(description.contains(part), "{head}: {description}");
    assert_eq!(error["correlation_id"].as_str().map(str::len), Some(36));
}

const POST: &str = "POST /post\nHost: valetkey\nContent-Type: application/json";

#[tokio::test]
async fn our_own_clients_and_curl_are_answered() {
    for host in ["valetkey", "localhost", "LOCALHOST"] {
        let answer = send(&format!("GET /get\nHost: {host}\nUser-Agent: curl/8"), "").await;
        assert_eq!(answer, (200, "got".to_owned()));
    }
    assert_eq!(send(POST, r#"{"scopes": ["a", "b"]}"#).await, (200, "a b".to_owned()));
    let with_charset = POST.replace("json", "JSON; charset=utf-8");
    assert_eq!(send(&with_charset, r#"{"scopes": []}"#).await.0, 200);
    assert_eq!(send("POST /bare\nHost: valetkey", "").await, (200, "done".to_owned()));
}

#[tokio::test]
async fn browsers_are_refused_by_each_of_their_headers() {
    for header in [
        "Origin: null",
        "Referer: https://x",
        "Sec-Fetch-Site: same-origin",
        "Sec-Fetch-Mode: cors",
    ] {
        let head = format!("GET /get\nHost: valetkey\n{header}");
        check_refused(&head, "", ErrorCode::BrowserRefused, "only browsers send").await;
    }
}

#[tokio::test]
async fn a_foreign_or_missing_host_is_refused() {
    for head in [
        "GET /get",
        "GET /get\nHost: evil.example",
        "GET /get\nHost: localhost:80",
        "GET /get\nHost: localhost\nHost: evil.example",
        "GET /get\nHost: ",
        "GET http://evil.example/get\nHost: localhost",
    ] {
        check_refused(head, "", ErrorCode::BrowserRefused, "`Host` must be").await;
    }
}

#[tokio::test]
async fn a_body_in_a_coding_that_is_not_undone_is_refused() {
    for coding in ["gzip, chunked", "gzip", "xchunked", "chunked, chunked", "identity", ""] {
        let head = format!("{POST}\nTransfer-Encoding: {coding}");
        check_refused(&head, r#"{"scopes": []}"#, ErrorCode::BadRequest, "`chunked` alone").await;
    }
    let chunked = format!("{POST}\nTransfer-Encoding: Chunked");
    assert_eq!(send(&chunked, r#"{"scopes": []}"#).await.0, 200);
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read_whole() {
    let large = vec![b' '; MAX_BODY_BYTES + 1];
    check_refused(POST, large.clone(), ErrorCode::PayloadTooLarge, "1048576").await;
    // Without an announced length it is counted while it comes.
    let pieces = large.chunks(4096).map(Bytes::copy_from_slice).collect();
    check_refused(POST, Body::new(Chunks(pieces)), ErrorCode::PayloadTooLarge, "1048576").await;
}

/// A dawdler's connection is not kept for ever.
#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for_long() {
    let before = tokio::time::Instant::now();
    let some = VecDeque::from([Bytes::from_static(b"{\"scopes\": [")]);
    let body = Body::new(Endless(Chunks(some)));
    check_refused(POST, body, ErrorCode::BadRequest, "in time").await;
    assert!(before.elapsed() < BODY_PATIENCE * 2);
}

/// A body whose end never comes.
struct Endless(Chunks);

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match Pin::new(&mut self.0).poll_frame(cx) {
            Poll::Ready(None) => Poll::Pending,
            frame => frame,
        }
    }
}

/// A body in pieces, as chunked transfer brings it.
struct Chunks(VecDeque<Bytes>);

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

#[tokio::test]
async fn what_is_not_declared_as_json_is_refused() {
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json5", ""]
    {
        let head = format!("POST /post\nHost: valetkey\nContent-Type: {content_type}");
        check_refused(&head, "{}", ErrorCode::UnsupportedMediaType, "application/json").await;
    }
    check_refused("POST /post\nHost: valetkey", "{}", ErrorCode::UnsupportedMediaType, "JSON")
        .await;
}

#[tokio::test]
async fn malformed_json_is_answered_with_member_and_position() {
    for (body, part) in [
        (r#"{"scopes": [1]}"#, "scopes[0]: invalid type"),
        (r#"{"scopes": [], "scope": 1}"#, "unknown field `scope`"),
        ("{}", "missing field `scopes`"),
        ("", "missing field `scopes`"),
        (" ", "EOF while parsing"),
        (r#"{"scopes": []"#, "line 1 column 13"),
        (r#"{"scopes": []} x"#, "trailing characters at line 1 column 16"),
        ("7", "invalid type: integer `7`"),
    ] {
        let (_, text) = send(POST, body).await;
        let error: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(error["error"], "bad_request", "{body}");
        let description = error["error_description"].as_str().unwrap();
        assert!(description.contains(part), "{body}: {description}");
    }
}
