//! Redeeming a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

use valetkey_model::{ClientId, ScopeSet, Secret};

use super::{Grant, build_token_request};
use crate::{AnchorMailbox, Call, ClientInfo, HttpRequest, PkceVerifier, ProviderMetadata};

/// What came of an authorization request.
#[derive(Clone, Debug)]
pub struct AuthorizationCodeGrant {
    /// What the redirect brought.
    pub code: Secret,
    /// The same as in the authorization request.
    pub redirect_uri: Option<String>,
    /// The one whose challenge was sent; none only for a code that an application got by itself.
    pub verifier: Option<PkceVerifier>,
    /// As sent, see [`crate::decorate_scopes`].
    pub scopes: ScopeSet,
    /// See [`crate::merge_claims`].
    pub claims: Option<String>,
    /// Of the redirect.
    pub client_info: Option<ClientInfo>,
}

/// The token request.
pub fn build_authorization_code_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    grant: &AuthorizationCodeGrant,
    call: &Call,
) -> HttpRequest {
    let anchor = grant.client_info.as_ref().map(AnchorMailbox::of_client_info);
    let verifier = grant.verifier.as_ref().map_or("", |verifier| verifier.secret().expose());
    let grant = Grant {
        grant_type: "authorization_code",
        claims: grant.claims.as_deref(),
        fields: &[
            ("code_verifier", verifier),
            ("code", grant.code.expose()),
            ("redirect_uri", grant.redirect_uri.as_deref().unwrap_or_default()),
            ("scope", grant.scopes.target()),
        ],
        anchor: anchor.as_ref(),
    };
    build_token_request(provider, client_id, &grant, call)
}
