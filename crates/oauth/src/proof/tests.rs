//! Proofs are checked with the key that stands in them, by another implementation than the one that signs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use url::Url;
use valetkey_model::{Secret, UnixTime};
use zeroize::Zeroizing;

use super::*;
use crate::HttpResponse;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);

/// RFC 7517 appendix A.2.
const PRIVATE: &str = "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE";
const X: &str = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4";
const Y: &str = "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM";

fn key() -> ProofKey {
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(&URL_SAFE_NO_PAD.decode(PRIVATE).unwrap());
    ProofKey::from_random(&bytes).unwrap()
}

fn jwk() -> Value {
    json!({"crv": "P-256", "kty": "EC", "x": X, "y": Y})
}

/// Checks the signature with the key of RFC 7517, and returns header and payload.
fn open(token: &Secret) -> (Value, Value) {
    let (input, signature) = token.expose().rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    let mut point = vec![4];
    point.extend([X, Y].iter().flat_map(|part| URL_SAFE_NO_PAD.decode(part).unwrap()));
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(input.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .expect("the key made the signature");
    let read = |part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (read(header), read(payload))
}

#[test]
fn a_key_has_the_public_half_of_rfc_7517_and_the_thumbprint_of_rfc_7638() {
    assert_eq!(serde_json::to_value(key().jwk()).unwrap(), jwk());
    assert_eq!(key().thumbprint(), "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s");
    assert_eq!(format!("{:?}", key()), format!("ProofKey({})", key().thumbprint()));
}

#[test]
fn a_kept_key_is_the_same_key() {
    let pem = key().to_pkcs8_pem();
    assert!(pem.expose().starts_with("-----BEGIN PRIVATE KEY-----\n"));
    assert_eq!(ProofKey::from_pkcs8_pem(&pem).unwrap().jwk(), key().jwk());
    for text in ["", "key", include_str!("../credential/fixtures/key.pem")] {
        let kept = ProofKey::from_pkcs8_pem(&Secret::new(text.to_owned()));
        assert_eq!(kept.err(), Some(ProofKeyError));
    }
}

#[test]
fn bytes_that_are_no_scalar_make_no_key() {
    for (byte, makes_a_key) in [(0x00, false), (0xff, false), (0x01, true), (0xfe, true)] {
        let key = ProofKey::from_random(&Zeroizing::new([byte; 32]));
        assert_eq!(key.is_some(), makes_a_key, "{byte}");
    }
}

#[test]
fn a_dpop_proof_says_what_rfc_9449_asks_for() {
    // Token and digest are those of RFC 9449 section 7.1.
    let token = Secret::new("Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU".to_owned());
    let ath = "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo";
    for (method, url, token, nonce, expected) in [
        (Method::POST, "https://server.example/token", None, None, json!({})),
        (
            Method::POST,
            "https://server.example/token",
            None,
            Some("eyJ7S_zG"),
            json!({"nonce": "eyJ7S_zG"}),
        ),
        (
            Method::GET,
            "https://resource.example/a%20b?q=1#top",
            Some(&token),
            None,
            json!({"htu": "https://resource.example/a%20b", "ath": ath}),
        ),
        (
            Method::OPTIONS,
            "http://name:word@[::1]:8080",
            Some(&token),
            Some("n"),
            json!({"htu": "http://[::1]:8080/", "ath": ath, "nonce": "n"}),
        ),
    ] {
        let mut claims = json!({
            "jti": "_____________________w",
            "htm": method.as_str(),
            "htu": url,
            "iat": 1_800_000_000,
        });
        for (name, value) in expected.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let url = Url::parse(url).unwrap();
        let proof = DpopProof { method: &method, url: &url, access_token: token, nonce };
        let (header, payload) = open(&key().sign_dpop_proof(&proof, NOW, [0xff; 16]));
        assert_eq!(header, json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": jwk()}));
        assert_eq!(payload, claims);
    }
}

#[test]
fn a_token_request_names_the_key_by_its_thumbprint() {
    let confirmation = URL_SAFE_NO_PAD.decode(key().req_cnf()).unwrap();
    let expected = format!(r#"{{"kid":"{}"}}"#, key().thumbprint());
    assert_eq!(str::from_utf8(&confirmation).unwrap(), expected);
}

#[test]
fn a_signed_http_request_binds_the_token_to_the_request() {
    let bind = |url: &str| PopRequest::new("GET", url, "n").unwrap();
    let url = "https://www.contoso.com:443/it/requests?b=bar&a=foo&c=duck";
    let headers = [("Content-Type", "application/json"), ("ETag", "742-3u8f34-3r2nvv3")];
    for (request, expected) in [
        (bind("https://www.contoso.com"), json!({"u": "www.contoso.com", "p": "/"})),
        (
            bind("http://[2001:db8::1]:5555/p%C3%A4th?q"),
            json!({"u": "[2001:db8::1]:5555", "p": "/p%C3%A4th"}),
        ),
        (
            bind(url).with_query(),
            json!({
                "u": "www.contoso.com",
                "p": "/it/requests",
                "q": [["b", "a", "c"], "u4LgkGUWhP9MsKrEjA4dizIllDXluDku6ZqCeyuR-JY"],
            }),
        ),
        (
            bind(url).with_headers(&headers).with_body(b"{\"hello\": \"world\"}"),
            json!({
                "u": "www.contoso.com",
                "p": "/it/requests",
                "h": [["content-type", "etag"], "P6z5XN4tTzHkfwe3XO1YvVUIurSuhvh_UG10N_j-aGs"],
                "b": "X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE",
            }),
        ),
    ] {
        let mut claims = json!({
            "at": "token", "ts": 1_800_000_000, "m": "GET", "nonce": "n", "cnf": {"jwk": jwk()},
        });
        for (name, value) in expected.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let signed = key().sign_http_request(&request, &Secret::new("token".to_owned()), NOW);
        let (header, payload) = open(&signed);
        let kid = key().thumbprint().to_owned();
        assert_eq!(header, json!({"typ": "pop", "alg": "ES256", "kid": kid}));
        assert_eq!(payload, claims);
    }
}

#[test]
fn a_request_is_refused_as_by_msal() {
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
        assert!(PopRequest::new(method, "https://contoso.com/", "n").is_ok(), "{method}");
    }
    for (method, nonce, expected) in [
        ("", "n", ProofRequestError::UnknownMethod),
        ("get", "n", ProofRequestError::UnknownMethod),
        ("HEAD", "n", ProofRequestError::UnknownMethod),
        ("GET", "", ProofRequestError::NonceMissing),
    ] {
        let refused = PopRequest::new(method, "https://contoso.com/", nonce);
        assert_eq!(refused.err(), Some(expected), "{method} {nonce}");
    }
}

#[test]
fn a_dpop_proof_is_for_any_method_of_http() {
    let sign = |method: &str| DpopRequest::new(method, "https://contoso.com/", None).map(drop);
    for method in ["GET", "HEAD", "OPTIONS", "PROPFIND", "VERSION-CONTROL"] {
        assert_eq!(sign(method), Ok(()), "{method}");
    }
    for method in ["", "get", "GET /", "GET\r\nX: y", "GÉT", &"A".repeat(33)] {
        assert_eq!(sign(method), Err(ProofRequestError::InvalidMethod), "{method}");
    }
}

#[test]
fn what_cannot_be_a_request_is_signed_by_neither_method() {
    let long_url = format!("https://contoso.com/{}", "a".repeat(8 * 1024));
    let long_nonce = "n".repeat(4 * 1024 + 1);
    for (url, nonce, expected) in [
        ("", "n", ProofRequestError::InvalidUrl),
        ("/path", "n", ProofRequestError::InvalidUrl),
        ("contoso.com/path", "n", ProofRequestError::InvalidUrl),
        ("file:///etc/passwd", "n", ProofRequestError::InvalidUrl),
        ("javascript:alert(1)", "n", ProofRequestError::InvalidUrl),
        ("https://", "n", ProofRequestError::InvalidUrl),
        ("https://contoso.com/a\r\nHost: evil", "n", ProofRequestError::UrlCharacter),
        ("https://contoso.com/a\tb", "n", ProofRequestError::UrlCharacter),
        ("https://contoso.com/a b", "n", ProofRequestError::UrlCharacter),
        ("https://contoso.com/#top", "n", ProofRequestError::Fragment),
        ("https://contoso.com/#", "n", ProofRequestError::Fragment),
        ("https://ada@contoso.com/", "n", ProofRequestError::Credentials),
        ("https://:word@contoso.com/", "n", ProofRequestError::Credentials),
        (&long_url, "n", ProofRequestError::UrlTooLong),
        ("https://contoso.com/", "", ProofRequestError::NonceMissing),
        ("https://contoso.com/", &long_nonce, ProofRequestError::NonceTooLong),
        ("https://contoso.com/", "n\r\nX: y", ProofRequestError::NonceCharacter),
        ("https://contoso.com/", "a b", ProofRequestError::NonceCharacter),
        ("https://contoso.com/", "a\"b", ProofRequestError::NonceCharacter),
        ("https://contoso.com/", "ñ", ProofRequestError::NonceCharacter),
    ] {
        let signed = PopRequest::new("GET", url, nonce).map(drop);
        assert_eq!(signed, Err(expected.clone()), "{url} {nonce}");
        let proven = DpopRequest::new("GET", url, Some(nonce)).map(drop);
        assert_eq!(proven, Err(expected), "{url} {nonce}");
    }
}

#[test]
fn a_server_asks_for_its_nonce_by_the_error_of_rfc_9449() {
    let answer = |status, nonce: Option<&str>, body: &str| {
        let mut answer = HttpResponse::test(status, body);
        if let Some(nonce) = nonce {
            answer.headers.insert("dpop-nonce", nonce.parse().unwrap());
        }
        answer
    };
    let error = r#"{"error":"use_dpop_nonce"}"#;
    for (answer, expected) in [
        (answer(400, Some("n"), error), (true, Some("n"))),
        (answer(401, None, error), (true, None)),
        (answer(200, Some("next"), "{}"), (false, Some("next"))),
        (answer(400, Some("n"), r#"{"error":"invalid_grant"}"#), (false, Some("n"))),
        (answer(400, Some("a b"), "use_dpop_nonce"), (false, None)),
        (answer(500, Some(&"n".repeat(5000)), error), (false, None)),
    ] {
        assert_eq!((wants_dpop_nonce(&answer), dpop_nonce(&answer)), expected, "{answer:?}");
    }
}
