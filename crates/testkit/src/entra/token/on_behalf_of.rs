//! `grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 section 2.1) as Entra's on-behalf-of flow: an API
//! exchanges the token that it was called with.

use serde_json::Value;

use super::client_auth::Proof;
use super::{TokenRequest, apply_scenarios};
use crate::entra::error::Refusal;
use crate::entra::grants::Grant;
use crate::entra::jwt;
use crate::entra::message::Reply;
use crate::entra::state::State;

pub(super) fn exchange(state: &mut State, request: &TokenRequest) -> Result<Reply, Refusal> {
    let assertion = request.form.require("assertion")?;
    if request.form.require("requested_token_use")? != "on_behalf_of" {
        let text = "The requested_token_use must be 'on_behalf_of'.";
        return Err(Refusal::new("invalid_request", 90_100, text));
    }
    if request.proof == Proof::None {
        let text = "The request body must contain a client_assertion or a client_secret.";
        return Err(Refusal::new("invalid_client", 7_000_218, text));
    }
    let claims = verify_assertion(state, request, assertion)?;
    let user = claims["preferred_username"]
        .as_str()
        .or(claims["upn"].as_str())
        .and_then(|name| state.find_user(name))
        .cloned()
        .ok_or_else(|| Refusal::invalid_grant(50_034, "The user account has been deleted."))?;
    let scopes = request.read_scopes(&[])?;
    let grant = Grant {
        // A user who met a challenge for the first token need not meet it for the second.
        claims: claims["uti"].as_str().and_then(|uti| state.presented_claims.get(uti)).cloned(),
        ..request.grant_for(state, &user, scopes.clone())?
    };
    apply_scenarios(state, &user, &grant, &scopes, false)?;
    Ok(request.open_grant(state, grant, &scopes, &user, None).1)
}

/// The claims of a live user's token that was issued for this client.
fn verify_assertion(
    state: &State,
    request: &TokenRequest,
    assertion: &str,
) -> Result<Value, Refusal> {
    let claims = jwt::verify(&state.key, assertion).ok_or_else(|| {
        Refusal::invalid_grant(50_013, "The assertion failed signature validation.")
    })?;
    if claims["exp"].as_i64().is_none_or(|expires_at| expires_at <= state.clock.now()) {
        let text = "The assertion is not within its valid time range.";
        return Err(Refusal::invalid_grant(500_133, text));
    }
    let audience = claims["aud"].as_str().unwrap_or("");
    if claims["idtyp"] == "app" {
        let text = "An application's own token cannot be exchanged on behalf of a user.";
        return Err(Refusal::new("invalid_request", 7_000_114, text));
    }
    if claims["scp"].is_null() || !request.client.is_audience(audience) {
        let text = format!(
            "The assertion's audience does not match the client application that presents it. The audience in the assertion was '{audience}' and the expected audience is '{}' or one of the application's identifier URIs.",
            request.client.id
        );
        return Err(Refusal::invalid_grant(500_131, text));
    }
    Ok(claims)
}
