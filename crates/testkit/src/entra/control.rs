//! The hand of a test: reads what happened, scripts what will, and plays the person.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use url::Url;

use super::authorize::{self, Redirect, Step};
use super::confirmation::{self, SignedRequest};
use super::device;
use super::error::Refusal;
use super::faults::Fault;
use super::log::LoggedRequest;
use super::message::{Params, Request};
use super::options::Settings;
use super::route::{Endpoint, Route, find_route};
use super::scenario::Scenario;
use super::server::Shared;
use super::state::{GrantCount, IssuedSecret, Revocation, SignedIn, State};
use super::token_use;

/// Controls one emulator; clones control the same one.
#[derive(Clone)]
pub struct Control {
    pub(super) shared: Arc<Shared>,
}

/// Why the emulator would not do as it was told: an OAuth error and its sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}: {description}")]
pub struct ControlError {
    /// The error code.
    pub error: String,
    /// What a person would read on the page.
    pub description: String,
}

/// What the scripted person does on the pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Person {
    /// Signs in and agrees to everything.
    #[default]
    Agrees,
    /// Signs in and declines to consent.
    DeclinesConsent,
    /// Walks away from the sign-in page.
    Cancels,
}

impl Control {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Every request since the log was last cleared, in order of arrival; the control's own are not among them.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.lock().log.entries()
    }

    /// The requests to one endpoint.
    pub fn requests_to(&self, endpoint: Endpoint) -> Vec<LoggedRequest> {
        let mut requests = self.requests();
        requests.retain(|request| request.endpoint == endpoint);
        requests
    }

    /// Empties the request log.
    pub fn clear_requests(&self) {
        self.shared.lock().log.clear();
    }

    /// Waits until the log holds this many requests to the endpoint.
    pub async fn wait_for_requests(&self, endpoint: Endpoint, count: usize) {
        let mut arrivals = self.shared.arrivals.subscribe();
        while self.shared.lock().log.count(endpoint) < count {
            if arrivals.changed().await.is_err() {
                return;
            }
        }
    }

    /// Scripts a fault; faults are met in the order they were added.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.lock().faults.add(fault);
    }

    /// Forgets the faults that were not yet met.
    pub fn clear_faults(&self) {
        self.shared.lock().faults.clear();
    }

    /// Lets the requests at this gate through, and all that come later.
    pub fn open_gate(&self, name: &str) {
        self.shared.lock().faults.gate(name).send_modify(|gate| gate.open = true);
    }

    /// Waits until this many requests have come to the gate.
    pub async fn wait_at_gate(&self, name: &str, count: usize) {
        let gate = self.shared.lock().faults.gate(name);
        // The channel cannot close while we hold its sender.
        let _ = gate.subscribe().wait_for(|gate| gate.arrivals >= count).await;
    }

    /// Completes an authorization request as a browser would, given the URL that the client would open; `user` is who
    /// types a name when the sign-in page asks for one. `browser` keeps the session between calls.
    pub fn authorize(
        &self,
        url: &str,
        user: &str,
        person: Person,
        browser: &Browser,
    ) -> Result<Redirect, ControlError> {
        let mut state = self.shared.lock();
        let (route, request) = read_authorize_url(&state, url)?;
        let now = state.clock.now();
        let sequence = state.log.record_arrival(now, &route, &request);
        let session = browser.session(&state);
        let first = authorize::begin(&mut state, &route.authority_path, &request.query, &session);
        let outcome = first.and_then(|step| play(&mut state, step, user, person, browser));
        let status = if outcome.is_ok() { 302 } else { 400 };
        state.log.record_answer(sequence, status);
        drop(state);
        self.shared.arrivals.send_replace(());
        outcome.map_err(ControlError::from)
    }

    /// Signs in for a device that shows this user code.
    pub fn approve_device(&self, user_code: &str, user: &str) -> Result<(), ControlError> {
        Ok(device::approve(&mut self.shared.lock(), user_code, user)?)
    }

    /// Refuses a device.
    pub fn decline_device(&self, user_code: &str) -> Result<(), ControlError> {
        Ok(device::decline(&mut self.shared.lock(), user_code)?)
    }

    /// What a resource makes of a signed request, the text after `Authorization: PoP`.
    pub fn open_signed_request(&self, signed: &str) -> Result<SignedRequest, ControlError> {
        Ok(confirmation::open_signed_request(&self.shared.lock(), signed)?)
    }

    /// Ends a user's browser sessions and refresh tokens, as an administrator would; returns how many grants died.
    pub fn revoke_user(&self, user: &str) -> usize {
        let user = user.to_lowercase();
        let mut state = self.shared.lock();
        for session in state.sessions.values_mut() {
            session.retain(|signed_in| signed_in.user != user);
        }
        state.grants.revoke_user(&user)
    }

    /// Says what goes wrong for a user, or that nothing does.
    pub fn set_user_scenario(&self, user: &str, scenario: Option<Scenario>) {
        if let Some(user) = self.shared.lock().users.get_mut(&user.to_lowercase()) {
            user.scenario = scenario;
        }
    }

    /// Says what goes wrong for a scope, or that nothing does.
    pub fn set_scope_scenario(&self, scope: &str, scenario: Option<Scenario>) {
        let mut state = self.shared.lock();
        match scenario {
            Some(scenario) => state.scope_scenarios.insert(scope.to_owned(), scenario),
            None => state.scope_scenarios.remove(scope),
        };
    }

    /// The settings in force.
    pub fn settings(&self) -> Settings {
        self.shared.lock().settings.clone()
    }

    /// Replaces the settings; they hold for what is issued from then on.
    pub fn set_settings(&self, settings: Settings) {
        self.shared.lock().settings = settings;
    }

    /// The emulator's time, in seconds since 1970.
    pub fn now(&self) -> i64 {
        self.shared.lock().clock.now()
    }

    /// Moves the emulator's clock.
    pub fn advance_clock(&self, seconds: i64) {
        self.shared.lock().clock.advance(seconds);
    }

    /// Every token and code ever issued: none of them may be found in a log.
    pub fn secrets(&self) -> Vec<IssuedSecret> {
        self.shared.lock().secrets.clone()
    }

    /// Token requests by grant type.
    pub fn counters(&self) -> BTreeMap<String, GrantCount> {
        self.shared.lock().counters.clone()
    }

    /// Requests to the revocation endpoint.
    pub fn revocations(&self) -> Vec<Revocation> {
        self.shared.lock().revocations.clone()
    }

    /// The claims of an access token, if the emulator signed it and it is live: what a resource would check.
    pub fn verify_access_token(&self, token: &str) -> Option<Value> {
        token_use::verify_live(&self.shared.lock(), token)
    }
}

/// The session of a scripted browser. [`Browser::default`] is a fresh one; a clone is the same browser.
#[derive(Debug, Clone, Default)]
pub struct Browser {
    id: Arc<std::sync::OnceLock<String>>,
}

impl Browser {
    /// The browser with this name, which several processes may share.
    pub fn named(name: &str) -> Self {
        Self { id: Arc::new(std::sync::OnceLock::from(format!("scripted-{name}"))) }
    }

    fn session(&self, state: &State) -> Vec<SignedIn> {
        self.id.get().and_then(|id| state.sessions.get(id)).cloned().unwrap_or_default()
    }

    fn remember(&self, state: &mut State, user: &str) {
        let id = self.id.get_or_init(|| state.random.next_text(1)).clone();
        let user = user.to_lowercase();
        let auth_time = state.clock.now();
        let session = state.sessions.entry(id).or_default();
        session.retain(|signed_in| signed_in.user != user);
        session.push(SignedIn { user, auth_time });
    }
}

impl From<Refusal> for ControlError {
    fn from(refusal: Refusal) -> Self {
        Self {
            error: refusal.error.to_owned(),
            description: format!("AADSTS{}: {}", refusal.number, refusal.text),
        }
    }
}

fn read_authorize_url(state: &State, url: &str) -> Result<(Route, Request), Refusal> {
    let invalid = || {
        Refusal::new(
            "invalid_request",
            90_100,
            "That is not the URL of the authorization endpoint.",
        )
    };
    let url = Url::parse(url).map_err(|_| invalid())?;
    let route = find_route(url.path(), state.generic_oidc);
    if route.endpoint != Endpoint::Authorize {
        return Err(invalid());
    }
    let query = Params::parse(url.query().unwrap_or("").as_bytes());
    Ok((
        route,
        Request {
            method: "GET".to_owned(),
            path: url.path().to_owned(),
            query,
            ..Request::default()
        },
    ))
}

/// Walks the pages.
fn play(
    state: &mut State,
    mut step: Step,
    user: &str,
    person: Person,
    browser: &Browser,
) -> Result<Redirect, Refusal> {
    loop {
        step = match step {
            Step::Done(redirect) => return Ok(redirect),
            Step::AwaitSignIn { ticket } if person == Person::Cancels => {
                authorize::cancel(state, &ticket)?
            }
            Step::AwaitSignIn { ticket } => {
                let next = authorize::sign_in(state, &ticket, user)?;
                browser.remember(state, user);
                next
            }
            Step::AwaitConsent { ticket } => {
                authorize::decide_consent(state, &ticket, person == Person::Agrees)?
            }
        };
    }
}
