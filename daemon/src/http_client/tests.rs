//! The client against servers on loopback: time-outs, TLS, proxies, size.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::time::Duration;

use http::Method;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;
use valetkey_engine::{Proxied, Proxy};
use valetkey_model::Secret;
use zeroize::Zeroizing;

use super::*;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Seen: yes\r\n\r\n{}";

fn client() -> ReqwestClient {
    ReqwestClient::new(&NetworkConfig::default(), &|_| None)
}

fn get(url: &str) -> HttpRequest {
    HttpRequest::get(Url::parse(url).unwrap())
}

/// Reads a request's head and as much of its body as has come with it, answers, and gives what was read.
async fn answer_one(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: &[u8]) -> String {
    let mut seen = vec![0; 16 * 1024];
    let length = stream.read(&mut seen).await.unwrap();
    // The client may have turned away already.
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
    String::from_utf8_lossy(&seen[..length]).into_owned()
}

/// Sends one request to a provider that answers with these bytes.
async fn exchange(
    mut request: HttpRequest,
    answer: &[u8],
) -> (Result<HttpResponse, TransportError>, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    request.url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let provider = async { answer_one(listener.accept().await.unwrap().0, answer).await };
    let client = client();
    tokio::join!(HttpClient::send(&client, request, None), provider)
}

#[tokio::test]
async fn a_form_is_posted_and_the_answer_comes_back_whole() {
    let mut request = get("http://127.0.0.1/token?dc=1");
    request.method = Method::POST;
    request.headers.insert("x-client-sku", HeaderValue::from_static("valetkey"));
    request.body = Body::Form(vec![
        ("grant_type".into(), Zeroizing::new("refresh_token".to_owned())),
        ("refresh_token".into(), Zeroizing::new("r&t".to_owned())),
    ]);
    let (response, seen) = exchange(request, OK.as_bytes()).await;
    let response = response.unwrap();
    assert_eq!((response.status, &response.body[..]), (200, &b"{}"[..]));
    assert_eq!(response.headers["x-seen"], "yes");
    assert!(seen.starts_with("POST /token?dc=1 HTTP/1.1\r\n"), "{seen}");
    for part in [
        "content-type: application/x-www-form-urlencoded\r\n",
        "x-client-sku: valetkey\r\n",
        "\r\n\r\ngrant_type=refresh_token&refresh_token=r%26t",
    ] {
        assert!(seen.contains(part), "{part} is missing: {seen}");
    }
}

#[tokio::test]
async fn text_is_posted_as_it_is() {
    let mut request = get("http://127.0.0.1/trust");
    request.method = Method::POST;
    request.body = Body::Text {
        content_type: "application/soap+xml; charset=utf-8",
        text: Zeroizing::new("<a>&amp;ü</a>".to_owned()),
        user: "ann".to_owned(),
    };
    let (response, seen) = exchange(request, OK.as_bytes()).await;
    assert_eq!(response.unwrap().status, 200);
    assert!(seen.contains("content-type: application/soap+xml; charset=utf-8\r\n"), "{seen}");
    assert!(seen.ends_with("\r\n\r\n<a>&amp;ü</a>"), "{seen}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let answer = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n";
    let (response, _) = exchange(get("http://127.0.0.1/token"), answer).await;
    assert_eq!(response.unwrap().status, 307);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_refused_announced_or_not() {
    let announced = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec();
    let mut unannounced = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    unannounced.resize(BODY_LIMIT + 1000, b' ');
    for answer in [announced, unannounced] {
        let (response, _) = exchange(get("http://127.0.0.1/keys"), &answer).await;
        assert!(matches!(response, Err(TransportError::TooLarge { .. })), "{response:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_apart_from_one_that_never_began() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
    let (response, _) = exchange(get("http://127.0.0.1/token"), answer).await;
    assert!(matches!(response, Err(TransportError::Interrupted { .. })), "{response:?}");
}

/// Expects no connection, for a reason that has `part`, and nothing of the query in the words.
async fn check_not_connected(client: &ReqwestClient, url: &str, part: &str) {
    let error = HttpClient::send(client, get(url), None).await.err().unwrap();
    let text = error.to_string();
    assert!(matches!(error, TransportError::Connect { .. }), "{text}");
    assert!(text.contains(part) && !text.contains("hunter2"), "{text}");
}

#[tokio::test]
async fn the_step_that_failed_is_named_without_the_query() {
    // Bound and let go again, so that nobody listens there.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let refused = format!("http://127.0.0.1:{port}/?secret=hunter2");
    check_not_connected(&client(), &refused, "connection refused").await;
    // RFC 6761 section 6.4: `.invalid` never resolves.
    let unknown = "https://provider.invalid/?secret=hunter2";
    check_not_connected(&client(), unknown, "the name cannot be resolved").await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let network = NetworkConfig { connect_timeout: 1, timeout: 2 };
    let client = ReqwestClient::new(&network, &|_| None);
    let provider = async { listener.accept().await.unwrap() };
    // Time moves on by itself when everybody waits.
    let (response, _open) = tokio::join!(HttpClient::send(&client, get(&url), None), provider);
    assert!(matches!(response, Err(TransportError::TimedOut { seconds: 2, .. })), "{response:?}");
}

#[tokio::test]
async fn no_connection_from_before_a_sleep_is_used() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
    let client = client();
    let (awake, hour) = (Moment::now(), Duration::from_secs(3600));
    let mut connections = 0;
    let provider = async {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            connections += 1;
            tokio::spawn(async move {
                let mut seen = vec![0; 16 * 1024];
                while stream.read(&mut seen).await.is_ok_and(|length| length > 0) {
                    stream.write_all(OK.as_bytes()).await.unwrap();
                }
            });
        }
    };
    let requests = async {
        for moment in [awake, awake, awake.after_a_sleep(hour)] {
            let of_the_moment = client.usual.client_for(&url, &client.roots, moment).unwrap();
            let response = of_the_moment.get(url.clone()).send().await.unwrap();
            assert_eq!(response.text().await.unwrap(), "{}");
        }
    };
    tokio::select! {
        () = provider => {}
        () = requests => {}
    }
    assert_eq!(connections, 2);
}

/// A provider with a certificate of its own making: where it is, and the certificate as PEM.
async fn tls_provider() -> (String, String) {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(
        rustls::crypto::ring::default_provider(),
    ))
    .with_safe_default_protocol_versions()
    .unwrap()
    .with_no_client_auth()
    .with_single_cert(vec![cert.der().clone()], key)
    .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that does not trust us hangs up here.
            if let Ok(stream) = acceptor.accept(stream).await {
                answer_one(stream, OK.as_bytes()).await;
            }
        }
    });
    (url, cert.pem())
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_refused_with_the_way_out() {
    let (url, _) = tls_provider().await;
    check_not_connected(&client(), &url, "the certificate is not trusted").await;
    check_not_connected(&client(), &url, "SSL_CERT_FILE").await;
}

#[tokio::test]
async fn certificates_of_the_environment_are_added_to_the_systems() {
    let (url, pem) = tls_provider().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    #[expect(clippy::disallowed_methods, reason = "a test's file, which holds nothing")]
    std::fs::write(&file, pem).unwrap();
    for (name, value) in [("SSL_CERT_FILE", file.as_path()), ("SSL_CERT_DIR", folder.path())] {
        let lookup = |asked: &str| (asked == name).then(|| OsString::from(value));
        let client = ReqwestClient::new(&NetworkConfig::default(), &lookup);
        let response = HttpClient::send(&client, get(&url), None).await;
        assert_eq!(response.unwrap().status, 200, "{name}");
        let roots = Roots::named_by(&lookup).read_certificates().unwrap().len();
        let has_bundle = std::path::Path::new("/etc/ssl/certs/ca-certificates.crt").exists();
        assert!(roots == 1 || (has_bundle && roots > 1), "{name}: {roots}");
    }
}

fn trusting(pem: &str) -> Arc<Route> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().to_vec();
    Arc::new(Route::new(None, BTreeMap::new(), BTreeSet::from([certificate])))
}

#[tokio::test]
async fn certificates_of_a_route_are_trusted_on_it_alone() {
    let [(url, pem), (other_url, other_pem)] = [tls_provider().await, tls_provider().await];
    let (client, route, other) = (client(), trusting(&pem), trusting(&other_pem));
    for _ in 0..2 {
        assert_eq!(HttpClient::send(&client, get(&url), Some(&route)).await.unwrap().status, 200);
        for (url, route) in
            [(&url, None), (&url, Some(&other)), (&other_url, None), (&other_url, Some(&route))]
        {
            let error = HttpClient::send(&client, get(url), route).await.err().unwrap();
            assert!(error.to_string().contains("the certificate is not trusted"), "{error}");
        }
    }
}

#[tokio::test]
async fn the_routes_that_were_taken_last_keep_their_clients() {
    let routed = Routed::default();
    let limits = client().limits;
    let take = |number: usize| {
        let certificates = BTreeSet::from([number.to_string().into_bytes()]);
        routed.clients_of(&Arc::new(Route::new(None, BTreeMap::new(), certificates)), limits)
    };
    let first: Vec<_> = (0..16).map(take).collect();
    let is_kept = |number: usize| Arc::ptr_eq(&first[number], &take(number));
    assert!(is_kept(0));
    take(16);
    assert!(is_kept(0), "it was taken again since");
    assert!(!is_kept(1), "it was taken longest ago");
}

#[tokio::test]
async fn a_route_goes_through_its_own_proxy_and_says_so_when_that_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxy = |password: &str| Proxy {
        url: Secret::new(format!("http://ann:{password}@{address}/")),
        site: address.to_string(),
    };
    let by = |proxied| {
        let proxies = BTreeMap::from([(proxied, proxy("hunter2"))]);
        Arc::new(Route::new(None, proxies, BTreeSet::new()))
    };
    let client = client();
    for (proxied, url) in
        [(Proxied::Http, "http://op.invalid/keys"), (Proxied::All, "http://op.invalid/keys")]
    {
        let route = by(proxied);
        let server = async { answer_one(listener.accept().await.unwrap().0, OK.as_bytes()).await };
        let (response, seen) =
            tokio::join!(HttpClient::send(&client, get(url), Some(&route)), server);
        assert_eq!(response.unwrap().status, 200);
        assert!(seen.starts_with("GET http://op.invalid/keys HTTP/1.1\r\n"), "{seen}");
        assert!(seen.contains("proxy-authorization: Basic YW5uOmh1bnRlcjI=\r\n"), "{seen}");
    }
    drop(listener);
    let route = by(Proxied::Https);
    let error = HttpClient::send(&client, get("https://op.invalid/"), Some(&route)).await;
    let told = error.err().unwrap().to_string();
    assert!(told.contains("the application's own proxy failed"), "{told}");
    assert!(!told.contains("hunter2"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_route_may_have_less_patience() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let patience = Some(Duration::from_millis(2500));
    let route = Arc::new(Route::new(patience, BTreeMap::new(), BTreeSet::new()));
    let client = client();
    let provider = async { listener.accept().await.unwrap() };
    let sending = HttpClient::send(&client, get(&url), Some(&route));
    let start = tokio::time::Instant::now();
    let (response, _open) = tokio::join!(sending, provider);
    assert!(matches!(response, Err(TransportError::TimedOut { seconds: 3, .. })), "{response:?}");
    assert_eq!(start.elapsed().as_millis(), 2500);
}
