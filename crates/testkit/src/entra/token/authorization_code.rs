//! `grant_type=authorization_code` (RFC 6749 section 4.1.3, RFC 7636 section 4.5).

use super::{TokenRequest, apply_scenarios};
use crate::entra::authorize::Code;
use crate::entra::error::Refusal;
use crate::entra::grants::Grant;
use crate::entra::message::Reply;
use crate::entra::state::State;

pub(super) fn redeem(state: &mut State, request: &TokenRequest) -> Result<Reply, Refusal> {
    let code_text = request.form.require("code")?.to_owned();
    let redirect_uri = request.form.require("redirect_uri")?;
    let code =
        state.codes.get(&code_text).cloned().ok_or_else(|| {
            Refusal::invalid_grant(70_000, "There is no such authorization code.")
        })?;
    refuse_replay(state, &code)?;
    check(state, request, &code, redirect_uri)?;
    let user = state
        .find_user(&code.signed_in.user)
        .cloned()
        .ok_or_else(|| Refusal::invalid_grant(50_034, "The user account has been deleted."))?;
    let scopes = request.read_scopes(&code.request.scopes)?;
    let grant = Grant {
        client_id: request.client.id.clone(),
        user: code.signed_in.user.clone(),
        tenant_id: code.request.directory.tenant_for(&user)?,
        scopes: code.request.scopes.clone(),
        auth_time: code.signed_in.auth_time,
        claims: code.request.claims.clone(),
        revoked: false,
    };
    apply_scenarios(state, &user, &grant, &scopes, true)?;
    let (id, reply) =
        request.open_grant(state, grant, &scopes, &user, code.request.nonce.as_deref());
    if let Some(code) = state.codes.get_mut(&code_text) {
        code.redeemed = Some(id);
    }
    Ok(reply)
}

/// A second use may be a thief's: what the first one yielded is revoked (RFC 6749 section 4.1.2).
fn refuse_replay(state: &mut State, code: &Code) -> Result<(), Refusal> {
    let Some(grant) = code.redeemed else { return Ok(()) };
    state.grants.revoke(grant);
    let text = "The authorization code was redeemed before; its grant is revoked.";
    Err(Refusal::invalid_grant(54_005, text))
}

fn check(
    state: &State,
    request: &TokenRequest,
    code: &Code,
    redirect_uri: &str,
) -> Result<(), Refusal> {
    let refuse = |number, text: &str| Err(Refusal::invalid_grant(number, text));
    if state.clock.now() >= code.expires_at {
        return refuse(70_008, "The authorization code has expired.");
    }
    if code.request.client.id != request.client.id {
        return refuse(700_005, "The authorization code was issued to another client.");
    }
    if code.request.address.redirect_uri != redirect_uri {
        let text = format!(
            "The redirect URI '{redirect_uri}' is not '{}', for which the code was issued.",
            code.request.address.redirect_uri
        );
        return Err(Refusal::invalid_grant(500_112, text));
    }
    let verifier = request.form.get("code_verifier");
    let is_proven = match (&code.request.challenge, verifier) {
        (Some(challenge), Some(verifier)) => challenge.is_met_by(verifier),
        (None, None) => true,
        // A verifier without a challenge is a downgrade (RFC 9700 section 2.1.1).
        _ => false,
    };
    if !is_proven {
        return refuse(501_481, "The code_verifier does not fit the code_challenge.");
    }
    Ok(())
}
