//! What the engine answers with.

use std::sync::Arc;

use serde_json::{Map, Value};
use valetkey_cache::AccessToken;
use valetkey_model::{AccountId, ScopeSet, Secret, UnixTime};

/// A token. Cheap to clone: every caller of one flight gets the same.
#[derive(Clone)]
pub enum TokenAnswer {
    /// It was at hand.
    Cached(Arc<AccessToken>),
    /// The provider just issued it.
    Issued(Arc<IssuedToken>),
    /// A request that was signed for its caller alone, and the answer that it stands in the place of.
    Signed(Secret, Box<TokenAnswer>),
}

/// Who issues tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// The provider.
    Provider,
    /// Azure Cloud Shell, from which the provider's come.
    CloudShell,
}

impl TokenAnswer {
    /// The access token, also where a request that was signed with it is answered in its place.
    pub fn access_token(&self) -> &Secret {
        match self {
            Self::Cached(token) => &token.secret,
            Self::Issued(token) => &token.access_token,
            Self::Signed(_, answer) => answer.access_token(),
        }
    }

    /// Whose it is; `None` for an application's own.
    pub fn account(&self) -> Option<&AccountId> {
        match self {
            Self::Cached(token) => token.home_account_id.as_ref(),
            Self::Issued(token) => token.account.as_ref(),
            Self::Signed(_, answer) => answer.account(),
        }
    }

    /// What it is good for.
    pub fn scopes(&self) -> &ScopeSet {
        match self {
            Self::Cached(token) => &token.scopes,
            Self::Issued(token) => &token.scopes,
            Self::Signed(_, answer) => answer.scopes(),
        }
    }

    /// When it expires.
    pub fn expires_on(&self) -> UnixTime {
        match self {
            Self::Cached(token) => token.expires_on,
            Self::Issued(token) => token.expires_on,
            Self::Signed(_, answer) => answer.expires_on(),
        }
    }
}

/// A token as the provider issued it, without the refresh token that came along.
pub struct IssuedToken {
    /// The access token.
    pub access_token: Secret,
    /// `Bearer`, as a rule.
    pub token_type: String,
    /// When it expires.
    pub expires_on: UnixTime,
    /// When it should be refreshed ahead of need.
    pub refresh_on: Option<UnixTime>,
    /// What it is good for.
    pub scopes: ScopeSet,
    /// The ID token.
    pub id_token: Option<Secret>,
    /// Its payload.
    pub id_token_claims: Option<Map<String, Value>>,
    /// Whose it is.
    pub account: Option<AccountId>,
    /// Who issued it.
    pub source: TokenSource,
    /// Everything else that the provider said.
    pub fields: Map<String, Value>,
}
