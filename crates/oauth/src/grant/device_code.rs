//! Asking whether the person has entered the code (RFC 8628 section 3.4).

use valetkey_model::Secret;

use super::{Grant, TokenCall};
use crate::HttpRequest;

/// The token request. Entra's older endpoints read the device code from `code`, so that it is sent there too.
pub fn poll_device_code(call: &TokenCall<'_>, device_code: &Secret) -> HttpRequest {
    call.build(&Grant {
        grant_type: "urn:ietf:params:oauth:grant-type:device_code",
        fields: &[("code", device_code.expose()), ("device_code", device_code.expose())],
        scope: None,
        anchor: None,
    })
}
