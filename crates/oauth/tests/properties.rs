//! Whatever a provider, a browser or an application sends: no parser panics, and what comes out keeps its promises.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::HeaderMap;
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use valetkey_model::{Authority, AuthorityOptions, ScopeSet, Secret, UnixTime};
use valetkey_oauth::{
    ClientInfo, ExpectedRedirect, HttpResponse, decode_id_token, merge_claims, overlay_claims,
    parse_aliases, parse_authorization_response, parse_device_authorization,
    parse_instance_discovery, parse_provider_metadata, parse_retry_after,
    parse_revocation_response, parse_token_response,
};

const NOW: UnixTime = UnixTime::from_seconds(1_700_000_000);

/// JSON of every type, as a member's value: what providers send and what they never should.
fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::from),
        "[!-~]{1,20}".prop_map(Value::from),
        Just(json!("https://op.example/t")),
        Just(json!(["S256", 1, null])),
        Just(json!({"aliases": []})),
    ]
}

/// An object with some of the members that the parsers know.
fn object() -> impl Strategy<Value = Value> {
    const NAMES: [&str; 26] = [
        "access_token",
        "refresh_token",
        "id_token",
        "device_secret",
        "client_info",
        "token_type",
        "scope",
        "foci",
        "expires_in",
        "expires_on",
        "ext_expires_in",
        "refresh_in",
        "error",
        "error_codes",
        "suberror",
        "claims",
        "device_code",
        "user_code",
        "verification_uri",
        "interval",
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "code_challenge_methods_supported",
        "tenant_discovery_endpoint",
        "metadata",
    ];
    let member =
        (0..NAMES.len(), value()).prop_map(|(index, value)| (NAMES[index].to_owned(), value));
    proptest::collection::vec(member, 0..12)
        .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>()))
}

/// Any bytes, or the bytes of a plausible object.
fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        1 => proptest::collection::vec(any::<u8>(), 0..200),
        4 => object().prop_map(|object| object.to_string().into_bytes()),
    ]
}

fn response() -> impl Strategy<Value = HttpResponse> {
    let status = prop_oneof![Just(200), Just(400), Just(429), Just(503), any::<u16>()];
    let header = proptest::option::of("[ -~]{0,30}");
    (status, header, body()).prop_map(|(status, header, body)| {
        let mut headers = HeaderMap::new();
        if let Some(value) = header.and_then(|text| text.parse().ok()) {
            headers.insert("retry-after", value);
        }
        HttpResponse { status, headers, body: Bytes::from(body) }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_answer_makes_a_parser_panic(response in response(), oidc: bool) {
        let options = AuthorityOptions { oidc, validate: true };
        let authority = Authority::parse("https://op.example/t", options).unwrap();
        let _ = parse_provider_metadata(&authority, &response);
        let _ = parse_instance_discovery(&authority, &response);
        let _ = parse_aliases(&response);
        let _ = parse_device_authorization(&response, NOW);
        let _ = parse_revocation_response(&response, NOW);
        let _ = parse_token_response(&response, &ScopeSet::default(), NOW);
    }

    #[test]
    fn a_token_answer_that_is_taken_keeps_its_promises(response in response()) {
        if let Ok(tokens) = parse_token_response(&response, &ScopeSet::from_target("asked"), NOW) {
            prop_assert!(!tokens.access_token.is_empty() && !tokens.scope.is_empty());
            prop_assert!(tokens.expires_in >= 0);
            prop_assert!(tokens.access_token.expose().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            for name in ["access_token", "refresh_token", "device_secret", "refresh_in"] {
                prop_assert!(!tokens.fields.contains_key(name));
            }
        }
    }

    #[test]
    fn no_error_text_has_a_token_in_it(status in any::<u16>(), member in "error|scope|id_token|expires_in") {
        let body = json!({"access_token": "SECRET-TOKEN", "refresh_token": "SECRET-TOKEN", member: ["SECRET-TOKEN"]});
        let response = HttpResponse { status, headers: HeaderMap::new(), body: Bytes::from(body.to_string()) };
        if let Err(error) = parse_token_response(&response, &ScopeSet::default(), NOW) {
            let texts = [error.to_string(), format!("{error:?}")];
            prop_assert!(texts.iter().all(|text| !text.contains("SECRET-TOKEN")));
        }
    }

    #[test]
    fn an_endpoint_that_is_taken_is_https(object in object()) {
        let options = AuthorityOptions { oidc: false, validate: true };
        let authority = Authority::parse("https://op.example/t", options).unwrap();
        let body = Bytes::from(object.to_string());
        let response = HttpResponse { status: 200, headers: HeaderMap::new(), body };
        if let Ok(metadata) = parse_provider_metadata(&authority, &response) {
            prop_assert_eq!(metadata.token_endpoint.scheme(), "https");
            prop_assert_eq!(metadata.authorization_endpoint.scheme(), "https");
        }
    }

    #[test]
    fn only_the_right_state_brings_a_code(
        state in "[a-z]{0,3}",
        given in proptest::collection::btree_map("state|code|error|iss|client_info", "[a-z]{0,3}", 0..5),
    ) {
        let parameters: BTreeMap<String, String> = given;
        let expected = ExpectedRedirect { state: &state, issuer: Some("i"), issuer_is_required: false };
        if let Ok(code) = parse_authorization_response(&parameters, &expected) {
            prop_assert_eq!(parameters.get("state"), Some(&state));
            prop_assert!(!state.is_empty() && !code.code.is_empty());
            prop_assert!(!parameters.contains_key("error") || parameters["error"].is_empty());
        }
    }

    #[test]
    fn no_text_makes_a_decoder_panic(text: String, header in "[ -~]{0,40}") {
        let _ = decode_id_token(&Secret::new(text.clone()));
        let _ = decode_id_token(&Secret::new(format!("h.{text}.s")));
        let _ = ClientInfo::decode(&text);
        let _ = merge_claims(&["CP1"], Some(&text));
        let mut headers = HeaderMap::new();
        headers.insert("retry-after", header.parse().unwrap());
        prop_assert!(parse_retry_after(&headers, NOW).is_none_or(|seconds| seconds >= 0));
    }

    #[test]
    fn merged_claims_mean_what_they_did_and_are_plain_ascii(object in object(), overlay in object()) {
        let merged = overlay_claims(Some(&object.to_string()), Some(&overlay.to_string())).unwrap().unwrap();
        prop_assert!(merged.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let merged: Value = serde_json::from_str(&merged).unwrap();
        let mut expected = object;
        deep_merge(&mut expected, overlay);
        prop_assert_eq!(merged, expected);
    }
}

fn deep_merge(base: &mut Value, overlay: Value) {
    match (base, overlay) {
        (Value::Object(base), Value::Object(overlay)) => {
            for (name, value) in overlay {
                deep_merge(base.entry(name).or_insert(Value::Null), value);
            }
        }
        (base, overlay) => *base = overlay,
    }
}
