//! Microsoft's list of clouds: whether a host is one of them, and which hosts are one (`spec/msal-python.md` sections 3.4
//! and 3.5).

use http::header::{ACCEPT, HeaderValue};
use serde_json::Value;
use url::Url;
use valetkey_model::{Authority, WELL_KNOWN_HOSTS};

use super::{DiscoveryError, is_secure_for};
use crate::json::{read_object, read_text};
use crate::{HttpRequest, HttpResponse, Misbehaviour};

/// The host that knows all others.
const DEFAULT_HOST: &str = "login.microsoftonline.com";

/// Hosts that are one environment under several names. Well-known hosts never change, so they need no network.
pub const KNOWN_ALIAS_GROUPS: [&[&str]; 8] = [
    &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
    &["login.partner.microsoftonline.cn", "login.chinacloudapi.cn"],
    &["login.microsoftonline.us", "login.usgovcloudapi.net"],
    &["login.microsoftonline.de"],
    &["login-us.microsoftonline.com"],
    &["login.sovcloud-identity.fr"],
    &["login.sovcloud-identity.de"],
    &["login.sovcloud-identity.sg"],
];

/// The other names of a well-known host.
pub fn known_aliases(host: &str) -> impl Iterator<Item = &str> {
    let group = KNOWN_ALIAS_GROUPS.into_iter().find(|group| group.contains(&host));
    group.into_iter().flatten().copied().filter(move |alias| *alias != host)
}

/// Why there is no list of host aliases.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AliasError {
    /// The host that knows is out of order (status 500 and above).
    #[error("list of host aliases is unavailable (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
    },
    /// Not an answer of that host at all.
    #[error("list of host aliases: {0}")]
    ServerMisbehaved(#[from] Misbehaviour),
}

/// Asks whether the host of `authority` is a cloud of Microsoft's; `endpoint` in the place of Microsoft's own list.
pub fn build_instance_discovery_request(
    authority: &Authority,
    endpoint: Option<&Url>,
) -> HttpRequest {
    let path = authority.url().path().trim_end_matches('/');
    let authorize = format!("https://{}{path}/oauth2/v2.0/authorize", authority.host());
    let url = endpoint.cloned().unwrap_or_else(|| discovery_url(DEFAULT_HOST));
    build_request(url, &authorize, "1.0")
}

/// Where the tenant's metadata is: to be fetched with [`HttpRequest::get`] and read by
/// [`super::parse_provider_metadata`]. The status is not looked at below 500: the
/// body tells.
///
/// # Errors
/// When Microsoft does not know the host.
pub fn parse_instance_discovery(
    authority: &Authority,
    response: &HttpResponse,
) -> Result<Url, DiscoveryError> {
    const MEMBER: &str = "tenant_discovery_endpoint";
    if response.status >= 500 {
        return Err(DiscoveryError::Unavailable { status: response.status });
    }
    let members = read_object(response)?;
    if read_text(&members, "error")?.as_deref() == Some("invalid_instance") {
        return Err(DiscoveryError::InvalidInstance { host: authority.host().to_owned() });
    }
    let text = read_text(&members, MEMBER)?.ok_or(Misbehaviour::Missing { member: MEMBER })?;
    let url = Url::parse(&text).map_err(|_| Misbehaviour::WrongType { member: MEMBER })?;
    if is_secure_for(authority.is_plain_http(), &url) {
        Ok(url)
    } else {
        Err(DiscoveryError::InsecureEndpoint { member: MEMBER })
    }
}

fn discovery_url(host: &str) -> Url {
    let text = format!("https://{host}/common/discovery/instance");
    #[expect(clippy::expect_used, reason = "every caller passes a constant host")]
    Url::parse(&text).expect("a constant host makes a valid URL")
}

/// Asks which hosts are one environment. The own host is asked if it is well known, else the public cloud.
pub fn build_alias_request(authority: &Authority) -> HttpRequest {
    let own = WELL_KNOWN_HOSTS.into_iter().find(|host| *host == authority.host());
    let host = own.unwrap_or(DEFAULT_HOST);
    let authorize = format!("https://{host}/common/oauth2/authorize");
    let mut request = build_request(discovery_url(host), &authorize, "1.1");
    request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    request
}

/// The groups of host names; a malformed group is left out.
///
/// # Errors
/// When the answer is none (status 400 and above, or no list of groups).
pub fn parse_aliases(response: &HttpResponse) -> Result<Vec<Vec<String>>, AliasError> {
    match response.status {
        200..=299 => {}
        status @ 500.. => return Err(AliasError::Unavailable { status }),
        status => return Err(Misbehaviour::UnexpectedStatus { status }.into()),
    }
    let members = read_object(response)?;
    let groups = members.get("metadata").and_then(Value::as_array);
    let groups = groups.ok_or(Misbehaviour::Missing { member: "metadata" })?;
    let aliases = |group: &Value| -> Option<Vec<String>> {
        let aliases = group.get("aliases")?.as_array()?;
        Some(aliases.iter().filter_map(Value::as_str).map(str::to_lowercase).collect())
    };
    Ok(groups.iter().filter_map(aliases).collect())
}

fn build_request(mut url: Url, authorization_endpoint: &str, api_version: &str) -> HttpRequest {
    url.query_pairs_mut()
        .append_pair("api-version", api_version)
        .append_pair("authorization_endpoint", authorization_endpoint);
    HttpRequest::get(url)
}
