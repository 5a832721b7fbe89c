//! JWS in its compact form (RFC 7515 section 3.1), for whatever signs.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use valetkey_model::Secret;
use zeroize::Zeroizing;

/// Header and payload, over which the signature goes.
pub(crate) struct SigningInput(Zeroizing<String>);

impl SigningInput {
    /// Encodes both.
    pub(crate) fn new(header: &Value, payload: &Value) -> Self {
        let mut text = Zeroizing::new(String::new());
        URL_SAFE_NO_PAD.encode_string(header.to_string(), &mut text);
        text.push('.');
        URL_SAFE_NO_PAD.encode_string(Zeroizing::new(payload.to_string()), &mut text);
        Self(text)
    }

    /// What is signed.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The whole, with its signature.
    pub(crate) fn complete(mut self, signature: &[u8]) -> Secret {
        self.0.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut self.0);
        Secret::new(std::mem::take(&mut *self.0))
    }
}
