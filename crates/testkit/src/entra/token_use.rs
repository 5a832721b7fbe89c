//! What can be done with a token once it is issued: userinfo and revocation.

use serde_json::{Value, json};

use super::error::Refusal;
use super::jwt;
use super::message::{Reply, Request};
use super::state::{Revocation, State};
use super::tenant::Directory;
use super::token::authenticate;

/// The userinfo endpoint (OpenID Connect Core section 5.3).
pub(crate) fn describe_user(state: &State, request: &Request) -> Reply {
    let bearer = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    let Some(claims) = bearer
        .and_then(|token| verify_live(state, token))
        .filter(|claims| claims.get("scp").is_some())
    else {
        let challenge = r#"Bearer error="invalid_token""#;
        return Reply::json(401, &json!({"error": "invalid_token"}))
            .with_header("www-authenticate", challenge);
    };
    let mut body = json!({"sub": claims["sub"], "name": claims["name"]});
    if claims["preferred_username"].is_string() {
        body["preferred_username"] = claims["preferred_username"].clone();
        body["email"] = claims["preferred_username"].clone();
    }
    Reply::json(200, &body)
}

/// The claims of an access token of ours that has not expired by the emulator's clock.
pub(crate) fn verify_live(state: &State, token: &str) -> Option<Value> {
    let claims = jwt::verify(&state.key, token)?;
    let is_access_token = claims.get("scp").is_some() || claims["idtyp"] == "app";
    let is_live = claims["exp"].as_i64().is_some_and(|expires_at| state.clock.now() < expires_at);
    (is_access_token && is_live).then_some(claims)
}

/// The revocation endpoint (RFC 7009): an unknown token is no error, a foreign client is.
pub(crate) fn revoke_token(
    state: &mut State,
    directory: &Directory,
    request: &Request,
) -> Result<Reply, Refusal> {
    request.require_post()?;
    request.form.refuse_duplicates()?;
    let token = request.form.require("token")?.to_owned();
    let (client, _) = authenticate(state, directory, request)?;
    let found = state.grants.find_refresh_token(&token);
    if let Some((refresh_token, grant)) = &found {
        if grant.client_id != client.id {
            return Err(Refusal::new(
                "unauthorized_client",
                70_000,
                "The token was issued to another client.",
            ));
        }
        state.grants.revoke(refresh_token.grant);
    }
    let revoked = found.is_some_and(|(_, grant)| !grant.revoked);
    state.revocations.push(Revocation { token, revoked });
    Ok(Reply::json(200, &json!({})))
}
