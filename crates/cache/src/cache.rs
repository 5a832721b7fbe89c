//! The cache itself.

use crate::{Change, Entry};

/// What one user of the machine has.
#[derive(Default)]
pub struct TokenCache {}

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
        let _ = entries.into_iter();
        Self::default()
    }

    /// Makes the changes, in order.
    pub fn apply(&mut self, changes: &[Change]) {
        let _ = changes;
    }

    /// All entries, in no particular order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        std::iter::empty()
    }

    /// How much is in it.
    pub fn counts(&self) -> Counts {
        Counts::default()
    }
}
