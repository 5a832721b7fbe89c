//! The three kinds of tokens (MSAL's schema, `spec/msal-python.md` section 4.1).

use std::sync::Arc;

use serde_json::{Map, Value};
use valetkey_model::{AccountId, ClientId, RESERVED_SCOPES, ScopeSet, Secret, UnixTime};

/// Members that this version does not know, kept for whoever does; usually none.
pub type Extra = Option<Box<Map<String, Value>>>;

/// The key that an access token is bound to. The names of those that are kept here are no secret: whatever a program names
/// is never one of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyId {
    /// A [`crate::KeptKey`].
    Kept(Arc<str>),
    /// A program's own, by the name that it gave it.
    Foreign(Arc<str>),
}

/// A cached access token, of a user or of an application itself.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The provider's host, lower case.
    pub environment: Arc<str>,
    /// Whose token; `None` for an application's own.
    pub home_account_id: Option<AccountId>,
    /// For which client application; `None` for a system-assigned managed identity.
    pub client_id: Option<ClientId>,
    /// The tenant. Compared exactly.
    pub realm: Arc<str>,
    /// What it is for.
    pub scopes: ScopeSet,
    /// Further request parameters that shaped it, as [`crate::extended_cache_key`] digests them.
    pub extension: Option<Arc<str>>,
    /// The key it is bound to (SSH certificates, proof of possession).
    pub key_id: Option<KeyId>,
    /// The token.
    pub secret: Secret,
    /// RFC 6749 section 7.1 `token_type`, as the provider wrote it.
    pub token_type: Arc<str>,
    /// When it came.
    pub cached_at: UnixTime,
    /// When it ends.
    pub expires_on: UnixTime,
    /// Until when a resource may still take it during an outage of the provider.
    pub extended_expires_on: UnixTime,
    /// From when on the provider wants it refreshed, though it is still good.
    pub refresh_on: Option<UnixTime>,
    /// Unknown members.
    pub extra: Extra,
}

impl AccessToken {
    /// What was asked for, where it is known and the provider gave more.
    pub fn asked_for(&self) -> Option<ScopeSet> {
        let asked = self.extra.as_ref()?.get(ASKED_FOR)?.as_str()?;
        Some(ScopeSet::from_target(asked))
    }
}

/// The same, to be kept with the token; nothing where the provider gave no more than that.
pub(crate) fn note_asked(asked: &ScopeSet, granted: &ScopeSet) -> Extra {
    let is_more = |scope: &str| !asked.contains(scope) && !RESERVED_SCOPES.contains(&scope);
    granted.iter().any(is_more).then(|| {
        let note = (ASKED_FOR.to_owned(), Value::from(asked.target()));
        Box::new(Map::from_iter([note]))
    })
}

/// A member that MSAL does not know.
const ASKED_FOR: &str = "asked_for";

/// A refresh token. It leaves this process for its provider only.
#[derive(Clone, Debug)]
pub struct RefreshToken {
    /// The provider's host, lower case.
    pub environment: Arc<str>,
    /// Whose token; `None` when the provider never said who signed in.
    pub home_account_id: Option<AccountId>,
    /// The client application that it was issued to.
    pub client_id: Option<ClientId>,
    /// What was granted along with it.
    pub scopes: ScopeSet,
    /// The token.
    pub secret: Secret,
    /// When it was issued or rotated.
    pub last_modified: UnixTime,
    /// The family of client applications that may share it (Entra's `foci`).
    pub family_id: Option<Arc<str>>,
    /// The [`crate::KeptKey`] that it is bound to (RFC 9449 section 5): nobody can redeem it without.
    pub key_id: Option<Arc<str>>,
    /// Unknown members.
    pub extra: Extra,
}

/// An ID token as the provider wrote it.
#[derive(Clone, Debug)]
pub struct IdToken {
    /// The provider's host, lower case.
    pub environment: Arc<str>,
    /// Who signed in.
    pub home_account_id: Option<AccountId>,
    /// At which client application.
    pub client_id: Option<ClientId>,
    /// The tenant. Compared exactly.
    pub realm: Arc<str>,
    /// The compact JWT.
    pub secret: Secret,
    /// Unknown members.
    pub extra: Extra,
}
