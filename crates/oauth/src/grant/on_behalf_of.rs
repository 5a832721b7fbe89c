//! A service that acts for the user who called it (RFC 7523 section 2.1, Entra's on-behalf-of).

use valetkey_model::{ClientId, ScopeSet, Secret};

use super::{Grant, build_token_request};
use crate::{Call, HttpRequest, ProviderMetadata};

/// A token that a service was called with, and what the service wants in its place.
#[derive(Clone, Debug)]
pub struct OnBehalfOfGrant {
    /// The token that came in, as it came.
    pub user_assertion: Secret,
    /// As sent, see [`crate::decorate_scopes`].
    pub scopes: ScopeSet,
    /// See [`crate::merge_claims`].
    pub claims: Option<String>,
}

/// The token request.
pub fn build_on_behalf_of_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    grant: &OnBehalfOfGrant,
    call: &Call,
) -> HttpRequest {
    let grant = Grant {
        grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer",
        claims: grant.claims.as_deref(),
        fields: &[
            ("requested_token_use", "on_behalf_of"),
            ("scope", grant.scopes.target()),
            ("assertion", grant.user_assertion.expose()),
        ],
        anchor: None,
    };
    build_token_request(provider, client_id, &grant, call)
}
