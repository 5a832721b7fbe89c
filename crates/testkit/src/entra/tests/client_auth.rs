//! How a confidential client proves itself: secrets, certificates, and tokens of federated issuers.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};

use super::http::{Answer, CLIENT, encode, form, get, send, start, token};
use super::keys::{
    CERTIFICATE, KEY, STRANGERS_CERTIFICATE, STRANGERS_KEY, certificate, decode_pem, sign,
};
use crate::entra::{CONTOSO, Client, EXCHANGE_AUDIENCE, EntraEmulator, FederatedCredential};

const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// 0 stands for an authenticated client, whose nonsensical grant is then refused.
fn number(answer: &Answer) -> u64 {
    match answer.json()["error_codes"][0].as_u64() {
        Some(70_003) => 0,
        Some(number) => number,
        None => panic!("{}", answer.body),
    }
}

async fn start_with(client: Client) -> EntraEmulator {
    start(|options| options.clients = vec![Client { id: CLIENT.into(), ..client }]).await
}

async fn present(emulator: &EntraEmulator, credential: (&str, &str)) -> Answer {
    let fields = [
        ("client_id", CLIENT),
        ("grant_type", "nonsense"),
        ("client_assertion_type", JWT_BEARER),
        credential,
    ];
    token(emulator, &fields).await
}

async fn present_assertion(emulator: &EntraEmulator, assertion: &str) -> u64 {
    number(&present(emulator, ("client_assertion", assertion)).await)
}

#[tokio::test]
async fn a_secret_is_compared_and_a_public_client_has_none() {
    let emulator = start_with(Client { secret: Some("s3cret".into()), ..Client::default() }).await;
    for (credential, expected) in [
        (("client_secret", "s3cret"), 0),
        (("client_secret", "wrong"), 7_000_215),
        (("scope", "x"), 7_000_218),
        (("client_assertion", "nonsense"), 50_027),
    ] {
        assert_eq!(number(&present(&emulator, credential).await), expected, "{credential:?}");
    }
    let public = start_with(Client::default()).await;
    for credential in [("client_secret", "s3cret"), ("client_assertion", "a.b.c")] {
        let answer = present(&public, credential).await;
        assert_eq!(answer.outcome(), "401 invalid_client");
        assert_eq!(number(&answer), 700_025);
    }
}

#[tokio::test]
async fn a_secret_may_come_as_http_basic_but_not_twice() {
    let secret = Client { secret: Some("s3:cr+t".into()), ..Client::default() };
    let emulator = start_with(secret).await;
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT}:s3%3Acr%2Bt")));
    for (fields, expected) in [
        (vec![("grant_type", "nonsense")], 0),
        (vec![("grant_type", "nonsense"), ("client_secret", "s3:cr+t")], 90_100),
    ] {
        let mut request = form("/common/oauth2/v2.0/token", &fields);
        request.headers_mut().insert("authorization", basic.parse().expect("a header"));
        assert_eq!(number(&send(&emulator, request).await), expected, "{fields:?}");
    }
}

/// What MSAL sends: padded thumbprints, times with fractions, the central token endpoint as audience.
fn assertion_parts(emulator: &EntraEmulator) -> (Value, Value) {
    let header = json!({
        "typ": "JWT",
        "alg": "PS256",
        "x5t#S256": format!("{}=", certificate(CERTIFICATE).sha256_thumbprint()),
    });
    #[expect(clippy::cast_precision_loss, reason = "seconds fit")]
    let now = emulator.control().now() as f64 + 0.25;
    let claims = json!({
        "aud": format!("{}/oauth2/v2.0/token", emulator.authority("common")),
        "iss": CLIENT,
        "sub": CLIENT,
        "iat": now,
        "exp": now + 600.0,
        "jti": "one",
    });
    (header, claims)
}

fn with(base: &Value, name: &str, value: Value) -> Value {
    let mut changed = base.clone();
    changed[name] = value;
    changed
}

async fn start_with_certificate() -> EntraEmulator {
    start_with(Client { certificates: vec![certificate(CERTIFICATE)], ..Client::default() }).await
}

#[tokio::test]
async fn an_assertion_is_verified_with_the_registered_certificate() {
    let emulator = start_with_certificate().await;
    let (header, claims) = assertion_parts(&emulator);
    let sha1 = |pem| json!(certificate(pem).sha1_thumbprint());
    let legacy = json!({"typ": "JWT", "alg": "RS256", "x5t": sha1(CERTIFICATE)});
    let x5c = |pem| json!([BASE64_STANDARD.encode(decode_pem(pem))]);
    for (case, key, header, expected) in [
        ("PS256", KEY, header.clone(), 0),
        ("RS256", KEY, legacy.clone(), 0),
        ("x5c", KEY, with(&header, "x5c", x5c(CERTIFICATE)), 0),
        ("a foreign x5c", KEY, with(&header, "x5c", x5c(STRANGERS_CERTIFICATE)), 700_027),
        ("a foreign key", STRANGERS_KEY, header.clone(), 700_027),
        (
            "a foreign x5t",
            STRANGERS_KEY,
            with(&legacy, "x5t", sha1(STRANGERS_CERTIFICATE)),
            700_027,
        ),
        ("no thumbprint", KEY, json!({"alg": "PS256"}), 700_027),
        ("another algorithm", KEY, with(&header, "alg", json!("RS256x")), 700_027),
    ] {
        let assertion = sign(key, &header, &claims);
        assert_eq!(present_assertion(&emulator, &assertion).await, expected, "{case}");
    }
    let unsigned = format!("{}.{}.", encode(r#"{"alg":"none"}"#), encode(claims.to_string()));
    assert_eq!(present_assertion(&emulator, &unsigned).await, 700_027);
}

#[tokio::test]
async fn an_assertion_is_for_this_endpoint_this_client_and_a_while() {
    let emulator = start_with_certificate().await;
    let (header, claims) = assertion_parts(&emulator);
    let now = emulator.control().now();
    let issuer = format!("{}/v2.0", emulator.authority("common"));
    for (name, value, expected) in [
        ("aud", json!(issuer), 0),
        ("aud", json!(format!("{}/oauth2/v2.0/token", emulator.authority(CONTOSO))), 700_023),
        ("aud", json!("https://evil.example"), 700_023),
        ("exp", json!(now - 1), 700_024),
        ("exp", Value::Null, 700_024),
        ("nbf", json!(now + 10_000), 700_024),
        ("sub", json!("another"), 700_021),
        ("iss", json!("another"), 700_021),
    ] {
        let assertion = sign(KEY, &header, &with(&claims, name, value.clone()));
        assert_eq!(present_assertion(&emulator, &assertion).await, expected, "{name}={value}");
    }
}

#[tokio::test]
async fn an_assertion_is_good_for_one_request_when_replay_is_refused() {
    let emulator = start_with_certificate().await;
    let (header, claims) = assertion_parts(&emulator);
    let assertion = sign(KEY, &header, &claims);
    assert_eq!(present_assertion(&emulator, &assertion).await, 0);
    assert_eq!(present_assertion(&emulator, &assertion).await, 0, "as at Entra");
    let settings = emulator.control().settings();
    emulator
        .control()
        .set_settings(crate::entra::Settings { refuse_assertion_replay: true, ..settings });
    assert_eq!(present_assertion(&emulator, &assertion).await, 0);
    assert_eq!(present_assertion(&emulator, &assertion).await, 700_027);
    let fresh = sign(KEY, &header, &with(&claims, "jti", json!("two")));
    assert_eq!(present_assertion(&emulator, &fresh).await, 0);
}

#[tokio::test]
async fn a_token_of_a_federated_issuer_stands_for_the_client() {
    let credential = |issuer: &str, certificate| FederatedCredential {
        issuer: issuer.into(),
        subject: "repo:contoso/app".into(),
        audience: EXCHANGE_AUDIENCE.into(),
        certificate,
    };
    let credentials = vec![
        credential("https://actions.example", None),
        credential("https://cluster.example", Some(certificate(CERTIFICATE))),
    ];
    let federated = Client { federated_credentials: credentials, ..Client::default() };
    let emulator = start_with(federated).await;
    let claims = |changes: &[(&str, &str)]| {
        let mut claims = Map::from_iter([
            ("iss".to_owned(), json!("https://actions.example")),
            ("sub".to_owned(), json!("repo:contoso/app")),
            ("aud".to_owned(), json!(EXCHANGE_AUDIENCE)),
        ]);
        claims.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
        claims
    };
    for (changes, expected) in [
        (&[][..], 0),
        (&[("iss", "https://evil.example")], 700_211),
        (&[("sub", "repo:contoso/fork")], 700_213),
        (&[("aud", "api://other")], 700_212),
        (&[("iss", "https://cluster.example")], 700_027),
    ] {
        let assertion = emulator.control().sign_assertion(claims(changes));
        assert_eq!(present_assertion(&emulator, &assertion).await, expected, "{changes:?}");
    }
    let mut of_cluster = claims(&[("iss", "https://cluster.example")]);
    of_cluster.insert("exp".to_owned(), json!(emulator.control().now() + 60));
    let assertion = sign(KEY, &json!({"alg": "RS256"}), &Value::Object(of_cluster));
    assert_eq!(present_assertion(&emulator, &assertion).await, 0);
    emulator.control().advance_clock(60);
    assert_eq!(present_assertion(&emulator, &assertion).await, 700_024);
}

#[tokio::test]
async fn another_process_registers_clients_and_reads_them_back() {
    let emulator = start(|_| {}).await;
    let register = async |body: Value| {
        let request = http::Request::post("/_emulator/clients")
            .header("host", "localhost")
            .header("content-type", "application/json");
        send(&emulator, request.body(body.to_string()).expect("a request")).await.status
    };
    assert_eq!(register(json!({"id": CLIENT, "certificates": [CERTIFICATE]})).await, 204);
    assert_eq!(register(json!({"id": "other", "certificates": ["nonsense"]})).await, 422);
    let registered = get(&emulator, "/_emulator/clients").await.json();
    assert_eq!(registered[0]["certificates"][0], CERTIFICATE);
    assert_eq!(registered[1], Value::Null);
    let (header, claims) = assertion_parts(&emulator);
    assert_eq!(present_assertion(&emulator, &sign(KEY, &header, &claims)).await, 0);
}
