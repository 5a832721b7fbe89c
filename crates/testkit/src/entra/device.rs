//! The device authorization endpoint (RFC 8628) and what a person decides about a user code.

use serde_json::{Value, json};

use super::authorize::record_consent;
use super::claims;
use super::client::Client;
use super::error::Refusal;
use super::message::{Reply, Request};
use super::state::State;
use super::tenant::Directory;

/// A device that waits for a person elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    pub(crate) client: Client,
    pub(crate) directory: Directory,
    pub(crate) scopes: Vec<String>,
    pub(crate) claims: Option<Value>,
    pub(crate) user_code: String,
    pub(crate) expires_at: i64,
    /// Seconds between polls; grows with each poll that came too soon.
    pub(crate) interval: i64,
    pub(crate) last_poll_ms: Option<i64>,
    pub(crate) decision: Decision,
}

/// What the person said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    Awaited,
    Approved {
        user: String,
        auth_time: i64,
    },
    Declined,
    /// The tokens were fetched.
    Redeemed,
}

/// Answers the device authorization request.
pub(crate) fn start(
    state: &mut State,
    directory: Directory,
    request: &Request,
) -> Result<Reply, Refusal> {
    request.require_post()?;
    request.form.refuse_duplicates()?;
    let client = state.find_client(request.form.require("client_id")?)?;
    request.form.require("scope")?;
    let user_code = state.random.next_user_code();
    let user_code = state.remember_secret("user_code", user_code);
    let device_code = state.random.next_text(4);
    let device_code = state.remember_secret("device_code", device_code);
    let (lifetime, interval) =
        (state.settings.device_code_lifetime, state.settings.device_interval);
    let device = Device {
        client,
        directory,
        scopes: request.form.words("scope"),
        claims: claims::read(&request.form)?,
        user_code: user_code.clone(),
        expires_at: state.clock.now().saturating_add(lifetime),
        interval,
        last_poll_ms: None,
        decision: Decision::Awaited,
    };
    state.devices.insert(device_code.clone(), device);
    let verification_uri = format!("{}/devicelogin", state.base_url);
    let mut body = json!({
        "user_code": user_code,
        "device_code": device_code,
        "verification_uri": verification_uri,
        "expires_in": lifetime,
        "interval": interval,
    });
    if state.generic_oidc {
        body["verification_uri_complete"] =
            json!(format!("{verification_uri}?user_code={user_code}"));
    } else {
        let message = format!(
            "Open {verification_uri} in a browser and enter the code {user_code} to sign in."
        );
        body["message"] = json!(message);
    }
    Ok(Reply::json(200, &body))
}

/// Finds the device that waits under a user code, however a person typed it.
pub(crate) fn find_waiting<'a>(state: &'a State, user_code: &str) -> Result<&'a Device, Refusal> {
    let typed = normalize(user_code);
    let now = state.clock.now();
    let device = state.devices.values().find(|device| device.user_code == typed);
    let device = device.filter(|device| device.decision == Decision::Awaited);
    let device = device.ok_or_else(|| {
        Refusal::invalid_grant(70_018, "No device waits under this code. Check it and try again.")
    })?;
    if now >= device.expires_at {
        return Err(Refusal::new(
            "expired_token",
            70_019,
            "This code has run out. Let your device show a new one.",
        ));
    }
    Ok(device)
}

/// The user signed in and agreed.
pub(crate) fn approve(state: &mut State, user_code: &str, user_name: &str) -> Result<(), Refusal> {
    let device = find_waiting(state, user_code)?;
    let user = state.find_user(user_name).ok_or_else(|| {
        Refusal::invalid_grant(50_034, "We don't know this user name. Check it and try again.")
    })?;
    device.directory.tenant_for(user)?;
    let user = user.name.to_lowercase();
    let (client_id, scopes) = (device.client.id.clone(), device.scopes.clone());
    record_consent(state, &user, &client_id, &scopes);
    let auth_time = state.clock.now();
    decide(state, user_code, Decision::Approved { user, auth_time });
    Ok(())
}

/// The user refused.
pub(crate) fn decline(state: &mut State, user_code: &str) -> Result<(), Refusal> {
    find_waiting(state, user_code)?;
    decide(state, user_code, Decision::Declined);
    Ok(())
}

fn decide(state: &mut State, user_code: &str, decision: Decision) {
    let typed = normalize(user_code);
    if let Some(device) = state.devices.values_mut().find(|device| device.user_code == typed) {
        device.decision = decision;
    }
}

fn normalize(user_code: &str) -> String {
    user_code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase()
}
