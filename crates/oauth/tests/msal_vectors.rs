//! Replays what MSAL for Python was recorded doing with claims, issuers and authorities (`tests/vectors/msal`), with the
//! deviations in tables, each with its reason.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Value, json};
use url::Url;
use valetkey_model::{Authority, AuthorityKind, AuthorityOptions};
use valetkey_oauth::{
    HttpRequest, HttpResponse, build_discovery_request, build_instance_discovery_request,
    merge_claims, overlay_claims, parse_provider_metadata,
};

macro_rules! vectors {
    ($file:literal) => {
        serde_json::from_str(include_str!(concat!("../../../tests/vectors/msal/", $file))).unwrap()
    };
}

#[test]
fn capabilities_and_claims_are_merged_to_the_letter() {
    let vectors: Value = vectors!("claims_merge.json");
    for case in vectors["capabilities_into_challenge"].as_array().unwrap() {
        let capabilities: Vec<&str> = case["capabilities"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let merged = merge_claims(&capabilities, case["challenge"].as_str()).unwrap();
        assert_eq!(merged.as_deref(), case["out"].as_str(), "{case}");
    }
    for case in vectors["merge"].as_array().unwrap() {
        let merged = overlay_claims(case["a"].as_str(), case["b"].as_str()).unwrap();
        assert_eq!(merged.as_deref(), case["out"].as_str(), "{case}");
    }
}

#[test]
fn an_issuer_belongs_to_its_authority_or_is_refused() {
    let vectors: Value = vectors!("oidc_issuer.json");
    for case in vectors.as_array().unwrap() {
        let options = AuthorityOptions { oidc: true, validate: true };
        let authority =
            Authority::parse(case["oidc_authority"].as_str().unwrap(), options).unwrap();
        let document = json!({
            "issuer": case["issuer"],
            "authorization_endpoint": "https://contoso.com/a",
            "token_endpoint": "https://contoso.com/t",
        });
        let parsed = parse_provider_metadata(&authority, &respond(&document));
        assert_eq!(parsed.is_ok(), case["valid"] == true, "{case}");
    }
}

/// Discovery URLs that differ from MSAL's, and why.
const OTHER_DISCOVERY_URLS: [(&str, &str, &str); 6] = [
    (
        "https://login.microsoftonline.com/common/",
        "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
        "a slash at the end is not doubled",
    ),
    (
        "https://fs.contoso.com/ADFS/",
        "https://fs.contoso.com/ADFS/.well-known/openid-configuration",
        "a slash at the end is not doubled",
    ),
    (
        "https://contoso.com/tenant/",
        "https://contoso.com/tenant/.well-known/openid-configuration",
        "a slash at the end is not doubled",
    ),
    (
        "https://LOGIN.microsoftonline.com/TENANT",
        "https://login.microsoftonline.com/TENANT/v2.0/.well-known/openid-configuration",
        "host names have no case (RFC 3986 section 3.2.2)",
    ),
    (
        "https://unknown.example:8443/tenant?slice=1",
        "https://unknown.example:8443/tenant/v2.0/.well-known/openid-configuration?slice=1",
        "the recorded URL is what the stub's instance discovery answered, not what MSAL builds",
    ),
    (
        "",
        "https://login.microsoftonline.com/common/v2.0/.well-known/openid-configuration",
        "the default authority ends with a slash, which is not doubled",
    ),
];

/// Authorities that MSAL refuses and we take, and why.
const TAKEN_AUTHORITIES: [(&str, &str); 2] = [
    ("https://contoso.com", "an OIDC issuer may be a bare host (OIDC Discovery section 4)"),
    ("https://contoso.com/", "an OIDC issuer may be a bare host (OIDC Discovery section 4)"),
];

#[test]
fn authorities_are_classified_and_discovered_as_msal_does() {
    let vectors: Value = vectors!("authority.json");
    for case in vectors.as_array().unwrap() {
        let input = &case["input"];
        let oidc = input["oidc_authority"].as_str();
        let given = oidc.or(input["authority"].as_str()).unwrap();
        let text = if given.is_empty() { Authority::DEFAULT } else { given };
        let options = AuthorityOptions {
            oidc: oidc.is_some(),
            validate: input["validate_authority"] != false,
        };
        let parsed = Authority::parse(text, options);
        let is_taken = oidc.is_some() && TAKEN_AUTHORITIES.iter().any(|(taken, _)| *taken == text);
        assert_eq!(parsed.is_ok(), case.get("error").is_none() || is_taken, "{case}");
        if let (Ok(authority), false) = (parsed, is_taken) {
            check_authority(&authority, given, case);
        }
    }
}

fn check_authority(authority: &Authority, given: &str, case: &Value) {
    let kind = authority.kind();
    let is_b2c = !matches!(kind, AuthorityKind::Entra | AuthorityKind::Adfs);
    assert_eq!(authority.host(), case["instance"], "{given}");
    assert_eq!(json!(kind == AuthorityKind::Adfs), case["is_adfs"], "{given}");
    assert_eq!(json!(is_b2c), case["is_b2c"], "{given}");
    assert_eq!(json!(authority.is_known_to_developer()), case["known_to_developer"], "{given}");

    let (last, first) = case["requests"].as_array().unwrap().split_last().unwrap();
    let request = build_discovery_request(authority);
    let other = OTHER_DISCOVERY_URLS.iter().find(|(other, ..)| *other == given);
    let expected = other.map_or_else(|| last["url"].as_str().unwrap(), |(_, url, _)| *url);
    assert_eq!(request.url.as_str(), expected, "{given}");
    assert!(request.headers.is_empty());
    assert_eq!(realm(authority, &request.url), case["tenant_from_token_endpoint"], "{given}");
    for recorded in first {
        check_get(&build_instance_discovery_request(authority, None), recorded);
    }
}

fn check_get(request: &HttpRequest, recorded: &Value) {
    let mut url = request.url.clone();
    url.set_query(None);
    assert_eq!(url.as_str(), recorded["url"]);
    let query: Value =
        request.url.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))).collect();
    assert_eq!(query, recorded["params"]);
    assert!(request.headers.is_empty());
}

/// The realm that a token endpoint below the authority's own path brings.
fn realm(authority: &Authority, discovery: &Url) -> String {
    let path = discovery.path().trim_end_matches("/.well-known/openid-configuration");
    let token_endpoint = discovery.join(&format!("{path}/oauth2/token")).unwrap();
    let document = json!({
        "issuer": authority.as_str(),
        "authorization_endpoint": token_endpoint.as_str(),
        "token_endpoint": token_endpoint.as_str(),
    });
    parse_provider_metadata(authority, &respond(&document)).unwrap().realm().to_owned()
}

fn respond(body: &Value) -> HttpResponse {
    HttpResponse { status: 200, headers: HeaderMap::new(), body: Bytes::from(body.to_string()) }
}
