//! Replays the requests that MSAL for Python was recorded sending (`tests/vectors/msal/wire_traces.json`): the same fields
//! in the same order, and the same headers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod direct;

use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Value, json};
use valetkey_model::{
    AccountId, Authority, AuthorityOptions, ClientId, CorrelationId, ScopeSet, Secret,
};
use valetkey_oauth::{
    ApiId, AuthorizationCodeGrant, CacheReason, Call, ClientAuthentication, ClientInfo,
    DeviceCodeGrant, HttpRequest, HttpResponse, PkceVerifier, ProviderMetadata, RefreshTokenGrant,
    build_alias_request, build_authorization_code_request, build_device_authorization_request,
    build_device_code_request, build_refresh_token_request, decorate_scopes, merge_claims,
    parse_provider_metadata,
};

fn traces() -> Vec<Trace> {
    let text = include_str!("../../../../tests/vectors/msal/wire_traces.json");
    serde_json::from_str(text).unwrap()
}

/// A flow of `wire_traces.json`, as far as it concerns this crate.
#[derive(Deserialize)]
struct Trace {
    name: String,
    requests: Vec<Recorded>,
}

#[derive(Deserialize)]
struct Recorded {
    method: String,
    url: String,
    #[serde(default)]
    data: Pairs,
    #[serde(default)]
    headers: Pairs,
    #[serde(default)]
    params: Value,
}

/// An object's members in the order of the file, which is that of the wire.
#[derive(Default)]
struct Pairs(Vec<(String, Value)>);

#[test]
fn token_requests_are_msals_field_by_field() {
    let traces = traces();
    let mut replayed = 0;
    for (name, build) in flows().into_iter().chain(direct::flows()) {
        let trace = traces.iter().find(|trace| trace.name == name).expect(name);
        let recorded = trace.requests.iter().find(|request| request.method == "POST").expect(name);
        let request = build();
        assert_eq!(request.method, "POST", "{name}");
        assert_eq!(request.url.as_str(), recorded.url, "{name}");
        assert_eq!(form_pairs(&request), recorded.data.sent(), "{name}");
        assert!(request.asks_for_token, "{name}");
        let mut headers = header_pairs(&request.headers);
        headers.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(headers, recorded.headers.as_ours(), "{name}");
        replayed += 1;
    }
    assert_eq!(replayed, 26);
}

#[test]
fn aliases_are_asked_for_as_msal_does() {
    let traces = traces();
    let trace = traces.iter().find(|trace| trace.name == "silent: nothing in cache").unwrap();
    let [recorded] = &trace.requests[..] else { panic!("one request") };
    for authority in ["https://login.microsoftonline.com/TENANT", "https://unknown.example/TENANT"]
    {
        let authority = Authority::parse(authority, AuthorityOptions::default()).unwrap();
        let mut request = build_alias_request(&authority);
        let query: Value = request
            .url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), json!(value)))
            .collect();
        assert_eq!(query, recorded.params);
        assert_eq!(header_pairs(&request.headers), recorded.headers.as_ours());
        request.url.set_query(None);
        assert_eq!(request.url.as_str(), recorded.url);
    }
}

type Flow = (&'static str, Box<dyn Fn() -> HttpRequest>);

/// The recorded calls of this crate's grants, as an application would make them.
fn flows() -> Vec<Flow> {
    let refresh =
        |name, api, reason, token, scope, claims, account: Option<&'static str>| -> Flow {
            (name, Box::new(move || build_refresh(api, reason, token, scope, claims, account)))
        };
    let silent = |name, reason, token, scope| {
        refresh(name, ApiId::Silent, reason, token, scope, None, Some("UID.UTID"))
    };
    let challenge = Some("{\"access_token\":{\"x\":null}}");
    vec![
        ("auth code flow (second leg)", Box::new(|| build_code(true))),
        ("auth code (legacy method)", Box::new(|| build_code(false))),
        ("device: initiate", Box::new(|| build_device(None))),
        (
            "device: initiate, claims+capabilities",
            Box::new(move || build_device(merge_claims(&["CP1"], challenge).unwrap())),
        ),
        ("device: poll pending once (exit_condition true)", Box::new(build_poll)),
        ("device: expired_token", Box::new(build_poll)),
        refresh(
            "by refresh token (migration)",
            ApiId::ByRefreshToken,
            CacheReason::ForceRefresh,
            "OLDRT",
            "User.Read",
            None,
            None,
        ),
        silent("silent: expired AT -> RT", CacheReason::Expired, "RT", "User.Read"),
        silent("silent: force_refresh", CacheReason::ForceRefresh, "RT", "User.Read"),
        refresh(
            "silent: claims_challenge",
            ApiId::Silent,
            CacheReason::ForceRefresh,
            "RT",
            "User.Read",
            challenge,
            Some("UID.UTID"),
        ),
        silent("silent: aging AT, refresh ok", CacheReason::Aging, "RT", "User.Read"),
        silent("silent: aging AT, 400 -> old AT", CacheReason::Aging, "RT", "User.Read"),
        silent(
            "silent_with_error: invalid_grant basic_action",
            CacheReason::NoToken,
            "RT",
            "Other",
        ),
        silent("silent: FOCI unknown app joins family", CacheReason::NoToken, "FRT", "Files.Read"),
        silent(
            "silent: FOCI unknown app client_mismatch",
            CacheReason::NoToken,
            "FRT",
            "Files.Read",
        ),
    ]
}

fn build_refresh(
    api: ApiId,
    reason: CacheReason,
    token: &str,
    scope: &str,
    claims: Option<&str>,
    account: Option<&str>,
) -> HttpRequest {
    let grant = RefreshTokenGrant {
        refresh_token: secret(token),
        scopes: decorated(scope),
        claims: claims.map(str::to_owned),
        account: account.map(|account| AccountId::new(account).unwrap()),
    };
    let call = call(api, reason, ClientAuthentication::None);
    build_refresh_token_request(&provider(), &client_id(), &grant, &call)
}

fn build_code(with_flow: bool) -> HttpRequest {
    let uri = if with_flow { "http://localhost:1" } else { "https://app/cb" };
    let grant = AuthorizationCodeGrant {
        code: secret("C"),
        redirect_uri: Some(uri.to_owned()),
        verifier: PkceVerifier::from_text("V".repeat(43)).filter(|_| with_flow),
        scopes: decorated("User.Read"),
        claims: None,
        client_info: ClientInfo::decode("eyJ1aWQiOiAiVUlEIiwgInV0aWQiOiAiVVRJRCJ9")
            .filter(|_| with_flow),
    };
    let authentication = if with_flow {
        ClientAuthentication::None
    } else {
        ClientAuthentication::Secret(secret("SECRET"))
    };
    let call = call(ApiId::AuthCode, CacheReason::NotSilent, authentication);
    build_authorization_code_request(&provider(), &client_id(), &grant, &call)
}

fn build_device(claims: Option<String>) -> HttpRequest {
    let call = call(ApiId::DeviceCode, CacheReason::NotSilent, ClientAuthentication::None);
    let scopes = decorated("User.Read");
    build_device_authorization_request(&provider(), &client_id(), &scopes, claims.as_deref(), &call)
        .unwrap()
}

fn build_poll() -> HttpRequest {
    let call = call(ApiId::DeviceCode, CacheReason::NotSilent, ClientAuthentication::None);
    let grant = DeviceCodeGrant { device_code: secret("DC"), claims: None };
    build_device_code_request(&provider(), &client_id(), &grant, &call)
}

fn call(api: ApiId, reason: CacheReason, authentication: ClientAuthentication) -> Call {
    Call {
        api,
        reason,
        correlation_id: CorrelationId::new("<uuid>").unwrap(),
        last: "4|0|||".to_owned(),
        app_name: None,
        app_version: None,
        authentication,
    }
}

fn client_id() -> ClientId {
    ClientId::new("CID").unwrap()
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn decorated(scope: &str) -> ScopeSet {
    decorate_scopes(&ScopeSet::from_target(scope), &ScopeSet::default()).unwrap()
}

fn provider() -> ProviderMetadata {
    let at = |path: &str| format!("https://login.microsoftonline.com/TENANT/oauth2/v2.0/{path}");
    let document = json!({
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "device_authorization_endpoint": at("devicecode"),
    });
    let options = AuthorityOptions::default();
    let authority = Authority::parse("https://login.microsoftonline.com/TENANT", options).unwrap();
    parse_provider_metadata(&authority, &respond(&document)).unwrap()
}

fn respond(body: &Value) -> HttpResponse {
    HttpResponse { status: 200, headers: HeaderMap::new(), body: Bytes::from(body.to_string()) }
}

fn form_pairs(request: &HttpRequest) -> Vec<(String, String)> {
    request.form().iter().map(|(name, value)| (name.to_string(), value.to_string())).collect()
}

fn header_pairs(headers: &HeaderMap) -> Vec<(String, Value)> {
    headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap()))).collect()
}

impl Pairs {
    /// What goes over the wire: numbers as text, nothing for null.
    fn sent(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let present = self.0.iter().filter(|(_, value)| !value.is_null());
        present.map(|(name, value)| (name.clone(), text(value))).collect()
    }

    /// MSAL's headers, sorted, with our own name, version and system in the place of its own.
    fn as_ours(&self) -> Vec<(String, Value)> {
        let ours = |(name, value): &(String, Value)| {
            let value = match name.as_str() {
                "x-client-sku" => json!("valetkey"),
                "x-client-ver" => json!(env!("CARGO_PKG_VERSION")),
                "x-client-os" => json!(PYTHONS_NAME_OF_THIS_SYSTEM),
                _ => value.clone(),
            };
            (name.to_lowercase(), value)
        };
        let mut headers: Vec<_> = self.0.iter().map(ours).collect();
        headers.sort_by(|a, b| a.0.cmp(&b.0));
        headers
    }
}

const PYTHONS_NAME_OF_THIS_SYSTEM: &str = match std::env::consts::OS.as_bytes() {
    b"windows" => "win32",
    b"macos" => "darwin",
    _ => "linux",
};

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;

        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = access.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(PairsVisitor)
    }
}
