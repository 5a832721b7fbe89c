//! Asking whether the person has entered the code (RFC 8628 section 3.4).

use valetkey_model::{ClientId, Secret};

use super::{Grant, build_token_request};
use crate::{Call, HttpRequest, ProviderMetadata};

/// A device code that a person may have approved by now.
#[derive(Clone, Debug)]
pub struct DeviceCodeGrant {
    /// Of the device authorization.
    pub device_code: Secret,
    /// See [`crate::merge_claims`].
    pub claims: Option<String>,
}

/// The token request. Entra's older endpoints read the device code from `code`, so that it is sent there too.
pub fn build_device_code_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    grant: &DeviceCodeGrant,
    call: &Call,
) -> HttpRequest {
    let code = grant.device_code.expose();
    let grant = Grant {
        grant_type: "urn:ietf:params:oauth:grant-type:device_code",
        claims: grant.claims.as_deref(),
        fields: &[("code", code), ("device_code", code)],
        anchor: None,
    };
    build_token_request(provider, client_id, &grant, call)
}
