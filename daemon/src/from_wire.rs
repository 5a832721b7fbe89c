//! Requests of the wire become the engine's. With `to_wire.rs` the only place that sees both.

use std::fmt::Display;
use std::sync::Arc;

use serde_json::{Map, Value};
use url::Url;
use valetkey_cache::{Entry, Reading, TokenCache};
use valetkey_engine::{
    ClientApplication, ClientType, Completion, Definition, FlowKind, FlowRequest, Hints,
    InstanceDiscovery, RegionWish,
};
use valetkey_model::{Authority, AuthorityOptions, ClientId, CorrelationId, ScopeSet, Secret};
use valetkey_oauth::Region;
use valetkey_proto::v1;
use valetkey_proto::v1::ErrorCode;

use crate::failure::Failure;

/// How long an interactive flow waits for the person when its starter does not say, in seconds.
const INTERACTIVE_SECONDS: u32 = 600;
/// The longest that a starter may ask for.
const LONGEST_INTERACTIVE_SECONDS: u32 = 3600;
/// What `params` may carry; anything else could override what the flow's security rests on.
const AUTHORIZE_PARAMS: [&str; 4] = ["display", "ui_locales", "id_token_hint", "acr_values"];
/// How many capabilities an application may have, and how long each may be, in bytes. `CP1` is the only one there is.
const MAX_CAPABILITIES: usize = 64;
const MAX_CAPABILITY: usize = 64;
/// How much text the scopes of one list may be, in bytes.
const MAX_SCOPES: usize = 16 * 1024;
/// The longest text of a sign-in's start, in bytes. Browsers and providers take no longer URLs than a few of these.
const MAX_HINT: usize = 4 * 1024;
/// How long the claims may be, in bytes, that an application keeps for its assertions.
const MAX_CLAIMS: usize = 8 * 1024;
/// Longest free text that is passed on to a provider, in bytes.
const MAX_TEXT: usize = 64 * 1024;

mod consent;
mod credential;
mod managed_identity;
mod network;
mod proof;
mod token;

pub use consent::prompt_answer;
pub use credential::{check_validity, credential};
pub use managed_identity::{managed_identity, resource_token_request};
pub use proof::proof_request;
pub use token::{TokenRequest, token_request};

/// What defines the application that is to be opened, but for its credential, which is opened by itself.
///
/// # Errors
/// When a member is missing, cannot be, or contradicts another.
pub fn definition(request: &v1::OpenAppRequest) -> Result<Definition, Failure> {
    let client_id = request.client_id.as_deref().ok_or_else(|| {
        Failure::bad_member(
            "client_id",
            "missing; give it, or the `name` of an application in the configuration",
        )
    })?;
    // Providers drop it, and the policy would know the application no more.
    if client_id.trim() != client_id {
        return Err(Failure::bad_member("client_id", "has a blank at its beginning or end"));
    }
    refuse_members_of_other_kinds(request)?;
    let definition = Definition {
        client_id: ClientId::new(client_id)
            .map_err(|error| Failure::bad_member("client_id", error))?,
        authority: authority(request)?,
        instance_discovery: match &request.instance_discovery {
            None | Some(v1::InstanceDiscovery::Enabled(true)) => InstanceDiscovery::Enabled,
            Some(v1::InstanceDiscovery::Enabled(false)) => InstanceDiscovery::Disabled,
            Some(v1::InstanceDiscovery::Endpoint(url)) => {
                InstanceDiscovery::At(instance_discovery_endpoint(url)?)
            }
        },
        capabilities: capabilities(&request.client_capabilities)?,
        exclude_scopes: scopes("exclude_scopes", &request.exclude_scopes)?,
        app_name: header_text("app_name", request.app_name.as_deref())?,
        app_version: header_text("app_version", request.app_version.as_deref())?,
        client_type: match request.kind {
            v1::ClientKind::Confidential => ClientType::Confidential,
            v1::ClientKind::Public | v1::ClientKind::ManagedIdentity => ClientType::Public,
        },
        credential: None,
        client_claims: client_claims(request)?,
        region: request.azure_region.as_ref().map(region).transpose()?.flatten(),
        route: match &request.network {
            Some(settings) => network::from_wire(settings)?.map(Arc::new),
            None => None,
        },
        dpop: request.dpop,
        cloud_shell: request.cloud_shell_endpoint.as_deref().map(cloud_shell).transpose()?,
        partition: None,
        declared_as: None,
    };
    definition.check().map_err(|error| Failure::request(ErrorCode::BadRequest, error.to_string()))
}

/// Which of them may be asked is the policy's affair: it lists them.
fn instance_discovery_endpoint(text: &str) -> Result<Url, Failure> {
    let refused = |reason: &dyn Display| Failure::bad_member("instance_discovery", reason);
    if text.len() > MAX_HINT {
        return Err(refused(&format!("is longer than {MAX_HINT} bytes")));
    }
    Url::parse(text).map_err(|_| refused(&"must be true, false or the URL of an endpoint"))
}

/// Where that may be, the policy says.
fn cloud_shell(text: &str) -> Result<Url, Failure> {
    let refused = |reason: &dyn Display| Failure::bad_member("cloud_shell_endpoint", reason);
    if text.len() > MAX_HINT {
        return Err(refused(&format!("is longer than {MAX_HINT} bytes")));
    }
    Url::parse(text).map_err(|_| refused(&"must be a URL"))
}

fn client_claims(request: &v1::OpenAppRequest) -> Result<Option<Map<String, Value>>, Failure> {
    let Some(claims) = &request.client_claims else { return Ok(None) };
    if Value::from(claims.clone()).to_string().len() > MAX_CLAIMS {
        let reason = format!("longer than {MAX_CLAIMS} bytes");
        return Err(Failure::bad_member("client_claims", reason));
    }
    Ok(Some(claims.clone()))
}

fn capabilities(given: &[String]) -> Result<Vec<String>, Failure> {
    if given.len() > MAX_CAPABILITIES || given.iter().any(|one| one.len() > MAX_CAPABILITY) {
        let reason = format!("at most {MAX_CAPABILITIES} of {MAX_CAPABILITY} bytes each");
        return Err(Failure::bad_member("client_capabilities", reason));
    }
    Ok(given.to_vec())
}

/// A member that another kind of application has was meant to do something; doing nothing with it would be a trap.
fn refuse_members_of_other_kinds(request: &v1::OpenAppRequest) -> Result<(), Failure> {
    let is_confidential = request.kind == v1::ClientKind::Confidential;
    let confidential = [
        ("credential", request.credential.is_some()),
        ("client_claims", request.client_claims.is_some()),
        ("azure_region", request.azure_region.is_some()),
    ];
    if let Some((member, _)) = confidential.iter().find(|(_, given)| *given && !is_confidential) {
        return Err(Failure::bad_member(member, "only a confidential client has one"));
    }
    if is_confidential && request.cloud_shell_endpoint.is_some() {
        return Err(Failure::bad_member("cloud_shell_endpoint", "only a public client has one"));
    }
    if request.kind == v1::ClientKind::ManagedIdentity || request.managed_identity.is_some() {
        let reason = "a managed identity is opened by managed_identity alone, and by nothing else";
        return Err(Failure::bad_member("kind", reason));
    }
    check_private_cache(request)
}

fn check_private_cache(request: &v1::OpenAppRequest) -> Result<(), Failure> {
    match &request.private_cache {
        Some(_) if request.dpop => {
            Err(Failure::bad_member("private_cache", "goes with no dpop, whose keys stay here"))
        }
        Some(name) if !(16..=128).contains(&name.len()) => {
            Err(Failure::bad_member("private_cache", "must be 16 to 128 random characters"))
        }
        _ => Ok(()),
    }
}

fn region(region: &v1::AzureRegion) -> Result<Option<RegionWish>, Failure> {
    Ok(match region {
        v1::AzureRegion::Detected(true) => Some(RegionWish::Detected),
        v1::AzureRegion::Detected(false) => None,
        v1::AzureRegion::Named(name) => {
            let region = Region::new(name);
            let region = region.map_err(|error| Failure::bad_member("azure_region", error))?;
            Some(RegionWish::Named(region))
        }
    })
}

fn authority(request: &v1::OpenAppRequest) -> Result<Authority, Failure> {
    let given = |text: &Option<String>| text.as_ref().filter(|text| !text.is_empty()).cloned();
    let (text, oidc) = match (given(&request.authority), given(&request.oidc_authority)) {
        (Some(_), Some(_)) => {
            return Err(Failure::bad_member(
                "oidc_authority",
                "give either authority or oidc_authority, not both",
            ));
        }
        (None, Some(text)) => (text, true),
        (Some(text), None) => (text, false),
        (None, None) => (Authority::DEFAULT.to_owned(), false),
    };
    let options = AuthorityOptions { oidc, validate: request.validate_authority.unwrap_or(true) };
    Authority::parse(&text, options)
        .map_err(|error| Failure::request(ErrorCode::InvalidAuthority, error.to_string()))
}

/// A sign-in flow.
///
/// # Errors
/// When a member cannot be, or does not go with the flow's kind.
pub fn flow_request(
    app: Arc<ClientApplication>,
    request: v1::StartFlowRequest,
    correlation_id: CorrelationId,
) -> Result<FlowRequest, Failure> {
    refuse_foreign_members(&request)?;
    refuse_long_members(&request)?;
    let auth_scheme = proof::auth_scheme(&app, request.auth_scheme)?;
    let fields = token::fields(&app, auth_scheme.as_ref(), request.data)?;
    if let Some(param) =
        request.params.keys().find(|param| !AUTHORIZE_PARAMS.contains(&param.as_str()))
    {
        let reason = format!("{param:?} is none of {}", AUTHORIZE_PARAMS.join(", "));
        return Err(Failure::bad_member("params", reason));
    }
    let kind = match request.kind {
        v1::FlowKind::DeviceCode => FlowKind::DeviceCode,
        v1::FlowKind::AuthCode => FlowKind::AuthCode {
            redirect_uri: request.redirect_uri,
            state: request.state,
            response_mode: request.response_mode,
        },
        v1::FlowKind::Interactive => FlowKind::Interactive {
            port: request.port.filter(|port| *port != 0),
            timeout_seconds: request
                .timeout
                .unwrap_or(INTERACTIVE_SECONDS)
                .clamp(1, LONGEST_INTERACTIVE_SECONDS),
            extra_scopes: scopes("extra_scopes_to_consent", &request.extra_scopes_to_consent)?,
        },
    };
    Ok(FlowRequest {
        app,
        kind,
        scopes: scopes("scopes", &request.scopes)?,
        claims_challenge: request
            .claims_challenge
            .map(|claims| short("claims_challenge", claims))
            .transpose()?,
        hints: Hints {
            prompt: request.prompt,
            login_hint: request.login_hint,
            domain_hint: request.domain_hint,
            max_age: request.max_age,
            others: request.params,
        },
        fields,
        auth_scheme,
        correlation_id,
    })
}

/// What the caller of an auth code flow brings back to it.
///
/// # Errors
/// When a member cannot be.
pub fn completion(
    app: &ClientApplication,
    request: v1::CompleteFlowRequest,
) -> Result<Completion, Failure> {
    let scopes = request.scopes.map(|list| scopes("scopes", &list)).transpose()?;
    let client_assertion = request.client_assertion.map(|assertion| Secret::new(assertion.0));
    let fields = token::fields(app, None, request.data)?;
    Ok(Completion { parameters: request.auth_response, scopes, client_assertion, fields })
}

/// A member that another kind of flow knows was meant to do something; doing nothing with it would be a trap.
fn refuse_foreign_members(request: &v1::StartFlowRequest) -> Result<(), Failure> {
    use v1::FlowKind::{AuthCode, DeviceCode, Interactive};
    let is_given = [
        ("redirect_uri", request.redirect_uri.is_some(), &[AuthCode][..]),
        ("state", request.state.is_some(), &[AuthCode]),
        ("response_mode", request.response_mode.is_some(), &[AuthCode]),
        ("prompt", request.prompt.is_some(), &[AuthCode, Interactive]),
        ("login_hint", request.login_hint.is_some(), &[AuthCode, Interactive]),
        ("domain_hint", request.domain_hint.is_some(), &[AuthCode, Interactive]),
        ("max_age", request.max_age.is_some(), &[AuthCode, Interactive]),
        ("params", !request.params.is_empty(), &[AuthCode, Interactive]),
        ("extra_scopes_to_consent", !request.extra_scopes_to_consent.is_empty(), &[Interactive]),
        ("port", request.port.is_some(), &[Interactive]),
        ("timeout", request.timeout.is_some(), &[Interactive]),
        ("data", !request.data.is_empty(), &[DeviceCode, Interactive]),
    ];
    match is_given.iter().find(|(_, given, kinds)| *given && !kinds.contains(&request.kind)) {
        Some((member, ..)) => {
            Err(Failure::bad_member(member, "does not go with this kind of flow"))
        }
        None => Ok(()),
    }
}

/// An open flow keeps what it was started with.
fn refuse_long_members(request: &v1::StartFlowRequest) -> Result<(), Failure> {
    let members = [
        ("redirect_uri", &request.redirect_uri),
        ("state", &request.state),
        ("response_mode", &request.response_mode),
        ("prompt", &request.prompt),
        ("login_hint", &request.login_hint),
        ("domain_hint", &request.domain_hint),
    ];
    let given = members.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?)));
    let others = request.params.iter().chain(&request.data);
    let others = others.map(|(name, text)| (name.as_str(), text));
    match given.chain(others).find(|(_, text)| text.len() > MAX_HINT) {
        Some((name, _)) => Err(Failure::bad_member(name, format!("longer than {MAX_HINT} bytes"))),
        None => Ok(()),
    }
}

/// What is to be in a private cache.
///
/// # Errors
/// When a section, an entry or a member cannot be.
pub fn cache_entries(request: v1::ReplaceCacheRequest) -> Result<Vec<Entry>, Failure> {
    TokenCache::entries_from_msal_sections(request.cache)
        .map_err(|error| Failure::bad_member("cache", error))
}

/// What is to be taken over of another library's cache.
///
/// # Errors
/// When it is no cache.
pub fn foreign_cache(request: v1::ImportCacheRequest) -> Result<Reading, Failure> {
    TokenCache::read_msal_sections(request.cache)
        .map_err(|error| Failure::bad_member("cache", error))
}

/// The caller's correlation id, or `fresh`.
///
/// # Errors
/// When it could forge a header or a log line.
pub fn correlation_id(given: Option<&str>, fresh: CorrelationId) -> Result<CorrelationId, Failure> {
    match given {
        Some(text) if !text.is_ascii() => {
            Err(Failure::bad_member("correlation_id", "must be ASCII"))
        }
        Some(text) => {
            CorrelationId::new(text).map_err(|error| Failure::bad_member("correlation_id", error))
        }
        None => Ok(fresh),
    }
}

/// A scope set of a request's member.
///
/// # Errors
/// When a scope has characters that none can have.
pub fn scopes(member: &str, list: &[String]) -> Result<ScopeSet, Failure> {
    if list.iter().map(|scope| scope.len() + 1).sum::<usize>() > MAX_SCOPES {
        return Err(Failure::bad_member(member, format!("more than {MAX_SCOPES} bytes in all")));
    }
    ScopeSet::new(list).map_err(|error| Failure::bad_member(member, error))
}

fn short(member: &str, text: String) -> Result<String, Failure> {
    if text.len() > MAX_TEXT {
        return Err(Failure::bad_member(member, format!("longer than {MAX_TEXT} bytes")));
    }
    Ok(text)
}

fn header_text(member: &str, text: Option<&str>) -> Result<Option<String>, Failure> {
    match text {
        Some(text)
            if text.len() > 256 || !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) =>
        {
            Err(Failure::bad_member(
                member,
                "goes into a header: at most 256 printable ASCII characters",
            ))
        }
        text => Ok(text.filter(|text| !text.is_empty()).map(str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn define(request: &v1::OpenAppRequest) -> Result<Definition, Failure> {
        definition(request)
    }

    fn check_refused<T>(outcome: Result<T, Failure>, member: &str) {
        match outcome.err() {
            Some(Failure::Request { description, .. }) => {
                assert!(description.starts_with(member), "{description}");
            }
            other => panic!("{member}: {other:?}"),
        }
    }

    #[test]
    fn what_an_application_is_defined_by_is_bounded() {
        let usual = || v1::OpenAppRequest { client_id: Some("c".into()), ..Default::default() };
        let with_capabilities =
            |list| define(&v1::OpenAppRequest { client_capabilities: list, ..usual() });
        assert!(with_capabilities(vec!["x".repeat(64); 64]).is_ok());
        check_refused(with_capabilities(vec!["x".repeat(64); 65]), "client_capabilities");
        check_refused(with_capabilities(vec!["x".repeat(65)]), "client_capabilities");
        let excluding = |list| define(&v1::OpenAppRequest { exclude_scopes: list, ..usual() });
        assert!(excluding(vec!["x".repeat(MAX_SCOPES - 1)]).is_ok());
        check_refused(excluding(vec!["x".to_owned(); MAX_SCOPES]), "exclude_scopes");
        let authority = format!("https://login.contoso.com/{}", "a".repeat(2048));
        let refused = define(&v1::OpenAppRequest { authority: Some(authority), ..usual() });
        check_refused(refused, "authority is longer");
    }

    #[test]
    fn what_a_sign_in_is_started_with_is_bounded() {
        let long = || "x".repeat(MAX_HINT + 1);
        let usual = v1::OpenAppRequest { client_id: Some("c".into()), ..Default::default() };
        let app = Arc::new(ClientApplication::open(define(&usual).unwrap()));
        let start = |change: &dyn Fn(&mut v1::StartFlowRequest)| {
            let text = r#"{"kind":"auth_code","scopes":["x"]}"#;
            let mut request = serde_json::from_str(text).unwrap();
            change(&mut request);
            let id = CorrelationId::from_random([0; 16]);
            flow_request(Arc::clone(&app), request, id)
        };
        assert!(start(&|_| {}).is_ok());
        check_refused(start(&|it| it.state = Some(long())), "state");
        check_refused(start(&|it| it.redirect_uri = Some(long())), "redirect_uri");
        check_refused(start(&|it| it.login_hint = Some(long())), "login_hint");
        let add_locales = |it: &mut v1::StartFlowRequest| {
            it.params.insert("ui_locales".to_owned(), long());
        };
        check_refused(start(&add_locales), "ui_locales");
    }
}
