//! What is wrong, and what to do about it.

use serde::{Deserialize, Serialize};

/// `GET /v1/diagnosis`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diagnosis {
    /// What was looked at, in the order in which one thing rests on another.
    pub findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// What.
    pub about: About,
    /// How it is.
    pub verdict: Verdict,
    /// In words, for a person.
    pub what: String,
    /// What to do; absent when all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// The socket or pipe, and its folder.
    Socket,
    /// Whether a daemon runs, of which version, and who would start it.
    Daemon,
    /// Where the key is that protects the store.
    Key,
    /// The folder and the files of the store.
    Store,
    /// The configuration's file.
    Configuration,
    /// How much of the system's the daemon may use.
    Limits,
    /// What the kernel keeps the daemon from (Landlock, seccomp).
    Confinement,
    /// Whether the daemon's keys may reach the swap.
    Memory,
    /// Whether the daemon can look at the programs that call it.
    Callers,
    /// What starts the daemon when it does not run.
    Autostart,
    /// The proxy that the daemon's environment names.
    Proxy,
    /// The certificates by which providers are recognised.
    Certificates,
    /// A provider, and the way to it.
    Provider,
    /// The machine's clock, beside a provider's.
    Clock,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// It works, and could be better or will not go on for long.
    Warning,
    /// Something does not work.
    Bad,
}

impl Finding {
    /// All is well.
    pub fn good(about: About, what: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Good, what: what.into(), hint: None }
    }

    /// It could be better.
    pub fn warning(about: About, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Warning, what: what.into(), hint: Some(hint.into()) }
    }

    /// It does not work.
    pub fn bad(about: About, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { about, verdict: Verdict::Bad, what: what.into(), hint: Some(hint.into()) }
    }
}
