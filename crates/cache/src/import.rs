//! Taking over what another library cached: what is taken, and why the rest is not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::{Map, Value};
use valetkey_model::{AccountId, UnixTime};

use crate::credential::forget_asked;
use crate::members::section;
use crate::schema::read_sections;
use crate::{
    AccessToken, Account, Change, Counts, Entry, EntryKey, Extra, ImportError, KeyId, TokenCache,
};

/// What was read of MSAL's unified JSON: the entries, and those that make no sense.
pub struct Reading {
    /// Read by their members; of two that are the same thing the newer one.
    pub entries: Vec<Entry>,
    /// Entries with a member that is missing or of a wrong kind.
    pub unreadable: Vec<Skipped>,
}

/// What taking over entries changes.
#[derive(Default)]
pub struct Import {
    /// To save, then to apply.
    pub changes: Vec<Change>,
    /// How many of each are taken.
    pub taken: Counts,
    /// The others, by section and reason.
    pub skipped: Vec<Skipped>,
}

/// Entries that are not taken, all for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The section's name.
    pub section: Arc<str>,
    /// Why.
    pub reason: SkipReason,
    /// How many.
    pub count: usize,
}

/// Why an entry is not taken.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum SkipReason {
    /// A member is missing or of a wrong kind.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// An access token that is worth nothing any more.
    #[error("has expired")]
    Expired,
    /// A token that is worth nothing without its key (RFC 9449 section 5), which does not travel.
    #[error("is bound to a key that is not here")]
    Bound,
    /// What is here is the same, or newer.
    #[error("what is here is the same or newer")]
    NotNewer,
    /// Whoever has the application's credential has tokens of its own, in a cache of its own.
    #[error("is an application's own, and no user's")]
    OfNoUser,
    /// A service's token for the user who called it; among the user's own it would serve other calls.
    #[error("is a service's, on behalf of who called it")]
    OnBehalfOf,
}

impl TokenCache {
    /// Reads MSAL's unified JSON as [`Self::entries_from_msal_sections`] does, and passes over what cannot be read: one
    /// entry that is odd must not keep the others out.
    ///
    /// # Errors
    /// When it is no token cache.
    pub fn read_msal_sections(sections: Map<String, Value>) -> Result<Reading, ImportError> {
        let is_cache = |name: &String| section::OF_MSAL.contains(&name.as_str());
        if !sections.is_empty() && !sections.keys().any(is_cache) {
            return Err(ImportError::NoCache);
        }
        let mut unreadable = BTreeMap::new();
        let entries = read_sections(sections, |section, _, source| {
            let reason = SkipReason::Unreadable(source.to_string());
            *unreadable.entry((Arc::from(section), reason)).or_default() += 1;
            Ok(())
        })?;
        Ok(Reading { entries, unreadable: list(unreadable) })
    }

    /// What taking over these entries changes. The newer one of two tokens wins, and what is here and not among the entries
    /// stays.
    pub fn plan_import(&self, entries: Vec<Entry>, now: UnixTime) -> Import {
        let known: HashMap<EntryKey, Entry> = self.entries().map(|it| (it.key(), it)).collect();
        let mut import = Import::default();
        let mut skipped = BTreeMap::new();
        for entry in entries.into_iter().map(|entry| within_reason(entry, now)) {
            let known = known.get(&entry.key());
            match self.reason_to_skip(&entry, known, now) {
                Some(reason) => {
                    *skipped.entry((Arc::from(entry.own_section()), reason)).or_default() += 1;
                }
                None => import.take(entry, now),
            }
        }
        import.skipped = list(skipped);
        import
    }

    /// Who an account is, its provider has said: of one that is here nothing is taken, in no tenant, since rules and people
    /// go by its name.
    fn reason_to_skip(
        &self,
        found: &Entry,
        known: Option<&Entry>,
        now: UnixTime,
    ) -> Option<SkipReason> {
        match found {
            Entry::Account(it) => {
                self.account(&it.environment, &it.home_account_id).map(|_| SkipReason::NotNewer)
            }
            other => reason_to_skip(other, known, now),
        }
    }
}

impl Import {
    fn take(&mut self, entry: Entry, now: UnixTime) {
        let entry = match entry {
            Entry::Account(account) => {
                Entry::Account(Arc::new(Account { added_at: now, ..Account::clone(&account) }))
            }
            other => other,
        };
        let taken = &mut self.taken;
        match &entry {
            Entry::AccessToken(_) => taken.access_tokens += 1,
            Entry::RefreshToken(_) => taken.refresh_tokens += 1,
            Entry::IdToken(_) => taken.id_tokens += 1,
            Entry::Account(_) => taken.accounts += 1,
            Entry::AppMetadata(_) => taken.app_metadata += 1,
            Entry::Document(_) => taken.documents += 1,
            Entry::ProofKey(_) | Entry::Answer(_) | Entry::Foreign(_) => {}
        }
        self.changes.push(Change::Put(entry));
    }
}

/// A token that says to be good for ages is not asked for anew for as long; no provider issues such. For what it came, nobody
/// here has seen.
fn within_reason(entry: Entry, now: UnixTime) -> Entry {
    let latest = now.plus_seconds(LONGEST_LIFETIME_SECONDS);
    match entry {
        Entry::AccessToken(token) => {
            let mut token = AccessToken::clone(&token);
            token.expires_on = token.expires_on.min(latest);
            forget_asked(&mut token.extra);
            Entry::AccessToken(Arc::new(token))
        }
        other => other,
    }
}

/// Reasons and how often each was met, as a list.
fn list(skipped: BTreeMap<(Arc<str>, SkipReason), usize>) -> Vec<Skipped> {
    let all = skipped.into_iter();
    all.map(|((section, reason), count)| Skipped { section, reason, count }).collect()
}

fn reason_to_skip(found: &Entry, known: Option<&Entry>, now: UnixTime) -> Option<SkipReason> {
    let credential = match found {
        Entry::AccessToken(token) if token.expires_on <= now => return Some(SkipReason::Expired),
        Entry::AccessToken(token) if is_bound_to_none_of_the_programs(token) => {
            return Some(SkipReason::Bound);
        }
        Entry::RefreshToken(token) if token.key_id.is_some() && known.is_none() => {
            return Some(SkipReason::Bound);
        }
        Entry::AccessToken(token) => Some((token.home_account_id.as_ref(), &token.extra)),
        Entry::RefreshToken(token) => Some((token.home_account_id.as_ref(), &token.extra)),
        Entry::IdToken(token) => Some((token.home_account_id.as_ref(), &token.extra)),
        _ => None,
    };
    credential.and_then(|(home_account_id, extra)| is_no_users(home_account_id, extra)).or_else(
        || known.and_then(|known| (!is_newer(found, known)).then_some(SkipReason::NotNewer)),
    )
}

/// A key that a program names is at hand there. One that nothing is said of is nowhere, though the token says by its type
/// that it has one: it must not be taken for a bearer token.
fn is_bound_to_none_of_the_programs(token: &AccessToken) -> bool {
    match token.key_id {
        Some(KeyId::Foreign(_)) => false,
        Some(KeyId::Kept(_)) => true,
        None => !token.token_type.eq_ignore_ascii_case("Bearer"),
    }
}

fn is_no_users(home_account_id: Option<&AccountId>, extra: &Extra) -> Option<SkipReason> {
    let has = |name: &&str| extra.as_ref().is_some_and(|extra| extra.contains_key(*name));
    if USER_ASSERTION_HASH.iter().any(has) {
        return Some(SkipReason::OnBehalfOf);
    }
    home_account_id.is_none().then_some(SkipReason::OfNoUser)
}

fn is_newer(found: &Entry, known: &Entry) -> bool {
    match (found, known) {
        (Entry::AccessToken(found), Entry::AccessToken(known)) => {
            found.expires_on > known.expires_on
        }
        // Not every library says when. Of two that do not, the one that was kept by others until now is likelier to be good.
        (Entry::RefreshToken(found), Entry::RefreshToken(known)) => {
            let is_same = found.secret.expose() == known.secret.expose();
            let is_unknown = known.last_modified == UnixTime::default();
            !is_same && (found.last_modified > known.last_modified || is_unknown)
        }
        (Entry::AppMetadata(found), Entry::AppMetadata(known)) => {
            known.family_id.is_none() && found.family_id.is_some()
        }
        _ => false,
    }
}

impl Entry {
    /// The section that it was read from.
    fn own_section(&self) -> &str {
        match self {
            Self::Foreign(foreign) => &foreign.section,
            other => other.section(),
        }
    }
}

/// A year, in seconds.
const LONGEST_LIFETIME_SECONDS: i64 = 365 * 24 * 3600;

/// As MSAL.NET and MSAL Node mark tokens on behalf of a caller (`spec/msal-python.md` section 4.10).
const USER_ASSERTION_HASH: [&str; 2] = ["user_assertion_hash", "userAssertionHash"];
