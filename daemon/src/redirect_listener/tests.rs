//! Who the loopback listener answers, and with which page.

use std::collections::BTreeMap;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use valetkey_engine::ports::Page;

use super::*;

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other platforms have no such number")]
fn own_uid() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(not(unix))]
fn own_uid() -> Option<u32> {
    None
}

/// Sends one request as a browser would; `{port}` stands for the port. Answers what came back.
async fn send(address: &str, port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect((address, port)).await.unwrap();
    let request = request.replace("{port}", &port.to_string()).replace('\n', "\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Sends a redirect and plays the flow that answers it; gives what the flow saw and what the browser saw.
async fn redirect(
    listening: &mut Listening,
    address: &str,
    request: &str,
    page: Page,
) -> (BTreeMap<String, String>, String) {
    let port = listening.port;
    let flow = async {
        let redirect = listening.redirects.recv().await.unwrap();
        redirect.page.send(page).unwrap();
        redirect.parameters
    };
    tokio::join!(flow, send(address, port, request))
}

fn form(body: &str) -> String {
    format!(
        "POST / HTTP/1.1\nHost: localhost:{{port}}\nOrigin: https://login.example.com\n\
         Content-Type: application/x-www-form-urlencoded\nContent-Length: {}\n\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn a_redirect_by_query_reaches_the_flow_and_the_person_sees_its_page() {
    let mut listening = listen(0, own_uid()).await.unwrap();
    let request = "GET /?code=a%2Bb&state=s HTTP/1.1\nHost: 127.0.0.1:{port}\n\n";
    let (seen, answer) = redirect(&mut listening, "127.0.0.1", request, Page::SignedIn).await;
    assert_eq!(
        seen,
        BTreeMap::from(
            [("code", "a+b"), ("state", "s")].map(|(n, v)| (n.to_owned(), v.to_owned()))
        )
    );
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    for part in [
        "You are signed in",
        "content-security-policy: default-src 'none'",
        "referrer-policy: no-referrer",
        "cache-control: no-store",
    ] {
        assert!(answer.contains(part), "{part} is missing: {answer}");
    }
    for part in ["a+b", "a%2Bb", "<script", "http://", "https://"] {
        assert!(!answer.contains(part), "{part} is in: {answer}");
    }
}

#[tokio::test]
async fn a_redirect_by_form_post_over_ipv6_reaches_the_flow() {
    let mut listening = listen(0, own_uid()).await.unwrap();
    if TcpStream::connect(("::1", listening.port)).await.is_err() {
        return; // A machine without IPv6 has nothing to show here.
    }
    let request =
        form("error=access_denied&error_description=no+thanks").replace("localhost", "[::1]");
    let page = Page::Refused("<b>no thanks</b>".to_owned());
    let (seen, answer) = redirect(&mut listening, "::1", &request, page).await;
    assert_eq!(seen["error_description"], "no thanks");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(answer.contains("&lt;b&gt;no thanks&lt;/b&gt;"), "{answer}");
}

/// 127.0.0.2 is this machine as well, and a listener on all of its addresses would answer there.
#[tokio::test]
async fn no_other_address_of_this_machine_is_listened_on() {
    let listening = listen(0, own_uid()).await.unwrap();
    assert!(TcpStream::connect(("127.0.0.1", listening.port)).await.is_ok());
    assert!(TcpStream::connect(("127.0.0.2", listening.port)).await.is_err());
}

#[tokio::test]
async fn what_is_no_redirect_never_reaches_the_flow() {
    let mut listening = listen(0, own_uid()).await.unwrap();
    let too_long = form(&format!("code={}", "x".repeat(64 * 1024)));
    let wrong_type = form("code=c").replace("x-www-form-urlencoded", "json");
    for (request, status) in [
        ("GET /?code=c HTTP/1.1\nHost: evil.example:{port}\n\n", 421),
        ("GET /?code=c HTTP/1.1\nHost: localhost\n\n", 421),
        ("GET /?code=c HTTP/1.1\n\n", 421),
        ("GET /favicon.ico HTTP/1.1\nHost: localhost:{port}\n\n", 404),
        ("GET / HTTP/1.1\nHost: localhost:{port}\n\n", 404),
        ("GET /?state=s HTTP/1.1\nHost: localhost:{port}\n\n", 404),
        ("GET /?code=a&code=b HTTP/1.1\nHost: localhost:{port}\n\n", 400),
        ("PUT /?code=c HTTP/1.1\nHost: localhost:{port}\n\n", 405),
        (&too_long, 413),
        (&wrong_type, 415),
    ] {
        let answer = send("127.0.0.1", listening.port, request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request:.60}: {answer}");
    }
    assert!(listening.redirects.try_recv().is_err());
}

#[tokio::test]
async fn a_redirect_that_no_flow_wants_is_told_that_it_is_over() {
    let mut listening = listen(0, own_uid()).await.unwrap();
    let port = listening.port;
    let flow = async { drop(listening.redirects.recv().await) };
    let request = "GET /?code=c HTTP/1.1\nHost: localhost:{port}\n\n";
    let ((), answer) = tokio::join!(flow, send("127.0.0.1", port, request));
    assert!(answer.contains("This sign-in is over"), "{answer}");
}

#[tokio::test]
async fn the_port_is_closed_when_the_flow_is_over_and_the_last_page_still_arrives() {
    let mut listening = listen(0, own_uid()).await.unwrap();
    let port = listening.port;
    let flow = async move {
        let redirect = listening.redirects.recv().await.unwrap();
        drop(listening);
        redirect.page.send(Page::SignedIn).unwrap();
    };
    let request = "GET /?code=c HTTP/1.1\nHost: localhost:{port}\n\n";
    let ((), answer) = tokio::join!(flow, send("127.0.0.1", port, request));
    assert!(answer.contains("You are signed in"), "{answer}");
    // The accepting task hears of it in its turn.
    while TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
        tokio::task::yield_now().await;
    }
    assert_eq!(listen(port, own_uid()).await.unwrap().port, port);
}

#[tokio::test]
async fn a_port_that_somebody_has_is_refused_by_its_number() {
    let taken = listen(0, own_uid()).await.unwrap();
    let error = listen(taken.port, own_uid()).await.err().unwrap();
    assert_eq!(error.port, taken.port);
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_dawdles_is_let_go() {
    let listening = listen(0, own_uid()).await.unwrap();
    for said in ["", "GET /?code="] {
        let connected = tokio::time::Instant::now();
        let mut stream = TcpStream::connect(("127.0.0.1", listening.port)).await.unwrap();
        stream.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // Time moves on by itself when everybody waits. The connection ends, with or without a last word.
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"));
        assert!(
            connected.elapsed() < Duration::from_secs(3),
            "{said:?}: {:?}",
            connected.elapsed()
        );
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_users_connection_is_closed_as_it_comes() {
    // To the listener of somebody else we are that other user.
    let mut listening = listen(0, own_uid().map(|own| own + 1)).await.unwrap();
    for address in ["127.0.0.1", "::1"] {
        let Ok(mut stream) = TcpStream::connect((address, listening.port)).await else { continue };
        // Sending may meet the reset already.
        let _ = stream.write_all(b"GET /?code=c HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    }
    assert!(listening.redirects.try_recv().is_err());
}

#[tokio::test]
async fn idle_connections_without_number_do_not_keep_the_browser_out() {
    let mut listening = listen(0, own_uid()).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..2 * MOST_WAITING {
        let mut stream = TcpStream::connect(("127.0.0.1", listening.port)).await.unwrap();
        // The first of them may be gone already.
        let _ = stream.write_all(b"GET /?code=").await;
        idle.push(stream);
    }
    let request = "GET /?code=c HTTP/1.1\nHost: localhost:{port}\n\n";
    let (seen, answer) = redirect(&mut listening, "127.0.0.1", request, Page::SignedIn).await;
    assert_eq!(seen["code"], "c");
    assert!(answer.contains("You are signed in"), "{answer}");
}
