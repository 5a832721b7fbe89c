//! Redeeming a refresh token (RFC 6749 section 6).

use valetkey_model::{AccountId, ClientId, ScopeSet, Secret};

use super::{Grant, build_token_request};
use crate::{AnchorMailbox, Call, HttpRequest, ProviderMetadata};

/// A refresh token and what it is spent on.
#[derive(Clone, Debug)]
pub struct RefreshTokenGrant {
    /// The token.
    pub refresh_token: Secret,
    /// As sent, see [`crate::decorate_scopes`].
    pub scopes: ScopeSet,
    /// See [`crate::merge_claims`].
    pub claims: Option<String>,
    /// Whose it is; none for one that an application brought along.
    pub account: Option<AccountId>,
}

/// The token request.
pub fn build_refresh_token_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    grant: &RefreshTokenGrant,
    call: &Call,
) -> HttpRequest {
    let anchor = grant.account.as_ref().map(AnchorMailbox::of_account);
    let grant = Grant {
        grant_type: "refresh_token",
        claims: grant.claims.as_deref(),
        fields: &[
            ("refresh_token", grant.refresh_token.expose()),
            ("scope", grant.scopes.target()),
        ],
        anchor: anchor.as_ref(),
    };
    build_token_request(provider, client_id, &grant, call)
}
