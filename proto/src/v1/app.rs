//! Client applications.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::credential::{ClientCredential, ManagedIdentity};

/// Which class of MSAL's the application is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClientKind {
    /// RFC 6749 section 2.1: runs where a user could read its credentials, so it has none.
    #[default]
    Public,
    /// RFC 6749 section 2.1: keeps a credential to itself, as a server does.
    Confidential,
    /// An Azure resource whose credential the platform keeps.
    ManagedIdentity,
}

/// MSAL's `instance_discovery`: on or off, or the URL of another discovery endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum InstanceDiscovery {
    /// On or off.
    Enabled(bool),
    /// URL of another discovery endpoint.
    Endpoint(String),
}

/// Azure's region for an application's own tokens (ESTS-R).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum AzureRegion {
    /// True: the daemon finds it out from the platform, once, within two seconds. False: none.
    Detected(bool),
    /// This one.
    Named(String),
}

/// How this application's provider is reached, where it differs from the daemon's configuration. What came by way of these
/// proxies or certificates is kept apart: whoever brings the same finds it again, and nothing of the cache that the user's
/// programs share goes that way.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NetworkSettings {
    /// Seconds to wait for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<f64>,
    /// Proxies by the scheme of the request: `{"https": "http://proxy.example.com:3128"}`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub proxies: BTreeMap<String, String>,
    /// Certificates of authorities to trust beside the system's, as PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_certificates: Option<String>,
}

/// `POST /v1/apps`: open (create or find) a client application. Either `name`, for one that the daemon's configuration
/// declares, or `client_id` with what defines it; MSAL's names and defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct OpenAppRequest {
    /// The name of `[apps.<name>]` in the daemon's configuration; goes with no other member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Public by default.
    #[serde(default)]
    pub kind: ClientKind,
    /// RFC 6749 `client_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// URL with a tenant; `https://login.microsoftonline.com/common/` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// Issuer URL of any OpenID Connect provider; goes with no `authority`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oidc_authority: Option<String>,
    /// False: the application vouches for the authority's host. True by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validate_authority: Option<bool>,
    /// On by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_discovery: Option<InstanceDiscovery>,
    /// For example `["CP1"]`; sent as the `xms_cc` claim.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_capabilities: Vec<String>,
    /// Scopes never added automatically, typically `["offline_access"]`; never `openid`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude_scopes: Vec<String>,
    /// Sent to the provider as `x-app-name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_name: Option<String>,
    /// Sent to the provider as `x-app-ver`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_version: Option<String>,
    /// `confidential`: how the application proves who it is. Whoever brings the same credential has the same application,
    /// and nobody else: its id alone opens nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<ClientCredential>,
    /// `confidential`: claims to sign into the client assertions that the daemon makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_claims: Option<Map<String, Value>>,
    /// `confidential`: the region that `client_credentials` go to; none by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_region: Option<AzureRegion>,
    /// `managed_identity`: which identity, from which source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_identity: Option<ManagedIdentity>,
    /// A name of the program's own making, random: its tokens are kept apart under it, in memory, until the application is
    /// closed or the program ends. Without it they are in the cache that the user's programs share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_cache: Option<String>,
    /// True: tokens are bound to a key that stays in the daemon (RFC 9449), refresh tokens too; a provider that does not offer
    /// DPoP with ES256 is refused. `POST …/proofs` signs the proof for each request. Goes with no `private_cache`, which would
    /// hand out refresh tokens without their key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dpop: bool,
    /// `public`: where Azure Cloud Shell gives its user's tokens, for the grant `cloud_shell`; the shell's `MSI_ENDPOINT` says,
    /// and usually it is `http://localhost:50342/oauth2/token`. What such an application has is kept apart: whoever names the
    /// same endpoint finds it again, and nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_shell_endpoint: Option<String>,
    /// How the provider is reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSettings>,
}

/// An open client application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct App {
    /// Its id: a digest of what defines it, the same for every process and after every restart.
    pub app: String,
    /// Its name in the daemon's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its class.
    pub kind: ClientKind,
    /// RFC 6749 `client_id`.
    pub client_id: String,
    /// The authority as it was given.
    pub authority: String,
}

/// `GET /v1/apps`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Apps {
    /// The open applications of the calling user, and those that the configuration declares.
    pub apps: Vec<App>,
}
