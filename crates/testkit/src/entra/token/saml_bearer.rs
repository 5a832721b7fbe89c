//! `saml1_1-bearer` and `saml2-bearer` (RFC 7522): a federated user's assertion for tokens.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};

use super::{TokenRequest, apply_scenarios};
use crate::entra::error::Refusal;
use crate::entra::federation::SamlVersion;
use crate::entra::message::Reply;
use crate::entra::state::State;

pub(super) fn redeem(
    state: &mut State,
    request: &TokenRequest,
    version: SamlVersion,
) -> Result<Reply, Refusal> {
    let refuse = |text: &str| Refusal::invalid_grant(50_008, text);
    let text = decode(request.form.require("assertion")?)
        .ok_or_else(|| refuse("The SAML assertion is not base64."))?;
    let issued = state.assertions.get(&text).cloned().ok_or_else(|| {
        refuse("The SAML assertion was not issued by the federation service, or was changed.")
    })?;
    if issued.version != version {
        return Err(refuse("The SAML assertion is not of the version that the grant type names."));
    }
    if state.clock.now() >= issued.expires_at {
        return Err(refuse("The SAML assertion has expired."));
    }
    let user = state
        .find_user(&issued.user)
        .cloned()
        .ok_or_else(|| Refusal::invalid_grant(50_034, "The user account has been deleted."))?;
    let scopes = request.read_scopes(&[])?;
    let grant = request.grant_for(state, &user, scopes.clone())?;
    apply_scenarios(state, &user, &grant, &scopes, false)?;
    Ok(request.open_grant(state, grant, &scopes, &user, None).1)
}

/// base64url without padding (RFC 7522 section 2.1); older clients send plain base64.
fn decode(assertion: &str) -> Option<String> {
    let text = assertion.trim_end_matches('=');
    let bytes =
        BASE64_URL_SAFE_NO_PAD.decode(text).or_else(|_| BASE64_STANDARD_NO_PAD.decode(text));
    String::from_utf8(bytes.ok()?).ok()
}
