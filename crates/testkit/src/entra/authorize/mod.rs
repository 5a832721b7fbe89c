//! The authorization endpoint: from a request through sign-in and consent to a redirect.
//!
//! The steps are functions that return the next [`Step`]; a browser walks them through pages, a test through the
//! control.

mod redirect;
mod request;
mod web;

pub use redirect::{Redirect, ResponseMode};
pub(crate) use request::{AuthorizationRequest, Prompt};
pub(crate) use web::{answer, find_session, logout};

use super::answer::is_oidc_scope;
use super::error::Refusal;
use super::grants::GrantId;
use super::message::Params;
use super::scenario::{Scenario, consent_required};
use super::state::{SignedIn, State};
use super::tenant::Directory;

/// What a request needs next. A ticket names the request that waits for a person.
#[derive(Debug)]
pub(crate) enum Step {
    /// Someone must sign in or pick an account.
    AwaitSignIn { ticket: String },
    /// The user who signed in must agree to the scopes.
    AwaitConsent { ticket: String },
    /// Done, for better or worse.
    Done(Redirect),
}

/// An authorization request that waits for a person.
#[derive(Debug, Clone)]
pub(crate) struct PendingAuthorization {
    pub(crate) request: AuthorizationRequest,
    pub(crate) signed_in: Option<SignedIn>,
}

/// An authorization code and what it stands for.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) request: AuthorizationRequest,
    pub(crate) signed_in: SignedIn,
    pub(crate) expires_at: i64,
    /// The grant it was redeemed for.
    pub(crate) redeemed: Option<GrantId>,
}

/// Begins a request. `Err` is for a page: there is no redirect URI to trust.
pub(crate) fn begin(
    state: &mut State,
    authority_path: &str,
    params: &Params,
    session: &[SignedIn],
) -> Result<Step, Refusal> {
    let directory = Directory::find(state, authority_path)?;
    let (client, address) = request::read_return_address(state, params)?;
    let request = match request::read(directory, client, address.clone(), params) {
        Ok(request) => request,
        Err(refusal) => {
            let params = refusal.to_redirect_params(state, None);
            return Ok(Step::Done(Redirect::new(&address, params)));
        }
    };
    Ok(choose_first_step(state, request, session))
}

/// Single sign-on when the session and the prompt allow it.
fn choose_first_step(
    state: &mut State,
    request: AuthorizationRequest,
    session: &[SignedIn],
) -> Step {
    let candidate = find_candidate(state, &request, session);
    match (request.prompt, candidate) {
        (Prompt::None, candidate) => {
            let outcome = candidate.and_then(|signed_in| {
                refuse_silently(state, &request, &signed_in).map_or(Ok(signed_in), Err)
            });
            match outcome {
                Ok(signed_in) => finish(state, request, signed_in),
                Err(refusal) => refuse(state, &request, &refusal),
            }
        }
        (Prompt::AsNeeded | Prompt::Consent, Ok(signed_in)) => {
            ask_consent(state, request, signed_in)
        }
        _ => Step::AwaitSignIn { ticket: park(state, request, None) },
    }
}

/// The one session that fits the request: the hinted user's, or the only one, and young enough.
fn find_candidate(
    state: &State,
    request: &AuthorizationRequest,
    session: &[SignedIn],
) -> Result<SignedIn, Refusal> {
    let hint = request.login_hint.as_deref().map(str::to_lowercase);
    let oldest = request.max_age.map_or(i64::MIN, |age| state.clock.now().saturating_sub(age));
    let mut fitting = session.iter().filter(|signed_in| {
        let knows = state
            .find_user(&signed_in.user)
            .is_some_and(|user| request.directory.tenant_for(user).is_ok());
        knows
            && signed_in.auth_time >= oldest
            && hint.as_ref().is_none_or(|hint| *hint == signed_in.user)
    });
    match (fitting.next(), fitting.next()) {
        (Some(only), None) => Ok(only.clone()),
        (None, _) => Err(Refusal::new(
            "login_required",
            50_058,
            "Nobody who fits this silent request is signed in.",
        )),
        (Some(_), Some(_)) => Err(Refusal::new(
            "interaction_required",
            16_000,
            "Several signed-in users fit this silent request.",
        )),
    }
}

/// Why `prompt=none` cannot succeed for this user.
fn refuse_silently(
    state: &State,
    request: &AuthorizationRequest,
    signed_in: &SignedIn,
) -> Option<Refusal> {
    if needs_consent(state, request, signed_in) {
        return Some(Refusal { error: "consent_required", ..consent_required(&request.client.id) });
    }
    let scenario = state.find_user(&signed_in.user)?.scenario.as_ref()?;
    let wants_interaction = matches!(
        scenario,
        Scenario::InteractionRequired | Scenario::EnrollmentRequired | Scenario::ClaimsChallenge(_)
    );
    wants_interaction.then(|| scenario.to_refusal())
}

/// A person signed in to the request that waits; refused when the tenant does not know them.
pub(crate) fn sign_in(state: &mut State, ticket: &str, user_name: &str) -> Result<Step, Refusal> {
    let mut pending = find_pending(state, ticket)?;
    let user = state.find_user(user_name).cloned().ok_or_else(|| {
        Refusal::invalid_grant(50_034, "We don't know this user name. Check it and try again.")
    })?;
    pending.request.directory.tenant_for(&user)?;
    let signed_in = SignedIn { user: user.name.to_lowercase(), auth_time: state.clock.now() };
    state.pending.remove(ticket);
    pending.signed_in = Some(signed_in.clone());
    Ok(ask_consent(state, pending.request, signed_in))
}

fn ask_consent(state: &mut State, request: AuthorizationRequest, signed_in: SignedIn) -> Step {
    if needs_consent(state, &request, &signed_in) {
        return Step::AwaitConsent { ticket: park(state, request, Some(signed_in)) };
    }
    finish(state, request, signed_in)
}

fn needs_consent(state: &State, request: &AuthorizationRequest, signed_in: &SignedIn) -> bool {
    request.prompt == Prompt::Consent
        || !find_unconsented(state, &signed_in.user, &request.client.id, &request.scopes).is_empty()
}

/// The scopes that this user has yet to agree to.
pub(crate) fn find_unconsented(
    state: &State,
    user_name: &str,
    client_id: &str,
    scopes: &[String],
) -> Vec<String> {
    let Some(user) = state.find_user(user_name) else { return Vec::new() };
    let user_must_agree =
        state.settings.ask_consent || user.scenario == Some(Scenario::ConsentRequired);
    let must_agree = |scope: &str| {
        user_must_agree || state.scope_scenarios.get(scope) == Some(&Scenario::ConsentRequired)
    };
    let has_agreed = |scope: &String| {
        let consent = (user.object_id.clone(), client_id.to_owned(), scope.clone());
        state.consents.contains(&consent)
    };
    let resource_scopes = scopes.iter().filter(|scope| !is_oidc_scope(scope));
    resource_scopes.filter(|scope| must_agree(scope) && !has_agreed(scope)).cloned().collect()
}

/// The user agreed or declined.
pub(crate) fn decide_consent(
    state: &mut State,
    ticket: &str,
    agreed: bool,
) -> Result<Step, Refusal> {
    let PendingAuthorization { request, signed_in: Some(signed_in) } = find_pending(state, ticket)?
    else {
        return Err(no_such_ticket());
    };
    state.pending.remove(ticket);
    if !agreed {
        let refusal = Refusal::new("access_denied", 65_004, "The user declined to give consent.");
        return Ok(refuse(state, &request, &refusal));
    }
    record_consent(state, &signed_in.user, &request.client.id, &request.scopes);
    Ok(finish(state, request, signed_in))
}

pub(crate) fn record_consent(
    state: &mut State,
    user_name: &str,
    client_id: &str,
    scopes: &[String],
) {
    let Some(object_id) = state.find_user(user_name).map(|user| user.object_id.clone()) else {
        return;
    };
    let consents =
        scopes.iter().map(|scope| (object_id.clone(), client_id.to_owned(), scope.clone()));
    state.consents.extend(consents);
}

/// The user walked away from the sign-in page.
pub(crate) fn cancel(state: &mut State, ticket: &str) -> Result<Step, Refusal> {
    let pending = find_pending(state, ticket)?;
    state.pending.remove(ticket);
    let refusal = Refusal::new("access_denied", 65_004, "The user cancelled the sign-in.");
    Ok(refuse(state, &pending.request, &refusal))
}

fn refuse(state: &mut State, request: &AuthorizationRequest, refusal: &Refusal) -> Step {
    let mut params = refusal.to_redirect_params(state, None);
    push_issuer(state, request, None, &mut params);
    Step::Done(Redirect::new(&request.address, params))
}

/// Issues the code.
fn finish(state: &mut State, request: AuthorizationRequest, signed_in: SignedIn) -> Step {
    let code = format!("1.A{}", state.random.next_text(8));
    let code = state.remember_secret("code", code);
    let mut params = vec![("code".to_owned(), code.clone())];
    let user = state.find_user(&signed_in.user).cloned();
    if let Some(user) = user
        .as_ref()
        .filter(|_| request.client_info && !state.generic_oidc && !request.directory.is_adfs())
    {
        params.push((
            "client_info".to_owned(),
            super::jwt::client_info(&user.object_id, &user.home_tenant),
        ));
    }
    if !state.generic_oidc {
        params.push(("session_state".to_owned(), state.random.next_uuid()));
    }
    let tenant_id = user.and_then(|user| request.directory.tenant_for(&user).ok());
    push_issuer(state, &request, tenant_id.as_deref(), &mut params);
    let redirect = Redirect::new(&request.address, params);
    let expires_at = state.clock.now().saturating_add(state.settings.code_lifetime);
    state.codes.insert(code, Code { request, signed_in, expires_at, redeemed: None });
    Step::Done(redirect)
}

/// `iss` (RFC 9207). A refusal without a user has the document's issuer.
fn push_issuer(
    state: &State,
    request: &AuthorizationRequest,
    tenant_id: Option<&str>,
    params: &mut Vec<(String, String)>,
) {
    if state.settings.authorization_response_iss {
        let issuer = match tenant_id {
            Some(tenant_id) => request.directory.token_issuer(&state.base_url, tenant_id),
            None => request.directory.document_issuer(&state.base_url),
        };
        params.push(("iss".to_owned(), issuer));
    }
}

fn park(state: &mut State, request: AuthorizationRequest, signed_in: Option<SignedIn>) -> String {
    let ticket = state.random.next_text(1);
    state.pending.insert(ticket.clone(), PendingAuthorization { request, signed_in });
    ticket
}

pub(crate) fn find_pending(state: &State, ticket: &str) -> Result<PendingAuthorization, Refusal> {
    state.pending.get(ticket).cloned().ok_or_else(no_such_ticket)
}

fn no_such_ticket() -> Refusal {
    Refusal::new(
        "invalid_request",
        90_100,
        "This sign-in was already finished or has been abandoned.",
    )
}
