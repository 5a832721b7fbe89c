//! The token endpoint: what all grants share. Each grant has its own file.

mod authorization_code;
mod client_assertion;
mod client_auth;
mod client_credentials;
mod device_code;
mod on_behalf_of;
mod password;
mod refresh_token;
mod saml_bearer;
mod user_fic;

use serde_json::Value;

use super::answer::{TokenAnswer, issue_refresh_token, resource_of};
use super::authorize::find_unconsented;
use super::claims;
use super::client::Client;
use super::confirmation;
use super::error::Refusal;
use super::federation::SamlVersion;
use super::grants::{Grant, GrantId};
use super::message::{Params, Reply, Request};
use super::scenario::{Scenario, consent_required};
use super::state::{State, User};
use super::tenant::Directory;
use client_auth::Proof;
pub(crate) use client_auth::authenticate;

/// Answers a token request and counts it under its grant type.
pub(crate) fn answer(
    state: &mut State,
    directory: &Directory,
    request: &Request,
) -> Result<Reply, Refusal> {
    request.require_post()?;
    let result = dispatch(state, directory, request);
    if let Some(grant_type) = request.form.get("grant_type") {
        let count = state.counters.entry(grant_type.to_owned()).or_default();
        match result {
            Ok(_) => count.answered += 1,
            Err(_) => count.refused += 1,
        }
    }
    result
}

fn dispatch(state: &mut State, directory: &Directory, request: &Request) -> Result<Reply, Refusal> {
    let form = &request.form;
    form.refuse_duplicates()?;
    let (client, proof) = authenticate(state, directory, request)?;
    let grant_type = form.require("grant_type")?;
    let request = TokenRequest {
        directory,
        client,
        proof,
        form,
        claims: claims::read(form)?,
        confirmation: confirmation::read(form)?,
    };
    match grant_type {
        "authorization_code" => authorization_code::redeem(state, &request),
        "refresh_token" => refresh_token::redeem(state, &request),
        "client_credentials" => client_credentials::issue(state, &request),
        "password" => password::redeem(state, &request),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => on_behalf_of::exchange(state, &request),
        "urn:ietf:params:oauth:grant-type:saml1_1-bearer" => {
            saml_bearer::redeem(state, &request, SamlVersion::V1)
        }
        "urn:ietf:params:oauth:grant-type:saml2-bearer" => {
            saml_bearer::redeem(state, &request, SamlVersion::V2)
        }
        "user_fic" => user_fic::redeem(state, &request),
        "urn:ietf:params:oauth:grant-type:device_code" | "device_code" => {
            device_code::redeem(state, &request)
        }
        other => {
            let text = format!("The grant type '{other}' is not supported.");
            Err(Refusal::new("unsupported_grant_type", 70_003, text))
        }
    }
}

/// A token request whose client is known.
struct TokenRequest<'a> {
    directory: &'a Directory,
    client: Client,
    proof: Proof,
    form: &'a Params,
    claims: Option<Value>,
    /// `cnf` of the access token to issue.
    confirmation: Option<Value>,
}

impl TokenRequest<'_> {
    /// A grant for a user who signs in with this request.
    fn grant_for(&self, state: &State, user: &User, scopes: Vec<String>) -> Result<Grant, Refusal> {
        Ok(Grant {
            client_id: self.client.id.clone(),
            user: user.name.to_lowercase(),
            tenant_id: self.directory.tenant_for(user)?,
            scopes,
            auth_time: state.clock.now(),
            claims: None,
            revoked: false,
        })
    }

    /// Opens a grant for a fresh sign-in and answers with its first tokens.
    fn open_grant(
        &self,
        state: &mut State,
        grant: Grant,
        scopes: &[String],
        user: &User,
        nonce: Option<&str>,
    ) -> (GrantId, Reply) {
        let id = state.grants.open(grant.clone());
        let wants_more = scopes.iter().any(|scope| scope == "offline_access");
        let refresh_token = wants_more.then(|| issue_refresh_token(state, id));
        (id, self.answer(&grant, scopes, nonce, refresh_token).write(state, user))
    }

    fn answer<'b>(
        &'b self,
        grant: &'b Grant,
        scopes: &'b [String],
        nonce: Option<&'b str>,
        refresh_token: Option<String>,
    ) -> TokenAnswer<'b> {
        let client_info = self.form.get("client_info") == Some("1");
        TokenAnswer {
            directory: self.directory,
            grant,
            scopes,
            nonce,
            refresh_token,
            client_info,
            claims: self.claims.as_ref(),
            confirmation: self.confirmation.as_ref(),
        }
    }

    /// The scopes of this request, else those of the grant; one resource at a time, as at Entra.
    fn read_scopes(&self, granted: &[String]) -> Result<Vec<String>, Refusal> {
        let requested = self.form.words("scope");
        let scopes = if requested.is_empty() { granted.to_vec() } else { requested };
        let mut resources: Vec<&str> =
            scopes.iter().filter_map(|scope| resource_of(scope)).collect();
        resources.sort_unstable();
        resources.dedup();
        if resources.len() > 1 {
            let text = format!("The scopes {} belong to more than one resource.", scopes.join(" "));
            return Err(Refusal::new("invalid_scope", 28_000, text));
        }
        Ok(scopes)
    }
}

/// Refuses for what is wrong with the user or a scope. `fresh` is a grant that follows a sign-in at once.
fn apply_scenarios(
    state: &State,
    user: &User,
    grant: &Grant,
    scopes: &[String],
    fresh: bool,
) -> Result<(), Refusal> {
    if !find_unconsented(state, &user.name, &grant.client_id, scopes).is_empty() {
        return Err(consent_required(&grant.client_id));
    }
    let of_scopes = scopes.iter().filter_map(|scope| state.scope_scenarios.get(scope));
    for scenario in user.scenario.iter().chain(of_scopes) {
        let settled = *scenario == Scenario::ConsentRequired
            || scenario.is_satisfied_by(grant.claims.as_ref());
        if !settled && (!fresh || scenario.stops_every_grant()) {
            return Err(scenario.to_refusal());
        }
    }
    Ok(())
}
