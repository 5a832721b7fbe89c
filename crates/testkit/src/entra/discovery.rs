//! Instance discovery, tenant discovery and the key set.

use serde_json::{Value, json};
use url::{Host, Url};

use super::error::Refusal;
use super::jwt;
use super::message::{Reply, Request};
use super::origin::base_url_for;
use super::state::State;
use super::tenant::Directory;

/// Hosts that are one cloud under several names; the first is the network's, the second the cache's preference.
const CLOUDS: &[&[&str]] = &[
    &["login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"],
    &[
        "login.partner.microsoftonline.cn",
        "login.partner.microsoftonline.cn",
        "login.chinacloudapi.cn",
    ],
    &["login.microsoftonline.us", "login.microsoftonline.us", "login.usgovcloudapi.net"],
    &["login.microsoftonline.de", "login.microsoftonline.de"],
    &["login-us.microsoftonline.com", "login-us.microsoftonline.com"],
    &["login.sovcloud-identity.fr", "login.sovcloud-identity.fr"],
    &["login.sovcloud-identity.de", "login.sovcloud-identity.de"],
    &["login.sovcloud-identity.sg", "login.sovcloud-identity.sg"],
];

/// `/common/discovery/instance`: whether a host may be trusted, and which other names it has.
pub(crate) fn find_instance(state: &State, request: &Request) -> Result<Reply, Refusal> {
    let version = request.query.require("api-version")?;
    let asked = request.query.require("authorization_endpoint")?;
    let unknown = || {
        let text = "No cloud has this host.";
        Refusal::new("invalid_instance", 50_049, text)
    };
    let asked = Url::parse(asked).map_err(|_| unknown())?;
    let host = asked.host().ok_or_else(unknown)?;
    let tenant = asked
        .path_segments()
        .and_then(|mut segments| segments.next())
        .unwrap_or("common")
        .to_owned();
    let authority = match &host {
        // MSAL drops the port of the host it asks about, so a loopback host can only be the emulator.
        Host::Ipv4(address) if address.is_loopback() => format!("{}/{tenant}", state.base_url),
        Host::Ipv6(address) if address.is_loopback() => format!("{}/{tenant}", state.base_url),
        Host::Domain("localhost") => format!("{}/{tenant}", state.base_url),
        Host::Domain(name) if is_trusted(state, name) => format!("https://{name}/{tenant}"),
        _ => return Err(unknown()),
    };
    let mut body = json!({
        "tenant_discovery_endpoint": format!("{authority}/v2.0/.well-known/openid-configuration"),
        "api-version": version,
    });
    if version != "1.0" {
        body["metadata"] = CLOUDS.iter().map(|hosts| describe_cloud(hosts)).collect();
    }
    Ok(Reply::json(200, &body))
}

/// Whether Microsoft runs this host for a whole cloud.
pub(crate) fn is_central_host(host: &str) -> bool {
    CLOUDS.iter().any(|hosts| hosts.contains(&host))
}

fn is_trusted(state: &State, host: &str) -> bool {
    is_central_host(host) || state.trusted_hosts.iter().any(|trusted| trusted == host)
}

fn describe_cloud(hosts: &[&str]) -> Value {
    let mut aliases = hosts.to_vec();
    aliases.dedup();
    json!({"preferred_network": hosts[0], "preferred_cache": hosts[1], "aliases": aliases})
}

/// The tenant's `openid-configuration`.
pub(crate) fn describe_tenant(state: &State, directory: &Directory, request: &Request) -> Reply {
    let base_url = base_url_for(&state.base_url, request);
    let mut document = json!({
        "issuer": directory.document_issuer(&state.base_url),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic", "private_key_jwt", "none"],
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "preferred_username", "name", "tid", "oid", "ver"],
    });
    let endpoints = if state.generic_oidc {
        GENERIC_ENDPOINTS
    } else if directory.is_adfs() {
        ADFS_ENDPOINTS
    } else {
        ENTRA_ENDPOINTS
    };
    for (member, suffix) in endpoints {
        document[member] = Value::from(directory.url(&base_url, suffix));
    }
    if state.generic_oidc {
        document["grant_types_supported"] = json!([
            "authorization_code",
            "refresh_token",
            "urn:ietf:params:oauth:grant-type:device_code"
        ]);
    } else {
        document["tenant_region_scope"] = Value::Null;
        document["cloud_instance_name"] = json!("microsoftonline.com");
        document["msgraph_host"] = json!("graph.microsoft.com");
    }
    if state.settings.authorization_response_iss {
        document["authorization_response_iss_parameter_supported"] = json!(true);
    }
    Reply::json(200, &document)
}

/// The signing keys.
pub(crate) fn list_keys(state: &State) -> Reply {
    Reply::json(200, &jwt::key_set(&state.key))
}

type Endpoints = &'static [(&'static str, &'static str)];

const ENTRA_ENDPOINTS: Endpoints = &[
    ("authorization_endpoint", "oauth2/v2.0/authorize"),
    ("token_endpoint", "oauth2/v2.0/token"),
    ("device_authorization_endpoint", "oauth2/v2.0/devicecode"),
    ("end_session_endpoint", "oauth2/v2.0/logout"),
    ("jwks_uri", "discovery/v2.0/keys"),
    ("userinfo_endpoint", "oidc/userinfo"),
];

const ADFS_ENDPOINTS: Endpoints = &[
    ("authorization_endpoint", "oauth2/authorize/"),
    ("token_endpoint", "oauth2/token/"),
    ("device_authorization_endpoint", "oauth2/devicecode"),
    ("end_session_endpoint", "oauth2/logout"),
    ("jwks_uri", "discovery/keys"),
    ("userinfo_endpoint", "oidc/userinfo"),
];

const GENERIC_ENDPOINTS: Endpoints = &[
    ("authorization_endpoint", "authorize"),
    ("token_endpoint", "token"),
    ("device_authorization_endpoint", "device"),
    ("end_session_endpoint", "logout"),
    ("revocation_endpoint", "revoke"),
    ("jwks_uri", "jwks"),
    ("userinfo_endpoint", "userinfo"),
];
