//! From an authority to the provider's endpoints (OIDC Discovery section 4, `spec/msal-python.md` sections 3.4 and 3.6).

mod instance;
mod issuer;

use serde_json::{Map, Value};
use url::Url;
use valetkey_model::{Authority, AuthorityKind};

pub use self::instance::{
    AliasError, KNOWN_ALIAS_GROUPS, build_alias_request, build_instance_discovery_request,
    known_aliases, parse_aliases, parse_instance_discovery,
};
pub(crate) use self::issuer::issuer_matches;
use crate::json::{read_object, read_text};
use crate::{HttpRequest, HttpResponse, Misbehaviour};

/// Where a provider is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderMetadata {
    /// Who issues. ADFS may not say; Entra's multi-tenant authorities have `{tenantid}` in it.
    pub issuer: Option<String>,
    /// Where a browser signs in.
    pub authorization_endpoint: Url,
    /// Where grants are redeemed.
    pub token_endpoint: Url,
    /// RFC 8628.
    pub device_authorization_endpoint: Option<Url>,
    /// RFC 7009.
    pub revocation_endpoint: Option<Url>,
    /// OIDC RP-initiated logout.
    pub end_session_endpoint: Option<Url>,
    /// RFC 9207 section 3.
    pub authorization_response_iss_parameter_supported: bool,
    /// RFC 8414 section 2; none when the provider does not say.
    pub code_challenge_methods_supported: Option<Vec<String>>,
    /// How the redirect may carry its parameters; none when the provider does not say.
    pub response_modes_supported: Option<Vec<String>>,
    /// RFC 9449 section 5.1; none when the provider has no DPoP.
    pub dpop_signing_alg_values_supported: Option<Vec<String>>,
    /// RFC 8414 section 2; none when the provider does not say.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl ProviderMetadata {
    /// The cache's `realm`: the first path segment of the token endpoint. Entra keeps `common` there for the authority
    /// `/common`, and a GUID for a domain name.
    pub fn realm(&self) -> &str {
        self.token_endpoint
            .path()
            .split('/')
            .find(|segment| !segment.is_empty())
            .unwrap_or_default()
    }

    /// True when the redirect may come as a posted form, which keeps the code out of URLs and their logs.
    pub fn supports_form_post(&self) -> bool {
        let modes = self.response_modes_supported.as_deref().unwrap_or_default();
        modes.iter().any(|mode| mode == "form_post")
    }

    /// True when the provider takes DPoP proofs that [`crate::ProofKey`] signs.
    pub fn supports_dpop(&self) -> bool {
        let algorithms = self.dpop_signing_alg_values_supported.as_deref().unwrap_or_default();
        algorithms.iter().any(|algorithm| algorithm == "ES256")
    }

    /// True when a client's secret must come by HTTP Basic: the provider says that it takes it so, and not in the body.
    pub fn needs_secret_as_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
        let takes = |wanted: &str| methods.iter().any(|method| method == wanted);
        takes("client_secret_basic") && !takes("client_secret_post")
    }
}

/// What is read of a provider's metadata. The rest, which may be of any size, is nowhere kept.
const MEMBERS: [&str; 11] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "device_authorization_endpoint",
    "revocation_endpoint",
    "end_session_endpoint",
    "authorization_response_iss_parameter_supported",
    "code_challenge_methods_supported",
    "response_modes_supported",
    "dpop_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
];

/// How large these may be together, in bytes of JSON. Entra's are below 1 KiB.
const MAX_METADATA: usize = 16 * 1024;

/// Why an authority cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    /// The provider does not know this authority (status 400 to 499).
    #[error(
        "provider has no configuration for {authority} (status {status}); check the tenant's name or id in it, and that it reads like \"https://login.microsoftonline.com/your-tenant\""
    )]
    Refused {
        /// The authority as given.
        authority: String,
        /// The HTTP status.
        status: u16,
    },
    /// Microsoft's list of clouds has no such host.
    #[error(
        "invalid_instance: {host} is no sign-in host that Microsoft knows; if it is a private cloud's that you trust, set `validate_authority = false` for this application, as `--no-validate-authority` does for a command"
    )]
    InvalidInstance {
        /// The host that was asked about.
        host: String,
    },
    /// The provider is out of order (status 500 and above).
    #[error("provider is unavailable (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
    },
    /// Not an answer of discovery at all.
    #[error(transparent)]
    ServerMisbehaved(#[from] Misbehaviour),
    /// A provider that speaks for another one, so that its codes and tokens could be mixed up.
    #[error("metadata of {authority} names a foreign issuer, {issuer:?}")]
    ForeignIssuer {
        /// The authority as given.
        authority: String,
        /// What the metadata says; empty when it says nothing.
        issuer: String,
    },
    /// Tokens would travel in the clear.
    #[error("{member} of the provider's metadata must begin with https://")]
    InsecureEndpoint {
        /// Which endpoint.
        member: &'static str,
    },
    /// Tokens would be sent to somebody whom the authority's host does not speak for.
    #[error(
        "metadata of {authority} name {host} as {member}, which is another host; use oidc_authority if that is right"
    )]
    ForeignEndpoint {
        /// Which endpoint.
        member: &'static str,
        /// Where it is.
        host: String,
        /// The authority as given.
        authority: String,
    },
    /// The provider says which methods of PKCE it knows, and S256 is not among them.
    #[error("provider does not support PKCE with S256, without which a code can be stolen")]
    NoPkce,
}

/// `GET …/.well-known/openid-configuration`. MSAL doubles a slash at the authority's end; here it goes.
pub fn build_discovery_request(authority: &Authority) -> HttpRequest {
    let version = match authority.kind() {
        AuthorityKind::Adfs | AuthorityKind::Oidc | AuthorityKind::Dsts => "",
        AuthorityKind::Entra | AuthorityKind::B2c | AuthorityKind::Ciam => "/v2.0",
    };
    let mut url = authority.url().clone();
    let mut path = url.path().trim_end_matches('/').to_owned();
    if path.is_empty() && authority.kind() == AuthorityKind::Ciam {
        path = format!("/{}", authority.tenant());
    }
    url.set_path(&format!("{path}{version}/.well-known/openid-configuration"));
    url.set_fragment(None);
    HttpRequest::get(url)
}

/// The answer with no more than what is read of it.
///
/// # Errors
/// When that is more than any honest provider has to say.
pub fn reduce_provider_metadata(response: &HttpResponse) -> Result<HttpResponse, DiscoveryError> {
    let mut reduced = response.clone();
    if response.status == 200 {
        let mut members = read_object(response)?;
        members.retain(|name, _| MEMBERS.contains(&name.as_str()));
        reduced.body = Value::Object(members).to_string().into();
        if reduced.body.len() > MAX_METADATA {
            return Err(Misbehaviour::TooLarge { limit: MAX_METADATA }.into());
        }
    }
    Ok(reduced)
}

/// Reads and checks the provider's metadata.
///
/// # Errors
/// When the provider does not know the authority, or its metadata cannot be trusted.
pub fn parse_provider_metadata(
    authority: &Authority,
    response: &HttpResponse,
) -> Result<ProviderMetadata, DiscoveryError> {
    let members = read_metadata(authority, response)?;
    let endpoint = |name| read_endpoint(authority, &members, name);
    let metadata = ProviderMetadata {
        issuer: read_text(&members, "issuer")?,
        authorization_endpoint: endpoint("authorization_endpoint")?
            .ok_or(Misbehaviour::Missing { member: "authorization_endpoint" })?,
        token_endpoint: endpoint("token_endpoint")?
            .ok_or(Misbehaviour::Missing { member: "token_endpoint" })?,
        device_authorization_endpoint: endpoint("device_authorization_endpoint")?,
        revocation_endpoint: endpoint("revocation_endpoint")?,
        end_session_endpoint: endpoint("end_session_endpoint")?,
        authorization_response_iss_parameter_supported: members
            .get("authorization_response_iss_parameter_supported")
            .is_some_and(|supported| supported == true),
        code_challenge_methods_supported: read_texts(&members, "code_challenge_methods_supported"),
        response_modes_supported: read_texts(&members, "response_modes_supported"),
        dpop_signing_alg_values_supported: read_texts(
            &members,
            "dpop_signing_alg_values_supported",
        ),
        token_endpoint_auth_methods_supported: read_texts(
            &members,
            "token_endpoint_auth_methods_supported",
        ),
    };
    check_issuer(authority, metadata.issuer.as_deref())?;
    check_pkce(&metadata)?;
    Ok(metadata)
}

fn read_metadata(
    authority: &Authority,
    response: &HttpResponse,
) -> Result<Map<String, Value>, DiscoveryError> {
    match response.status {
        200 => {
            let mut members = read_object(response)?;
            // Whoever reads one more must keep it, too.
            members.retain(|name, _| MEMBERS.contains(&name.as_str()));
            Ok(members)
        }
        status @ 400..=499 => {
            Err(DiscoveryError::Refused { authority: authority.as_str().to_owned(), status })
        }
        status @ 500.. => Err(DiscoveryError::Unavailable { status }),
        status => Err(Misbehaviour::UnexpectedStatus { status }.into()),
    }
}

/// RFC 6749 sections 3.1 and 3.2: endpoints need TLS and have no fragment. Plain http is for a provider on this machine,
/// reached through an authority on this machine that has no TLS either.
fn read_endpoint(
    authority: &Authority,
    members: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<Url>, DiscoveryError> {
    let Some(text) = read_text(members, name)? else { return Ok(None) };
    let wrong = Misbehaviour::WrongType { member: name };
    let url = Url::parse(&text).map_err(|_| wrong.clone())?;
    if url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong.into());
    }
    if !is_secure_for(authority.is_plain_http(), &url) {
        return Err(DiscoveryError::InsecureEndpoint { member: name });
    }
    check_reach(authority, &url, name)?;
    Ok(Some(url))
}

/// In Microsoft's dialects all tenants of a host share accounts and refresh tokens, whatever path the authority has, and no
/// issuer binds the metadata to it. Whoever may put a page on a host that is not Microsoft's must not have the tokens of its
/// tenants sent elsewhere: what is sent a secret is where the authority is, or at Microsoft. (MSAL believes any endpoint.)
fn check_reach(
    authority: &Authority,
    url: &Url,
    member: &'static str,
) -> Result<(), DiscoveryError> {
    let is_sent_secrets = !matches!(member, "authorization_endpoint" | "end_session_endpoint");
    let is_bound_by_issuer = matches!(authority.kind(), AuthorityKind::Oidc | AuthorityKind::Dsts);
    if !is_sent_secrets || is_bound_by_issuer || authority.vouches_for(url) {
        return Ok(());
    }
    Err(DiscoveryError::ForeignEndpoint {
        member,
        host: url.host_str().unwrap_or_default().to_owned(),
        authority: authority.as_str().to_owned(),
    })
}

/// True when secrets may be sent to `url`, which somebody named who is himself spoken to over https; or over http on
/// loopback, and then `url` may be there too.
pub(crate) fn is_secure_for(may_be_loopback: bool, url: &Url) -> bool {
    let is_https = url.scheme() == "https" && url.has_host();
    is_https || (may_be_loopback && is_loopback_http(url))
}

pub(crate) fn is_loopback_http(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && loopback
}

/// Only generic OIDC promises an issuer that belongs to the authority; Entra's is one for all its host names.
fn check_issuer(authority: &Authority, issuer: Option<&str>) -> Result<(), DiscoveryError> {
    let generic = matches!(authority.kind(), AuthorityKind::Oidc | AuthorityKind::Dsts);
    let issuer = issuer.unwrap_or_default();
    if generic && !issuer::is_issuer_of(authority, issuer) {
        return Err(DiscoveryError::ForeignIssuer {
            authority: authority.as_str().to_owned(),
            issuer: issuer.to_owned(),
        });
    }
    Ok(())
}

/// RFC 9700 section 2.1.1. Entra supports S256 and does not say so: an absent list is no denial.
fn check_pkce(metadata: &ProviderMetadata) -> Result<(), DiscoveryError> {
    match &metadata.code_challenge_methods_supported {
        Some(methods) if !methods.iter().any(|method| method == "S256") => {
            Err(DiscoveryError::NoPkce)
        }
        _ => Ok(()),
    }
}

fn read_texts(members: &Map<String, Value>, name: &str) -> Option<Vec<String>> {
    let list = members.get(name)?.as_array()?;
    Some(list.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
pub(crate) mod tests;
