//! `grant_type=password` (RFC 6749 section 4.3): no page, hence no second factor and no consent.

use super::{TokenRequest, apply_scenarios};
use crate::entra::error::Refusal;
use crate::entra::message::Reply;
use crate::entra::state::State;

pub(super) fn redeem(state: &mut State, request: &TokenRequest) -> Result<Reply, Refusal> {
    let user_name = request.form.require("username")?;
    let password = request.form.require("password")?;
    request.directory.refuse_password_grant()?;
    let user = state.find_user(user_name).cloned().ok_or_else(|| {
        let text = format!("The user account '{user_name}' does not exist in the directory.");
        Refusal::invalid_grant(50_034, text)
    })?;
    // A federated user's password is known to the federation service alone.
    let is_federated = state.find_federation(&user.name).is_some() && !request.directory.is_adfs();
    if is_federated || user.password != password {
        let text = "The credentials are wrong: invalid user name or password.";
        return Err(Refusal::invalid_grant(50_126, text));
    }
    let scopes = request.read_scopes(&[])?;
    let grant = request.grant_for(state, &user, scopes.clone())?;
    apply_scenarios(state, &user, &grant, &scopes, false)?;
    Ok(request.open_grant(state, grant, &scopes, &user, None).1)
}
