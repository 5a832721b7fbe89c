//! Accounts, with the members of MSAL's account dictionaries.

use serde::{Deserialize, Serialize};

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Account {
    /// `uid.utid` at Entra, the ID token's `sub` elsewhere. The one member that selects an account.
    pub home_account_id: String,
    /// The provider's host.
    pub environment: String,
    /// The tenant.
    pub realm: String,
    /// The name to show; may be empty.
    pub username: String,
    /// `MSSTS` or `ADFS`.
    pub authority_type: String,
    /// The account's id in the tenant (`oid`, else `sub`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_account_id: Option<String>,
    /// The grant that signed it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_source: Option<String>,
}

/// `GET /v1/apps/{app}/accounts`, optionally `?username=`, which ignores case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Accounts {
    /// One for each home account id.
    pub accounts: Vec<Account>,
}
