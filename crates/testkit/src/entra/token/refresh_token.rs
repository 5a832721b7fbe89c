//! `grant_type=refresh_token` (RFC 6749 section 6): rotation, families, and what may be wrong with the user.

use super::{TokenRequest, apply_scenarios};
use crate::entra::answer::{is_family_client, issue_refresh_token};
use crate::entra::error::Refusal;
use crate::entra::grants::{Grant, GrantId, RefreshToken};
use crate::entra::message::Reply;
use crate::entra::options::Rotation;
use crate::entra::state::State;

pub(super) fn redeem(state: &mut State, request: &TokenRequest) -> Result<Reply, Refusal> {
    let token_text = request.form.require("refresh_token")?.to_owned();
    let (token, grant) = state.grants.find_refresh_token(&token_text).ok_or_else(|| {
        Refusal::invalid_grant(9_002_313, "There is no such refresh token.")
            .with_suberror("bad_token")
    })?;
    check(state, &token, &grant)?;
    let is_own = grant.client_id == request.client.id;
    if !is_own {
        check_family(state, &grant, &request.client.id)?;
    }
    let user = state
        .find_user(&grant.user)
        .cloned()
        .ok_or_else(|| Refusal::invalid_grant(50_034, "The user account has been deleted."))?;
    let scopes = request.read_scopes(&grant.scopes)?;
    let mut grant = Grant { client_id: request.client.id.clone(), ..grant };
    if !request.directory.keeps_tenant() {
        grant.tenant_id = request.directory.tenant_for(&user)?;
    }
    apply_scenarios(state, &user, &grant, &scopes, false)?;
    let successor = if is_own {
        rotate(state, &token_text, &token)?
    } else {
        // Another member of the family gets a token of its own; the one it used stays its owner's.
        let id = state.grants.open(grant.clone());
        issue_refresh_token(state, id)
    };
    let answer = request.answer(&grant, &scopes, None, Some(successor));
    Ok(answer.write(state, &user))
}

fn check(state: &State, token: &RefreshToken, grant: &Grant) -> Result<(), Refusal> {
    if grant.revoked {
        let text = "The grant was revoked; the user must sign in again.";
        return Err(Refusal::invalid_grant(50_173, text).with_suberror("bad_token"));
    }
    if state.clock.now() >= token.expires_at {
        let text = "The refresh token has expired.";
        return Err(Refusal::invalid_grant(700_082, text).with_suberror("token_expired"));
    }
    Ok(())
}

/// Family refresh tokens: any member may use any other member's.
fn check_family(state: &State, grant: &Grant, client_id: &str) -> Result<(), Refusal> {
    if is_family_client(state, &grant.client_id) && is_family_client(state, client_id) {
        return Ok(());
    }
    let text = "The refresh token was issued to another client.";
    let refusal = Refusal::invalid_grant(70_000, text).with_suberror("client_mismatch");
    Err(Refusal { additional_info: Some("client_mismatch"), ..refusal })
}

/// The token that the client is to use next.
fn rotate(state: &mut State, token_text: &str, token: &RefreshToken) -> Result<String, Refusal> {
    let now = state.clock.now();
    match (state.settings.rotation, &token.spent) {
        (Rotation::Keep, _) => Ok(issue_refresh_token(state, token.grant)),
        (Rotation::Rotate { .. }, None) => {
            let successor = issue_refresh_token(state, token.grant);
            state.grants.spend_refresh_token(token_text, now, successor.clone());
            Ok(successor)
        }
        (Rotation::Rotate { grace_seconds }, Some(spent))
            if now < spent.at.saturating_add(grace_seconds) =>
        {
            Ok(spent.successor.clone())
        }
        (Rotation::Rotate { .. }, Some(_)) => Err(punish_reuse(state, token.grant)),
    }
}

/// Two holders of one token cannot be told apart, so all of them lose (RFC 9700 section 4.14.2).
fn punish_reuse(state: &mut State, grant: GrantId) -> Refusal {
    state.grants.revoke(grant);
    Refusal::invalid_grant(
        70_000,
        "The refresh token was already used. All tokens of this grant are revoked.",
    )
    .with_suberror("bad_token")
}
