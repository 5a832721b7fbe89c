//! Proof-of-possession tokens as Entra binds them: `token_type=pop` with the key's name in `req_cnf`. And what a resource
//! makes of the signed requests that carry them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::Value;

use super::error::Refusal;
use super::jwt;
use super::message::Params;
use super::state::State;
use crate::proof::open_proof;

/// A signed request whose token this emulator issued, for the key that signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SignedRequest {
    /// What was signed (draft-ietf-oauth-signed-http-request-03): `m`, `u`, `p`, `nonce` and the like.
    pub request: Value,
    /// The claims of the token.
    pub token: Value,
}

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

/// Checks a signed request as Microsoft's own resources do: its signature, the token in it, and that both are of one key.
pub(crate) fn open_signed_request(state: &State, signed: &str) -> Result<SignedRequest, Refusal> {
    let refuse = |text: &str| Refusal::new("invalid_token", 90_100, text.to_owned());
    let proof = open_proof(signed).filter(|proof| proof.header["typ"] == "pop");
    let proof = proof.ok_or_else(|| refuse("The signature is not the key's."))?;
    if proof.header["kid"] != proof.thumbprint.as_str() {
        return Err(refuse("The header names another key."));
    }
    let token = proof.claims["at"].as_str().and_then(|token| jwt::verify(&state.key, token));
    let token = token.ok_or_else(|| refuse("The token is none of this tenant's."))?;
    if token["cnf"]["kid"] != proof.thumbprint.as_str() {
        return Err(refuse("The token is bound to another key."));
    }
    let now = state.clock.now();
    if token["exp"].as_i64().is_none_or(|expiry| expiry <= now) {
        return Err(refuse("The token has expired."));
    }
    let is_recent = |made: i64| (now.saturating_sub(made)).abs() <= SKEW_SECONDS;
    if !proof.claims["ts"].as_i64().is_some_and(is_recent) {
        return Err(refuse("The request was not signed just now."));
    }
    let mut request = proof.claims;
    if let Some(members) = request.as_object_mut() {
        members.retain(|name, _| !["at", "cnf", "ts"].contains(&name.as_str()));
    }
    Ok(SignedRequest { request, token })
}

/// By how much the clocks of those concerned may differ.
const SKEW_SECONDS: i64 = 300;
