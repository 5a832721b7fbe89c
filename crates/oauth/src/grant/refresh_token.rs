//! Redeeming a refresh token (RFC 6749 section 6).

use valetkey_model::{AccountId, ScopeSet, Secret};

use super::{Grant, TokenCall};
use crate::{AnchorMailbox, HttpRequest};

/// A refresh token and what it is spent on.
#[derive(Clone, Copy, Debug)]
pub struct RefreshTokenGrant<'a> {
    /// The token.
    pub refresh_token: &'a Secret,
    /// The scopes as sent, see [`crate::decorate`].
    pub scope: &'a ScopeSet,
    /// Whose it is; none for one that an application brought along.
    pub account: Option<&'a AccountId>,
}

/// The token request.
pub fn redeem_refresh_token(call: &TokenCall<'_>, grant: &RefreshTokenGrant<'_>) -> HttpRequest {
    let anchor = grant.account.map(AnchorMailbox::of_account);
    call.build(&Grant {
        grant_type: "refresh_token",
        fields: &[("refresh_token", grant.refresh_token.expose())],
        scope: Some(grant.scope),
        anchor: anchor.as_ref(),
    })
}
