//! Who got what, and when.

use serde::{Deserialize, Serialize};

/// `GET /v1/audit`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Audit {
    /// The newest last.
    pub records: Vec<AuditRecord>,
}

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AuditAct {
    /// A program got a token. The same token again is no news.
    TokenGiven,
    /// A program got a token, for which somebody signed in.
    SignedIn,
    /// A program had a request signed with a key of the daemon's. Once an hour is told.
    ProofSigned,
    /// A program signed an account out.
    SignedOut,
    /// A program was denied what it asked for.
    Denied,
    /// The person let a program use an account; what was said is in `detail`.
    ConsentGiven,
    /// The person refused a program an account.
    ConsentRefused,
    /// Grants were revoked.
    GrantRevoked,
    /// The cache was handed out in clear.
    CacheExported,
    /// A cache of another library was taken in.
    CacheImported,
    /// A secret of a declared application was kept, or forgotten.
    SecretChanged,
    /// The store was locked.
    Locked,
    /// The store was unlocked.
    Unlocked,
    /// Keys of the store were replaced.
    KeysRotated,
    /// As many records as `count` were not written: they came faster than they are kept.
    Lost,
}

impl AuditAct {
    /// In words, for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::TokenGiven => "token given",
            Self::SignedIn => "signed in",
            Self::ProofSigned => "proof signed",
            Self::SignedOut => "signed out",
            Self::Denied => "denied",
            Self::ConsentGiven => "consent given",
            Self::ConsentRefused => "consent refused",
            Self::GrantRevoked => "grant revoked",
            Self::CacheExported => "cache exported",
            Self::CacheImported => "cache imported",
            Self::SecretChanged => "secret changed",
            Self::Locked => "locked",
            Self::Unlocked => "unlocked",
            Self::KeysRotated => "keys rotated",
            Self::Lost => "not recorded",
        }
    }
}

/// One line of the record. No token and no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditRecord {
    /// When, in seconds since the epoch.
    pub at: i64,
    /// What was done.
    pub act: AuditAct,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<AuditedProgram>,
    /// The application's name in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// RFC 6749 `client_id` of the application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The provider's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The account; absent for an application's own tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_account_id: Option<String>,
    /// The account's user name, while it is there: it is looked up, and not on record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Scopes, space-separated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the token expires, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_on: Option<i64>,
    /// Why, or to what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How many, with `lost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl AuditRecord {
    /// A record that says no more than what, and when.
    pub fn new(at: i64, act: AuditAct) -> Self {
        Self {
            at,
            act,
            program: None,
            app: None,
            client_id: None,
            environment: None,
            home_account_id: None,
            username: None,
            scope: None,
            expires_on: None,
            detail: None,
            count: None,
        }
    }
}

/// What a program looked like when it asked. A program of the same user can make itself look like another one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditedProgram {
    /// The process, by the platform's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// Its executable, as it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Why the path does not tell what it runs; absent when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unidentified: Option<String>,
    /// Of an interpreter, the name of the file that it says it runs: a hint, which it may have made up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    /// The systemd unit that it runs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The sandbox that it runs in, as `flatpak:<id>` or `snap:<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// The processes that it comes from, its parent first: their executables, or in brackets what they call themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<String>,
}

impl AuditedProgram {
    /// Its process, and what an interpreter says that it runs, in a few words; empty where neither is told.
    pub fn describe_process(&self) -> String {
        let process = self.process.map(|number| format!("process {number}"));
        let script = self.script.as_ref().map(|name| format!("says it runs {name}"));
        process.into_iter().chain(script).collect::<Vec<_>>().join(", ")
    }

    /// The processes that it comes from, its parent first; a row of the same is told once.
    pub fn describe_parents(&self) -> String {
        let mut parents: Vec<&str> = self.parents.iter().map(String::as_str).collect();
        parents.dedup();
        parents.join(" < ")
    }
}
