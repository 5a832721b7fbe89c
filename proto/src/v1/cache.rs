//! Caches that a program keeps itself, in MSAL's unified schema.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
