//! Signing in on another device (RFC 8628); the polling grant is [`crate::build_device_code_request`].

use std::fmt;

use serde_json::{Map, Value};
use url::Url;
use valetkey_model::{ClientId, ScopeSet, Secret, UnixTime, steers_display};

use crate::error::{read_unless_refused, strip_private_members};
use crate::grant::push;
use crate::http::Form;
use crate::json::{read_seconds, read_text, take_text};
use crate::token_response::TokenResponse;
use crate::{Call, HttpRequest, HttpResponse, Misbehaviour, ProviderMetadata, TokenResponseError};

/// RFC 8628 section 3.2 says 5 when the provider does not.
const DEFAULT_INTERVAL: u64 = 5;
/// MSAL's, for providers that leave out the member which RFC 8628 requires.
const DEFAULT_LIFETIME: i64 = 1800;
const COMPLETE: &str = "verification_uri_complete";

/// What the person must do, and the code to poll with.
#[derive(Clone)]
pub struct DeviceAuthorization {
    /// For polling; whoever has it gets the tokens.
    pub device_code: Secret,
    /// What the person types.
    pub user_code: String,
    /// Where.
    pub verification_uri: String,
    /// The same with the code in it, for a QR code. Never at another origin.
    pub verification_uri_complete: Option<String>,
    /// The provider's complete link led to another origin than the plain one, and was left out.
    pub had_foreign_link: bool,
    /// Seconds until both codes are void.
    pub expires_in: i64,
    /// Seconds between polls, at least one.
    pub interval: u64,
    /// Every member for the application's flow, without the device code.
    pub fields: Map<String, Value>,
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceAuthorization({}, {} s)", self.verification_uri, self.expires_in)
    }
}

/// The request for a code; none when the provider has no such endpoint.
pub fn build_device_authorization_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    scopes: &ScopeSet,
    claims: Option<&str>,
    call: &Call,
) -> Option<HttpRequest> {
    let url = provider.device_authorization_endpoint.clone()?;
    let mut form = Form::new();
    call.authentication.push_client_id(&mut form, client_id);
    call.authentication.push_fields(&mut form, false);
    push(&mut form, "scope", scopes.target());
    push(&mut form, "claims", claims.unwrap_or_default());
    Some(HttpRequest::post(url, call.authentication.sign(call.headers(), client_id), form))
}

/// Reads the codes. The status is not looked at while the body tells: some providers answer 200 to a refusal.
///
/// The provider's `message` and its other texts are shown as they are by many an application: what steers a terminal or
/// begins a line is replaced in them. A link with the code in it that leads elsewhere than the one without is left out,
/// since a person compares the one and opens the other.
///
/// # Errors
/// When the provider refused, or sent something that must not be shown to a person.
pub fn parse_device_authorization(
    response: &HttpResponse,
    now: UnixTime,
) -> Result<DeviceAuthorization, TokenResponseError> {
    let mut members = read_unless_refused(response, now)?;
    let device_code = take_text(&mut members, "device_code")?;
    let device_code = device_code.ok_or(Misbehaviour::Missing { member: "device_code" })?;
    let verification_uri = match read_link(&members, "verification_uri")? {
        Some(uri) => uri,
        None => read_link(&members, "verification_url")?
            .ok_or(Misbehaviour::Missing { member: "verification_uri" })?,
    };
    let complete = read_link(&members, COMPLETE)?;
    let had_foreign_link =
        complete.as_ref().is_some_and(|it| !is_same_origin(it, &verification_uri));
    if had_foreign_link {
        members.remove(COMPLETE);
    }
    let interval =
        read_seconds(&members, "interval")?.map_or(DEFAULT_INTERVAL, i64::unsigned_abs).max(1);
    let expires_in = read_seconds(&members, "expires_in")?.unwrap_or(DEFAULT_LIFETIME);
    let authorization = DeviceAuthorization {
        device_code: Secret::new(device_code),
        user_code: read_user_code(&members)?,
        verification_uri,
        verification_uri_complete: complete.filter(|_| !had_foreign_link),
        had_foreign_link,
        expires_in,
        interval,
        fields: Map::new(),
    };
    strip_private_members(&mut members);
    members.values_mut().for_each(clean);
    members.insert("interval".to_owned(), interval.into());
    members.insert("expires_in".to_owned(), expires_in.into());
    Ok(DeviceAuthorization { fields: members, ..authorization })
}

/// A link that a person is asked to open: http or https, never `javascript:` or `file:`.
fn read_link(
    members: &Map<String, Value>,
    name: &'static str,
) -> Result<Option<String>, Misbehaviour> {
    let Some(text) = read_text(members, name)? else { return Ok(None) };
    let url = Url::parse(&text).map_err(|_| Misbehaviour::WrongType { member: name })?;
    if !matches!(url.scheme(), "https" | "http") || !url.has_host() {
        return Err(Misbehaviour::WrongType { member: name });
    }
    if text.chars().any(|c| steers_display(c) || c.is_whitespace()) {
        return Err(Misbehaviour::ForbiddenCharacter { member: name });
    }
    Ok(Some(text))
}

fn is_same_origin(one: &str, other: &str) -> bool {
    matches!((Url::parse(one), Url::parse(other)), (Ok(one), Ok(other)) if one.origin() == other.origin())
}

/// Puts a space in the place of each character that would do something to a screen.
fn clean(value: &mut Value) {
    if let Value::String(text) = value
        && text.contains(steers_display)
    {
        *text = text.replace(steers_display, " ");
    }
}

/// A code that is printed on a terminal must not steer it.
fn read_user_code(members: &Map<String, Value>) -> Result<String, Misbehaviour> {
    const MEMBER: &str = "user_code";
    let code = read_text(members, MEMBER)?.ok_or(Misbehaviour::Missing { member: MEMBER })?;
    if code.chars().any(steers_display) {
        return Err(Misbehaviour::ForbiddenCharacter { member: MEMBER });
    }
    Ok(code)
}

/// What to do after a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollOutcome {
    /// Poll again after the interval.
    Pending,
    /// Make the interval 5 seconds longer for good, then poll again.
    SlowDown,
    /// It is decided, for good or ill.
    Done,
}

/// Reads the answer to a poll (RFC 8628 section 3.5). A provider that is out of order for a moment does not end the flow:
/// the person may be typing the code just then.
pub fn poll_outcome(answer: &Result<TokenResponse, TokenResponseError>) -> PollOutcome {
    match answer {
        Err(TokenResponseError::Refused(refusal)) => match refusal.error.as_str() {
            "authorization_pending" => PollOutcome::Pending,
            "slow_down" => PollOutcome::SlowDown,
            _ if refusal.is_temporary() => PollOutcome::SlowDown,
            _ => PollOutcome::Done,
        },
        Err(TokenResponseError::Unavailable { .. }) => PollOutcome::SlowDown,
        Ok(_) | Err(TokenResponseError::ServerMisbehaved(_)) => PollOutcome::Done,
    }
}

#[cfg(test)]
mod tests;
