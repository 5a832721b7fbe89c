//! `GET /v1/status`: what runs, and how safely it keeps what it holds; and the verbs that change how.

use serde::{Deserialize, Serialize};

/// The daemon's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_seconds: i64,
    /// The endpoint it listens on.
    pub socket: String,
    /// True when the store waits for a passphrase (`POST /v1/unlock`).
    pub locked: bool,
    /// Where the wrapping key is.
    pub key: KeyStatus,
    /// Where the tokens are.
    pub store: StoreStatus,
    /// When the store is locked by itself.
    #[serde(default)]
    pub auto_lock: AutoLock,
    /// What the daemon was told by its administrator or user.
    #[serde(default)]
    pub configuration: ConfigurationStatus,
    /// What the kernel keeps the daemon from, and the daemon's keys.
    #[serde(default)]
    pub protection: ProtectionStatus,
    /// How many of each the calling user has.
    pub counts: Counts,
    /// Of a daemon that serves several users of the machine: what the calling user is to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceStatus>,
}

/// What a user is to a daemon that serves several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceStatus {
    /// Whether the user administers it.
    pub administrator: bool,
    /// True when the user has locked what is theirs: `POST /v1/unlock` opens it again, with an empty passphrase.
    pub locked_by_you: bool,
}

/// The configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConfigurationStatus {
    /// The file that is in force; absent when there is none and the defaults hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// While there is none: where one would be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_at: Option<String>,
    /// Why the file as it is now is not in force, with the line; what it said before is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Settings that were changed and take effect at the next start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub at_next_start: Vec<String>,
}

/// What the kernel keeps the daemon from, in case somebody else has taken it over, and the daemon's keys. Nothing of it is to be
/// had on every system; what the daemon does without is `false` or `none`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProtectionStatus {
    /// From changing files that are not its own, and from starting programs (Landlock).
    pub files: Held,
    /// From system calls that it never makes (seccomp).
    pub system_calls: bool,
    /// How many of the keys in its memory may be written to the swap, since the limit on locked memory is too low.
    pub keys_in_swap: usize,
    /// True while the process that looks at callers for the daemon does not answer. Where the policy looks at programs, it
    /// refuses whom nobody has looked at.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub callers_unseen: bool,
}

/// How much of something holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// All of it.
    All,
    /// What an older kernel knows of.
    Part,
    /// Nothing.
    #[default]
    None,
}

/// Where the key that protects the store is, and how it is protected itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeyStatus {
    /// `keyring`, `credential`, `passphrase` or `file`.
    pub provider: String,
    /// In words, for a person: where the key is and who can read it.
    pub protection: String,
    /// True when the store is new and its passphrase is yet to be chosen: what `POST /v1/unlock` brings will be the one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub to_be_chosen: bool,
    /// The file that the configuration names, from which the passphrase is read at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase_file: Option<String>,
    /// When the wrapping key was made, in seconds since the epoch; absent when an older version made it, or it is not at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made_at: Option<i64>,
    /// The same of the oldest key that seals records.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_made_at: Option<i64>,
    /// How many records the keys protect, those of other users included; absent while the store is locked, and to those who do
    /// not administer a daemon that serves several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub records: Option<u64>,
    /// True while records are sealed anew, after a rotation or by a newer version.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealing_anew: bool,
}

/// When the store is locked by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AutoLock {
    /// After so many seconds without a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_idle: Option<u64>,
    /// With `screen`, `sleep` or both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<String>,
    /// Why these are not noticed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StoreStatus {
    /// Its folder.
    pub path: String,
    /// Damage that was found, and what became of it; a key that the configuration asks for and that the store does not have.
    /// Empty when all is well.
    pub problems: Vec<String>,
    /// Changes that could not be written yet (disk full, read-only); 0 when all is well.
    pub unsaved: usize,
}

/// How many of each the calling user has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Counts {
    /// Open client applications.
    pub apps: usize,
    /// Accounts.
    pub accounts: usize,
    /// Cached access tokens.
    pub access_tokens: usize,
    /// Refresh tokens.
    pub refresh_tokens: usize,
    /// Sign-in flows that are open.
    pub flows: usize,
}

/// `POST /v1/unlock`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct UnlockRequest {
    /// The store's passphrase; empty for a store that has none and was locked.
    #[serde(default)]
    pub passphrase: String,
}

/// `POST /v1/keys/rotate`
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RotateKeysRequest {
    /// Have the data keys wrapped by another key. `provider` and `new_passphrase` ask for this as well.
    #[serde(default)]
    pub wrapping: bool,
    /// Have other data keys, and all records sealed anew.
    #[serde(default)]
    pub data: bool,
    /// Who is to keep the wrapping key: `keyring`, `credential`, `passphrase` or `file`; absent: who keeps it. Another one
    /// than that is moved to when the daemon's configuration names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Know that a stolen disk will give more than before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weaker: bool,
    /// The passphrase that the store has, if it has one and another wrapping key is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passphrase: Option<String>,
    /// The passphrase that it will have; absent: the one that it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_passphrase: Option<String>,
}
