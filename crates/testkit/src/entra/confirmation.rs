//! Proof-of-possession tokens as Entra binds them: `token_type=pop` with the key's name in `req_cnf`.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

use super::error::Refusal;
use super::message::Params;

/// The `cnf` claim (RFC 7800) that the token is to carry, none for a bearer token.
pub(crate) fn read(form: &Params) -> Result<Option<Value>, Refusal> {
    match form.get("token_type") {
        None => Ok(None),
        Some(name) if name.eq_ignore_ascii_case("bearer") => Ok(None),
        Some("pop") => read_key(form.require("req_cnf")?).map(Some),
        Some(other) => {
            let text = format!("The token type '{other}' is not supported.");
            Err(Refusal::new("invalid_request", 90_100, text))
        }
    }
}

/// `{"kid": thumbprint}` as base64url.
fn read_key(encoded: &str) -> Result<Value, Refusal> {
    let decoded = BASE64_URL_SAFE_NO_PAD.decode(encoded.trim_end_matches('=')).ok();
    let key = decoded.and_then(|json| serde_json::from_slice::<Value>(&json).ok());
    key.filter(|key| key["kid"].is_string() || key["jwk"].is_object()).ok_or_else(|| {
        Refusal::new("invalid_request", 90_100, "The req_cnf does not name a key by kid.")
    })
}
