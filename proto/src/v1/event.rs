//! Events, as `GET /v1/events` streams them.

use serde::{Deserialize, Serialize};

/// What happened; the event's name in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A program asked for a token that only a person's sign-in can bring.
    SignInNeeded,
    /// Somebody signed in.
    SignedIn,
    /// A token was refreshed.
    Refreshed,
    /// Somebody signed out.
    SignedOut,
    /// What another library cached was taken over, by `POST /v1/cache/import`: look at the accounts afresh.
    CacheImported,
    /// The cache was handed out in clear, by `POST /v1/cache/export`.
    CacheExported,
    /// A program may use an account, or may not any more: look at `GET /v1/grants`.
    GrantChanged,
    /// Keys and tokens were dropped from memory. Sign-ins that were open have ended; the stream goes on.
    Locked,
    /// They can be had again: what failed with `store_locked` is worth another try.
    Unlocked,
    /// Events were missed because the reader was too slow: look at the accounts afresh.
    Missed,
}

/// One event: the `data` of the stream. Only the calling user's own are streamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Event {
    /// What happened.
    pub event: EventKind,
    /// When, in seconds since the epoch.
    pub at: i64,
    /// The application it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// RFC 6749 `client_id` of that application.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The account it happened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home_account_id: Option<String>,
    /// Scopes, space-separated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}
