//! Which program may use which account: what the person has said about it, and what the person is asked.

use serde::{Deserialize, Serialize};

use super::AuditedProgram;

/// `GET /v1/grants`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Grants {
    /// The oldest first.
    pub grants: Vec<ProgramGrant>,
}

/// What the person has said about a program and an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProgramGrant {
    /// By what it is revoked.
    pub id: String,
    /// What was said.
    pub word: Word,
    /// The program's executable, as it said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The sandbox that it runs in, as `flatpak:<id>` or `snap:<name>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// The one process that it is about, by the platform's number, where the executable does not tell what runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// The provider's host.
    pub environment: String,
    /// The account.
    pub home_account_id: String,
    /// The account's user name, while it is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// RFC 6749 `client_id` of the application; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Scopes, space-separated; any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When it was said, in seconds since the epoch.
    pub since: i64,
    /// When it ends by itself, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

/// What the person has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// Yes, by signing the account in by way of this program.
    SignedIn,
    /// Yes, for good.
    Always,
    /// Yes, until the store is locked or the daemon ends.
    UntilLock,
    /// Yes, for some time.
    ForTime,
    /// Yes, to those who waited for the answer; it is in no list.
    Once,
    /// No, and it is not asked again for a while.
    No,
}

impl Word {
    /// In words, for people.
    pub fn describe(self) -> &'static str {
        match self {
            Self::SignedIn => "signed in",
            Self::Always => "always",
            Self::UntilLock => "until lock",
            Self::ForTime => "for some time",
            Self::Once => "once",
            Self::No => "no",
        }
    }
}

/// `GET /v1/prompts`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Prompts {
    /// The oldest first.
    pub prompts: Vec<Prompt>,
}

/// A question to the person: may this program use this account?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Prompt {
    /// By what it is answered.
    pub id: String,
    /// When it was first asked, in seconds since the epoch.
    pub since: i64,
    /// What the program looked like that asked first.
    pub program: AuditedProgram,
    /// The processes that wait for the answer, which is for all of them.
    pub processes: Vec<u32>,
    /// How many requests wait.
    pub waiting: usize,
    /// The provider's host.
    pub environment: String,
    /// The account.
    pub home_account_id: String,
    /// The account's user name.
    pub username: String,
    /// RFC 6749 `client_id` of the application.
    pub client_id: String,
    /// The application's name in the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// Scopes, space-separated.
    pub scope: String,
    /// Whether the answer can outlive these processes.
    pub lasting: bool,
    /// Whether it was put to anybody: on the desktop, or to who waits for questions with `wait`.
    #[serde(default)]
    pub seen: bool,
}

/// `POST /v1/prompts/{prompt}`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AnswerPromptRequest {
    /// What the person says.
    pub answer: PromptAnswer,
    /// With `hours`: how many, 1 to 8760; 8 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
}

/// What a person can say to a prompt. Of a program that only its process is known by, no yes outlives the process: `hours` and
/// `always` are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum PromptAnswer {
    /// Yes, to the requests that wait.
    Once,
    /// Yes, until the store is locked or the daemon ends.
    UntilLock,
    /// Yes, for some hours.
    Hours,
    /// Yes, for good.
    Always,
    /// No, and do not ask again for a while.
    No,
}
