//! What is cached beside tokens: accounts, facts about client applications, discovery documents, answers.

use std::sync::Arc;

use valetkey_model::{AccountId, ClientId, Secret, UnixTime};

use crate::credential::Extra;

/// A signed-in account in one tenant; shared by all client applications.
#[derive(Clone, Debug)]
pub struct Account {
    /// The provider's host, lower case.
    pub environment: Arc<str>,
    /// The account's identity across tenants.
    pub home_account_id: AccountId,
    /// The tenant.
    pub realm: Arc<str>,
    /// The account's identity inside the tenant (`oid`, else `sub`).
    pub local_account_id: Option<Arc<str>>,
    /// The user name; empty when the provider gave none.
    pub username: Arc<str>,
    /// `MSSTS`, `ADFS`, `CLOUDSHELL`, or what another library wrote.
    pub authority_type: Arc<str>,
    /// By which grant the account came in, where that matters later.
    pub account_source: Option<Arc<str>>,
    /// When the account first signed in. Ours alone: orders accounts, and is not part of MSAL's JSON.
    pub added_at: UnixTime,
    /// Unknown members.
    pub extra: Extra,
}

/// What is known of a client application at a provider.
#[derive(Clone, Debug)]
pub struct AppMetadata {
    /// The provider's host, lower case.
    pub environment: Arc<str>,
    /// The application.
    pub client_id: Option<ClientId>,
    /// The family that it belongs to; `None` when it was never seen in one.
    pub family_id: Option<Arc<str>>,
    /// Unknown members.
    pub extra: Extra,
}

/// A discovery document, kept so that a restart without network still finds its endpoints. Not part of MSAL's JSON.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it came from.
    pub url: Arc<str>,
    /// When.
    pub fetched_at: UnixTime,
    /// Its text.
    pub body: Arc<str>,
}

/// A provider's answer that may be given again without asking. Whoever keeps answers decides which, and by what key: here
/// they are only on their way to the disk and back. There is no token in one, and it is not part of MSAL's JSON.
#[derive(Clone, Debug)]
pub struct Answer {
    /// A digest of the request.
    pub request: Arc<str>,
    /// When it came.
    pub kept_at: UnixTime,
    /// When it is too old.
    pub until: UnixTime,
    /// Its HTTP status, in digits.
    pub status: Arc<str>,
    /// RFC 9110 section 10.2.3, as it came.
    pub retry_after: Option<Arc<str>>,
    /// Its text.
    pub body: Arc<str>,
}

/// A section of MSAL's JSON that this version does not know; carried from import to export as it is.
#[derive(Clone, Debug)]
pub struct Foreign {
    /// The section's name.
    pub section: Arc<str>,
    /// JSON text; it may well hold a token.
    pub body: Secret,
}
