//! Entries as named members: the one list of names that both the stored form and MSAL's JSON are made from.

mod read;
mod write;

use serde_json::Value;
use valetkey_model::UnixTime;

pub use read::MemberError;
pub(crate) use read::{Given, Members};

/// Names of MSAL's sections, and of ours.
pub(crate) mod section {
    pub(crate) const ACCESS_TOKEN: &str = "AccessToken";
    pub(crate) const REFRESH_TOKEN: &str = "RefreshToken";
    pub(crate) const ID_TOKEN: &str = "IdToken";
    pub(crate) const ACCOUNT: &str = "Account";
    pub(crate) const APP_METADATA: &str = "AppMetadata";
    pub(crate) const DOCUMENT: &str = "Document";
    pub(crate) const PROOF_KEY: &str = "ProofKey";
    pub(crate) const ANSWER: &str = "Answer";
    pub(crate) const FOREIGN: &str = "Foreign";

    /// MSAL's, in the order in which MSAL writes them.
    pub(crate) const OF_MSAL: [&str; 5] =
        [ACCESS_TOKEN, ACCOUNT, ID_TOKEN, REFRESH_TOKEN, APP_METADATA];
}

/// The member of an account that is ours alone.
pub(crate) const ADDED_AT: &str = "added_at";

/// The member of an access token that names a [`crate::KeyId::Kept`], ours alone as well. MSAL's `key_id` is a program's.
pub(crate) const KEPT_KEY_ID: &str = "kept_key_id";

/// A member's value, borrowed, so that a secret is copied only into the text that is wanted.
#[derive(Clone, Copy)]
pub(crate) enum Member<'a> {
    Text(&'a str),
    Time(UnixTime),
    Null,
    Json(&'a Value),
}
