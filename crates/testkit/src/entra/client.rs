//! Registered applications, and by what each proves who it is.

use serde::{Deserialize, Serialize};

use super::certificate::Certificate;

/// A registered application. One that registers a way to prove itself is confidential, all others are public.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Client {
    /// The client id.
    pub id: String,
    /// The name that pages show.
    pub name: Option<String>,
    /// Whether it shares refresh tokens with Microsoft's first-party family "1".
    pub family: bool,
    /// A confidential client's secret.
    pub secret: Option<String>,
    /// Certificates (PEM) whose keys may sign its client assertions.
    pub certificates: Vec<Certificate>,
    /// Tokens of other issuers that stand for it: workload identity federation.
    pub federated_credentials: Vec<FederatedCredential>,
    /// The blueprint that this agent identity belongs to: a token that the blueprint got with
    /// `fmi_path={id of this client}` is the agent's client assertion.
    pub agent_of: Option<String>,
    /// Redirect URIs beside the loopback ones, which every client may use.
    pub redirect_uris: Vec<String>,
    /// What its own API is called beside its client id and `api://{client id}`: audiences that it may exchange on
    /// behalf of a user.
    pub identifier_uris: Vec<String>,
    /// Application permissions, which its app-only tokens carry as `roles`.
    pub roles: Vec<String>,
}

/// A token of another issuer that proves a client: GitHub's, a cluster's, or this emulator's own.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FederatedCredential {
    /// `iss` of the token.
    pub issuer: String,
    /// `sub` of the token.
    pub subject: String,
    /// `aud` of the token.
    #[serde(default = "exchange_audience")]
    pub audience: String,
    /// The issuer's certificate (PEM); without one the emulator must have signed the token itself, as it does for
    /// `POST /_emulator/assertions` and for managed identities.
    #[serde(default)]
    pub certificate: Option<Certificate>,
}

/// What a token is for that stands for a client of Entra.
pub const EXCHANGE_AUDIENCE: &str = "api://AzureADTokenExchange";

fn exchange_audience() -> String {
    EXCHANGE_AUDIENCE.to_owned()
}

impl Client {
    pub(crate) fn is_confidential(&self) -> bool {
        self.secret.is_some()
            || !self.certificates.is_empty()
            || !self.federated_credentials.is_empty()
            || self.agent_of.is_some()
    }

    /// Whether a token with this `aud` was issued for this client's API.
    pub(crate) fn is_audience(&self, audience: &str) -> bool {
        audience == self.id
            || audience.strip_prefix("api://") == Some(self.id.as_str())
            || self.identifier_uris.iter().any(|uri| uri == audience)
    }
}
