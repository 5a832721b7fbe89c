//! Proofs of possession for requests to resources (RFC 9449).

use serde::{Deserialize, Serialize};

use super::credential::SecretText;

/// `POST /v1/apps/{app}/proofs`: the `DPoP` header of one request that is about to be made with a token of this application,
/// which was opened with `dpop`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProofRequest {
    /// The token that goes with the request, after `Authorization: DPoP`. The proof is good for no other.
    pub access_token: SecretText,
    /// The request's method, in upper case.
    pub http_method: String,
    /// The request's URL, absolute and without a fragment; its query is not signed.
    pub url: String,
    /// What the resource's server last sent as `DPoP-Nonce`, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

/// A proof. It is good for one request, and for a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Proof {
    /// The value of the `DPoP` header.
    pub proof: String,
}
