//! An application's own token (RFC 6749 section 4.4).

use valetkey_model::{ClientId, ScopeSet};

use super::{Grant, build_token_request};
use crate::{Call, HttpRequest, ProviderMetadata};

/// An application that acts for itself. There is no user, so that no scope is added.
#[derive(Clone, Debug)]
pub struct ClientCredentialsGrant {
    /// As the application gave them.
    pub scopes: ScopeSet,
    /// See [`crate::merge_claims`].
    pub claims: Option<String>,
    /// Entra's path to a federated identity below this one.
    pub fmi_path: Option<String>,
}

/// The token request. It goes to the region's endpoint when `provider` is that of the region, see [`crate::Region`].
pub fn build_client_credentials_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    grant: &ClientCredentialsGrant,
    call: &Call,
) -> HttpRequest {
    let grant = Grant {
        grant_type: "client_credentials",
        claims: grant.claims.as_deref(),
        fields: &[
            ("fmi_path", grant.fmi_path.as_deref().unwrap_or_default()),
            ("scope", grant.scopes.target()),
        ],
        anchor: None,
    };
    build_token_request(provider, client_id, &grant, call)
}
