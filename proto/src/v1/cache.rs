//! Caches in MSAL's unified schema: those that a program keeps itself, and the one that a user's programs share.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::credential::SecretText;

/// `GET /v1/apps/{app}/cache`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cache {
    /// How often the content was changed; 0 is a cache that nothing was put into yet.
    pub version: u64,
    /// Sections of entries, refresh tokens among them: to be kept safe.
    pub cache: Map<String, Value>,
}

/// `PUT /v1/apps/{app}/cache`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ReplaceCacheRequest {
    /// Sections of entries, as this daemon or any MSAL wrote them. Unknown sections and members are kept.
    pub cache: Map<String, Value>,
}

/// The answer to `PUT /v1/apps/{app}/cache`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CacheVersion {
    /// How often the content was changed, this time included.
    pub version: u64,
}

/// `POST /v1/cache/import`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ImportCacheRequest {
    /// Sections of entries, as any MSAL wrote them. They are read by their members, whatever their keys.
    pub cache: Map<String, Value>,
}

/// The answer to `POST /v1/cache/import`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CacheImport {
    /// How many of each were taken over.
    pub taken: CacheCounts,
    /// What was not, and why.
    pub skipped: Vec<SkippedEntries>,
}

/// How many of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CacheCounts {
    /// Accounts; one person in two tenants counts twice.
    pub accounts: usize,
    /// Refresh tokens.
    pub refresh_tokens: usize,
    /// Access tokens.
    pub access_tokens: usize,
    /// ID tokens.
    pub id_tokens: usize,
    /// Client applications.
    pub app_metadata: usize,
}

/// Entries that were not taken over, all for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SkippedEntries {
    /// The section's name.
    pub section: String,
    /// Why, in words.
    pub reason: String,
    /// How many.
    pub count: usize,
}

/// `POST /v1/cache/export`: the person's own act, never a program's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ExportCacheRequest {
    /// Must be true: the person knows that the refresh tokens are in the answer, in clear.
    #[serde(default)]
    pub unencrypted: bool,
    /// The store's passphrase, where that is what protects it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<SecretText>,
}

/// The answer to `POST /v1/cache/export`.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExportedCache {
    /// Sections of entries, refresh tokens among them: to be kept safe.
    pub cache: Map<String, Value>,
}
