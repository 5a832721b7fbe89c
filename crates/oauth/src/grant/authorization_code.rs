//! Redeeming a code (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

use valetkey_model::ScopeSet;

use super::{Grant, TokenCall};
use crate::{AnchorMailbox, AuthorizationCode, CodeVerifier, HttpRequest};

/// What came of an authorization request.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationCodeGrant<'a> {
    /// What the redirect brought.
    pub code: &'a AuthorizationCode,
    /// The same as in the authorization request.
    pub redirect_uri: &'a str,
    /// The one whose challenge was sent. None only for a code that an application got by itself.
    pub code_verifier: Option<&'a CodeVerifier>,
    /// The scopes as sent, see [`crate::decorate`].
    pub scope: &'a ScopeSet,
}

/// The token request.
pub fn redeem_authorization_code(
    call: &TokenCall<'_>,
    grant: &AuthorizationCodeGrant<'_>,
) -> HttpRequest {
    let anchor = grant.code.client_info.as_ref().map(AnchorMailbox::of_client_info);
    call.build(&Grant {
        grant_type: "authorization_code",
        fields: &[
            (
                "code_verifier",
                grant.code_verifier.map_or("", |verifier| verifier.secret().expose()),
            ),
            ("code", grant.code.code.expose()),
            ("redirect_uri", grant.redirect_uri),
        ],
        scope: Some(grant.scope),
        anchor: anchor.as_ref(),
    })
}
