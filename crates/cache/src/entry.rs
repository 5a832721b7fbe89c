//! One thing in the cache, and a change to it.

use std::sync::Arc;

use crate::key::EntryKey;
use crate::{
    AccessToken, Account, Answer, AppMetadata, Document, Foreign, IdToken, KeptKey, RefreshToken,
};

/// One thing in the cache. Cloning shares it.
#[derive(Clone, Debug)]
pub enum Entry {
    /// An access token.
    AccessToken(Arc<AccessToken>),
    /// A refresh token.
    RefreshToken(Arc<RefreshToken>),
    /// An ID token.
    IdToken(Arc<IdToken>),
    /// A signed-in account.
    Account(Arc<Account>),
    /// Facts about a client application.
    AppMetadata(Arc<AppMetadata>),
    /// A discovery document.
    Document(Arc<Document>),
    /// A private key of an application's.
    ProofKey(Arc<KeptKey>),
    /// An answer to give again; the cache of tokens does not hold it.
    Answer(Arc<Answer>),
    /// Something of another library.
    Foreign(Arc<Foreign>),
}

impl Entry {
    /// True for what MSAL's JSON knows nothing of, and so cannot change.
    pub(crate) fn is_ours_alone(&self) -> bool {
        matches!(self, Self::Document(_) | Self::ProofKey(_))
    }
}

/// A change to save, then to apply.
#[derive(Clone, Debug)]
pub enum Change {
    /// Add the entry, or replace the one under the same key.
    Put(Entry),
    /// Drop the entry under this one's key. The entry is there so that one can see what goes, e.g. to revoke it.
    Remove(Entry),
}

impl Change {
    /// The key under which the entry is stored.
    pub fn key(&self) -> EntryKey {
        self.entry().key()
    }

    pub(crate) fn entry(&self) -> &Entry {
        match self {
            Self::Put(entry) | Self::Remove(entry) => entry,
        }
    }

    /// The refresh token that this change drops: a candidate for revocation (RFC 7009).
    pub fn removed_refresh_token(&self) -> Option<&Arc<RefreshToken>> {
        match self {
            Self::Remove(Entry::RefreshToken(token)) => Some(token),
            _ => None,
        }
    }
}
