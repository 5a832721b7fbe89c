//! `grant_type=user_fic`: an agent identity gets a token for the user that it acts as.
//!
//! The credential is a token that the agent got for itself, for the exchange audience.

use super::client_auth::Proof;
use super::{TokenRequest, apply_scenarios};
use crate::entra::client::EXCHANGE_AUDIENCE;
use crate::entra::error::Refusal;
use crate::entra::jwt;
use crate::entra::message::Reply;
use crate::entra::state::{State, User};

pub(super) fn redeem(state: &mut State, request: &TokenRequest) -> Result<Reply, Refusal> {
    let credential = request.form.require("user_federated_identity_credential")?;
    if request.proof == Proof::None {
        let text = "The request body must contain a client_assertion or a client_secret.";
        return Err(Refusal::new("invalid_client", 7_000_218, text));
    }
    check_credential(state, &request.client.id, credential)?;
    let user = find_user(state, request)?;
    let scopes = request.read_scopes(&[])?;
    let grant = request.grant_for(state, &user, scopes.clone())?;
    apply_scenarios(state, &user, &grant, &scopes, false)?;
    Ok(request.open_grant(state, grant, &scopes, &user, None).1)
}

fn check_credential(state: &State, client_id: &str, credential: &str) -> Result<(), Refusal> {
    let refuse = |number, text: &str| Err(Refusal::invalid_grant(number, text));
    let Some(claims) = jwt::verify(&state.key, credential) else {
        return refuse(50_013, "The user's federated credential failed signature validation.");
    };
    if claims["exp"].as_i64().is_none_or(|expires_at| expires_at <= state.clock.now()) {
        return refuse(500_133, "The user's federated credential has expired.");
    }
    if claims["aud"] != EXCHANGE_AUDIENCE || claims["azp"] != client_id {
        return refuse(500_131, "The user's federated credential is for another audience.");
    }
    Ok(())
}

fn find_user(state: &State, request: &TokenRequest) -> Result<User, Refusal> {
    let found = match request.form.get("user_id") {
        Some(id) => state.users.values().find(|user| user.object_id == id),
        None => state.find_user(request.form.require("username")?),
    };
    found.cloned().ok_or_else(|| {
        Refusal::invalid_grant(50_034, "The user account does not exist in the directory.")
    })
}
