//! Secrets that the daemon's configuration refers to.

use serde::{Deserialize, Serialize};

use super::credential::SecretText;

/// `PUT /v1/secrets/{name}`: keep a secret for `{ vault = "<name>" }` in the daemon's configuration, in the place of the one
/// of this name. Nothing answers it. Give one of the members.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PutSecretRequest {
    /// The secret, when it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretText>,
    /// The secret as base64, when it is a file that is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<SecretText>,
}
