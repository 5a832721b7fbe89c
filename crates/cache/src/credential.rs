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
    /// What the provider is known to have answered by a token like this one, though it is good for more. The last first.
    pub fn asked_for(&self) -> impl Iterator<Item = ScopeSet> {
        let notes = self.extra.as_ref().and_then(|extra| extra.get(ASKED_FOR)?.as_array());
        notes.into_iter().flatten().filter_map(Value::as_str).map(ScopeSet::from_target)
    }
}

/// The same, to be kept with a token that came for `asked` in the place of `replaced`, which is good for the same.
pub(crate) fn note_asked(
    asked: Option<&ScopeSet>,
    granted: &ScopeSet,
    replaced: Option<&AccessToken>,
) -> Extra {
    let gives_more = |asked: &&ScopeSet| {
        granted.iter().any(|scope| !asked.contains(scope) && !RESERVED_SCOPES.contains(&scope))
    };
    let asked = asked.filter(gives_more).cloned();
    let earlier = replaced.into_iter().flat_map(AccessToken::asked_for);
    let earlier = earlier.filter(|scopes| Some(scopes) != asked.as_ref());
    let notes: Vec<_> = asked.iter().cloned().chain(earlier).take(MOST_NOTES).collect();
    let note = || (ASKED_FOR.to_owned(), notes.iter().map(ScopeSet::target).collect());
    (!notes.is_empty()).then(|| Box::new(Map::from_iter([note()])))
}

/// Of a token that somebody else says it of.
pub(crate) fn forget_asked(extra: &mut Extra) {
    if let Some(members) = extra {
        members.remove(ASKED_FOR);
    }
    if extra.as_ref().is_some_and(|members| members.is_empty()) {
        *extra = None;
    }
}

/// One for each of the programs that are bounded in ways of their own; more would take turns in asking the provider.
const MOST_NOTES: usize = 16;

/// A member that MSAL does not know: an array of scope lists.
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
