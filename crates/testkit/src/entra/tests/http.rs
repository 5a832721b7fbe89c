//! A small HTTP client and the steps that most tests share.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpStream;
use url::Url;

use crate::entra::{Browser, EntraEmulator, Options, Person, Redirect};

pub(super) const CLIENT: &str = "11112222-aaaa-4bbb-8ccc-ddddeeee0001";
pub(super) const REDIRECT: &str = "http://localhost:4321";
pub(super) const VERIFIER: &str = "a-verifier-of-forty-three-characters-exactly";
pub(super) const SCOPE: &str = "User.Read offline_access openid profile";
pub(super) const ALICE: &str = "alice@contoso.com";
pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

pub(super) type Fields<'a> = &'a [(&'a str, &'a str)];

/// What came back; `None` stands for a connection that was cut.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.body))
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// `status error suberror`, and `200` for success.
    pub(super) fn outcome(&self) -> String {
        if self.status == 200 {
            return "200".to_owned();
        }
        let body = self.json();
        let members = [body["error"].as_str(), body["suberror"].as_str()];
        let words = members.into_iter().flatten().map(str::to_owned);
        std::iter::once(self.status.to_string()).chain(words).collect::<Vec<String>>().join(" ")
    }
}

pub(super) async fn start(change: impl FnOnce(&mut Options)) -> EntraEmulator {
    let mut options = Options { seed: Some(1), ..Options::default() };
    change(&mut options);
    EntraEmulator::start(options).await.expect("a free port")
}

/// One request on its own connection.
pub(super) async fn try_send(
    emulator: &EntraEmulator,
    request: http::Request<String>,
) -> Option<Answer> {
    let address = emulator.base_url().strip_prefix("http://").expect("an http URL");
    let stream = TcpStream::connect(address).await.expect("the emulator listens");
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
    let connection = tokio::spawn(connection);
    let response =
        sender.send_request(request.map(|body| Full::new(Bytes::from(body)))).await.ok()?;
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes();
    connection.abort();
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    Some(Answer {
        status: parts.status.as_u16(),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

pub(super) async fn send(emulator: &EntraEmulator, request: http::Request<String>) -> Answer {
    try_send(emulator, request).await.expect("an answer")
}

pub(super) async fn get(emulator: &EntraEmulator, path: &str) -> Answer {
    send(
        emulator,
        http::Request::get(path)
            .header("host", "localhost")
            .body(String::new())
            .expect("a request"),
    )
    .await
}

pub(super) fn form(path: &str, fields: Fields<'_>) -> http::Request<String> {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = http::Request::post(path).header("host", "localhost");
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body)
        .expect("a request")
}

pub(super) async fn post(emulator: &EntraEmulator, path: &str, fields: Fields<'_>) -> Answer {
    send(emulator, form(path, fields)).await
}

pub(super) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The claims of a token, unverified.
pub(super) fn decode_claims(token: &Value) -> Value {
    let payload = token.as_str().and_then(|token| token.split('.').nth(1)).expect("a JWT");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64url"))
        .expect("JSON")
}

/// The URL that an application would open; a changed field with an empty value is left out.
pub(super) fn authorize_url(emulator: &EntraEmulator, tenant: &str, changes: Fields<'_>) -> String {
    let challenge = encode(Sha256::digest(VERIFIER));
    let mut fields = BTreeMap::from([
        ("client_id", CLIENT),
        ("response_type", "code"),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPE),
        ("state", "the-state"),
        ("nonce", "the-nonce"),
        ("code_challenge", &challenge[..43]),
        ("code_challenge_method", "S256"),
        ("client_info", "1"),
    ]);
    fields.extend(changes.iter().copied());
    fields.retain(|_, value| !value.is_empty());
    let endpoint = format!("{}/oauth2/v2.0/authorize", emulator.authority(tenant));
    Url::parse_with_params(&endpoint, fields).expect("a URL").into()
}

/// Signs in as a person would who agrees to everything.
pub(super) fn authorize(emulator: &EntraEmulator, user: &str, changes: Fields<'_>) -> Redirect {
    let url = authorize_url(emulator, "common", changes);
    emulator
        .control()
        .authorize(&url, user, Person::Agrees, &Browser::default())
        .expect("a redirect")
}

pub(super) async fn token(emulator: &EntraEmulator, fields: Fields<'_>) -> Answer {
    post(emulator, "/common/oauth2/v2.0/token", fields).await
}

pub(super) async fn redeem_code(emulator: &EntraEmulator, code: &str) -> Answer {
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
        ("client_info", "1"),
    ];
    token(emulator, &fields).await
}

/// The token answer of a whole sign-in.
pub(super) async fn sign_in(emulator: &EntraEmulator, user: &str, changes: Fields<'_>) -> Value {
    let redirect = authorize(emulator, user, changes);
    let answer = redeem_code(emulator, redirect.param("code").expect("a code")).await;
    assert_eq!(answer.outcome(), "200", "{}", answer.body);
    answer.json()
}

pub(super) async fn refresh(
    emulator: &EntraEmulator,
    refresh_token: &Value,
    changes: Fields<'_>,
) -> Answer {
    let mut fields = vec![
        ("client_id", CLIENT),
        ("grant_type", "refresh_token"),
        ("refresh_token", refresh_token.as_str().expect("a refresh token")),
    ];
    fields.retain(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    fields.extend_from_slice(changes);
    token(emulator, &fields).await
}
