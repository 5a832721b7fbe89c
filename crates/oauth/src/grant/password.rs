//! A user's name and password (RFC 6749 section 4.3), for accounts that the provider manages itself. Those of a federated
//! domain go to [`crate::build_ws_trust_request`] first.

use valetkey_model::{ClientId, ScopeSet, Secret};

use super::{Grant, build_token_request};
use crate::{AnchorMailbox, Call, HttpRequest, ProviderMetadata};

/// What a person typed into an application.
#[derive(Clone, Debug)]
pub struct PasswordGrant {
    /// The user's sign-in name.
    pub username: String,
    /// The password.
    pub password: Secret,
    /// As sent, see [`crate::decorate_scopes`].
    pub scopes: ScopeSet,
    /// See [`crate::merge_claims`].
    pub claims: Option<String>,
}

/// The token request.
pub fn build_password_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    grant: &PasswordGrant,
    call: &Call,
) -> HttpRequest {
    let anchor = AnchorMailbox::of_username(&grant.username);
    let grant = Grant {
        grant_type: "password",
        claims: grant.claims.as_deref(),
        fields: &[
            ("username", &grant.username),
            ("password", grant.password.expose()),
            ("scope", grant.scopes.target()),
        ],
        anchor: Some(&anchor),
    };
    build_token_request(provider, client_id, &grant, call)
}
