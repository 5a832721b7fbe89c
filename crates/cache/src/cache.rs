//! The cache itself: what it is made of, and how changes are made.

use std::collections::HashMap;
use std::sync::Arc;

use crate::access_tokens::AccessTokens;
use crate::apps::Apps;
use crate::names::Names;
use crate::owners::{Belongings, Owners};
use crate::proof_keys::ProofKeys;
use crate::{Change, Document, Entry, Foreign};

/// What one user of the machine has. See the crate's head for how to change it.
#[derive(Default)]
pub struct TokenCache {
    pub(crate) access_tokens: AccessTokens,
    pub(crate) owners: Owners,
    pub(crate) names: Names,
    pub(crate) apps: Apps,
    pub(crate) documents: HashMap<Arc<str>, Arc<Document>>,
    pub(crate) proof_keys: ProofKeys,
    foreign: HashMap<Arc<str>, Arc<Foreign>>,
    version: u64,
    size: usize,
}

/// How much is in a cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Access tokens, the expired ones included.
    pub access_tokens: usize,
    /// Refresh tokens.
    pub refresh_tokens: usize,
    /// ID tokens.
    pub id_tokens: usize,
    /// Accounts; one person in two tenants counts twice.
    pub accounts: usize,
    /// Client applications.
    pub app_metadata: usize,
    /// Discovery documents.
    pub documents: usize,
}

impl TokenCache {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// A cache of stored entries; of two under one key the later one counts.
    pub fn from_entries(entries: impl IntoIterator<Item = Entry>) -> Self {
        let mut cache = Self::default();
        entries.into_iter().for_each(|entry| cache.put(entry));
        cache
    }

    /// How often its content was changed, as [`Self::to_msal_json`] shows it.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Makes the changes, in order.
    pub fn apply(&mut self, changes: &[Change]) {
        self.version += u64::from(changes.iter().any(|change| !change.entry().is_ours_alone()));
        for change in changes {
            match change {
                Change::Put(entry) => self.put(entry.clone()),
                Change::Remove(entry) => self.remove(entry),
            }
        }
    }

    /// Puts other entries in the place of all that are there. Documents and keys stay: they are nobody's tokens.
    pub fn plan_replacement(&self, entries: Vec<Entry>) -> Vec<Change> {
        let old = self.entries().filter(|entry| !entry.is_ours_alone());
        old.map(Change::Remove).chain(entries.into_iter().map(Change::Put)).collect()
    }

    /// All entries, in no particular order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        let access_tokens = self.access_tokens.iter().cloned().map(Entry::AccessToken);
        let owned = self.owners.iter().flat_map(|it| {
            let accounts = it.accounts.iter().cloned().map(Entry::Account);
            let id_tokens = it.id_tokens.iter().cloned().map(Entry::IdToken);
            let refresh_tokens = it.refresh_tokens.iter().cloned().map(Entry::RefreshToken);
            accounts.chain(id_tokens).chain(refresh_tokens)
        });
        let apps = self.apps.iter().cloned().map(Entry::AppMetadata);
        let documents = self.documents.values().cloned().map(Entry::Document);
        let keys = self.proof_keys.iter().cloned().map(Entry::ProofKey);
        let foreign = self.foreign.values().cloned().map(Entry::Foreign);
        access_tokens.chain(owned).chain(apps).chain(documents).chain(keys).chain(foreign)
    }

    /// How much is in it. Visits every account: for a status page, not for a token request.
    pub fn counts(&self) -> Counts {
        let sum = |count: fn(&Belongings) -> usize| self.owners.iter().map(count).sum();
        Counts {
            access_tokens: self.access_tokens.len(),
            refresh_tokens: sum(|it| it.refresh_tokens.len()),
            id_tokens: sum(|it| it.id_tokens.len()),
            accounts: sum(|it| it.accounts.len()),
            app_metadata: self.apps.len(),
            documents: self.documents.len(),
        }
    }

    /// About how many bytes of memory it takes up.
    pub fn size(&self) -> usize {
        self.size
    }

    fn put(&mut self, mut entry: Entry) {
        self.names.share(&mut entry);
        self.size += entry.size();
        let replaced = match entry {
            Entry::AccessToken(token) => self.access_tokens.insert(token).map(Entry::AccessToken),
            Entry::RefreshToken(token) => {
                self.owners.put_refresh_token(&token).map(Entry::RefreshToken)
            }
            Entry::IdToken(token) => self.owners.put_id_token(&token).map(Entry::IdToken),
            Entry::Account(account) => self.owners.put_account(&account).map(Entry::Account),
            Entry::AppMetadata(app) => self.apps.put(app).map(Entry::AppMetadata),
            Entry::Document(document) => {
                self.documents.insert(Arc::clone(&document.url), document).map(Entry::Document)
            }
            Entry::ProofKey(key) => self.proof_keys.put(key).map(Entry::ProofKey),
            answer @ Entry::Answer(_) => Some(answer),
            Entry::Foreign(foreign) => {
                self.foreign.insert(Arc::clone(&foreign.section), foreign).map(Entry::Foreign)
            }
        };
        self.size -= replaced.map_or(0, |gone| gone.size());
    }

    fn remove(&mut self, entry: &Entry) {
        let removed = match entry {
            Entry::AccessToken(token) => self.access_tokens.remove(token).map(Entry::AccessToken),
            Entry::RefreshToken(token) => {
                self.owners.remove_refresh_token(token).map(Entry::RefreshToken)
            }
            Entry::IdToken(token) => self.owners.remove_id_token(token).map(Entry::IdToken),
            Entry::Account(account) => self.owners.remove_account(account).map(Entry::Account),
            Entry::AppMetadata(app) => self.apps.remove(app).map(Entry::AppMetadata),
            Entry::Document(document) => self.documents.remove(&document.url).map(Entry::Document),
            Entry::ProofKey(key) => self.proof_keys.remove(key).map(Entry::ProofKey),
            Entry::Answer(_) => None,
            Entry::Foreign(foreign) => self.foreign.remove(&foreign.section).map(Entry::Foreign),
        };
        self.size -= removed.map_or(0, |gone| gone.size());
    }
}
