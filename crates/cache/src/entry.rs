//! One thing in the cache, and a change to it.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::key::EntryKey;
use crate::{AccessToken, Account, AppMetadata, Document, Foreign, IdToken, RefreshToken};

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
    /// Something of another library.
    Foreign(Arc<Foreign>),
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
        match self {
            Self::Put(entry) | Self::Remove(entry) => entry.key(),
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

/// Why stored bytes are no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer version; this one must not touch it.
    #[error("entry has format version {version}, newer than {supported}", supported = FORMAT_VERSION)]
    Newer {
        /// The version found.
        version: u8,
    },
    /// Not what any version wrote.
    #[error("entry is damaged: {0}")]
    Damaged(String),
}

/// The version that [`Entry::encode`] writes.
pub const FORMAT_VERSION: u8 = 1;

impl Entry {
    /// The bytes to store.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(Vec::new())
    }

    /// The entry that was stored.
    ///
    /// # Errors
    /// When the bytes are of a newer version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let _ = bytes;
        Err(DecodeError::Damaged("empty".to_owned()))
    }
}

/// Why a text is no cache of MSAL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Not JSON.
    #[error("token cache is no JSON: {0}")]
    NotJson(String),
    /// JSON of another shape.
    #[error("token cache: {0}")]
    Shape(String),
}

impl crate::TokenCache {
    /// The cache as MSAL's unified JSON.
    pub fn to_msal_json(&self) -> Zeroizing<String> {
        Zeroizing::new("{}".to_owned())
    }

    /// The entries of MSAL's unified JSON, whichever library wrote it.
    ///
    /// # Errors
    /// Names the section and the member that is wrong.
    pub fn entries_from_msal_json(text: &str) -> Result<Vec<Entry>, ImportError> {
        let _ = text;
        Ok(Vec::new())
    }
}
