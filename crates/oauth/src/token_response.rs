//! The token endpoint's answer (RFC 6749 section 5.1, OIDC Core section 3.1.3.3, Entra's additions).

use std::fmt;

use serde_json::{Map, Value};
use valetkey_model::{ScopeSet, Secret, UnixTime};

use crate::error::{read_success, strip_private_members};
use crate::json::{read_seconds, read_text, take_text};
use crate::{ClientInfo, HttpResponse, Misbehaviour, TokenResponseError};

/// Seconds that a token is taken to live when the provider does not say (RFC 6749 section 5.1 leaves it to us).
const DEFAULT_LIFETIME: i64 = 600;

/// What a grant was redeemed for. `Debug` shows the scopes and the lifetime.
#[derive(Clone)]
pub struct TokenResponse {
    /// The token itself.
    pub access_token: Secret,
    /// Bearer, unless the provider says otherwise.
    pub token_type: String,
    /// Seconds from now.
    pub expires_in: i64,
    /// Seconds from now until which the token may be used when the provider is out of order.
    pub ext_expires_in: Option<i64>,
    /// Seconds from now after which the provider advises to refresh.
    pub refresh_in: Option<i64>,
    /// What was granted; what was asked for when the provider does not say.
    pub scope: ScopeSet,
    /// A new refresh token, if the provider rotates.
    pub refresh_token: Option<Secret>,
    /// Who signed in; see [`crate::decode_id_token`].
    pub id_token: Option<Secret>,
    /// OpenID Connect Native SSO's shared secret of the machine.
    pub device_secret: Option<Secret>,
    /// Entra's home account.
    pub client_info: Option<ClientInfo>,
    /// Entra's family of applications that share refresh tokens.
    pub foci: Option<String>,
    /// Every other member, for the application. Neither the tokens that the broker keeps, nor `refresh_in` (which becomes
    /// `refresh_on`), nor members that begin with an underscore.
    pub fields: Map<String, Value>,
}

impl fmt::Debug for TokenResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TokenResponse({:?}, {} s)", self.scope, self.expires_in)
    }
}

/// Reads the answer to a request for `requested`.
///
/// # Errors
/// When the provider refused, is out of order, or broke the protocol.
pub fn parse_token_response(
    response: &HttpResponse,
    requested: &ScopeSet,
    now: UnixTime,
) -> Result<TokenResponse, TokenResponseError> {
    let mut fields = read_success(response, now)?;
    let access_token = take_token(&mut fields, "access_token")?
        .ok_or(Misbehaviour::Missing { member: "access_token" })?;
    let refresh_token = take_token(&mut fields, "refresh_token")?;
    let device_secret = take_token(&mut fields, "device_secret")?;
    let refresh_in = read_seconds(&fields, "refresh_in")?;
    fields.remove("refresh_in");
    strip_private_members(&mut fields);
    let client_info = fields.get("client_info").and_then(Value::as_str);
    Ok(TokenResponse {
        access_token,
        token_type: read_text(&fields, "token_type")?.unwrap_or_else(|| "Bearer".to_owned()),
        expires_in: read_lifetime(&fields, now)?,
        ext_expires_in: read_seconds(&fields, "ext_expires_in")?,
        refresh_in,
        scope: read_scope(&fields, requested)?,
        refresh_token,
        id_token: read_text(&fields, "id_token")?.map(Secret::new),
        device_secret,
        client_info: client_info.and_then(ClientInfo::decode),
        foci: read_family(&fields),
        fields,
    })
}

/// RFC 6749 appendix A.12: a token is printable ASCII. Anything else could forge a header, or a second line of output.
fn take_token(
    members: &mut Map<String, Value>,
    name: &'static str,
) -> Result<Option<Secret>, Misbehaviour> {
    let Some(token) = take_text(members, name)?.map(Secret::new) else { return Ok(None) };
    if token.expose().bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        Ok(Some(token))
    } else {
        Err(Misbehaviour::ForbiddenCharacter { member: name })
    }
}

fn read_lifetime(members: &Map<String, Value>, now: UnixTime) -> Result<i64, Misbehaviour> {
    if let Some(seconds) = read_seconds(members, "expires_in")? {
        return Ok(seconds);
    }
    let expires_on = read_seconds(members, "expires_on")?.map(UnixTime::from_seconds);
    Ok(expires_on.map_or(DEFAULT_LIFETIME, |time| time.seconds_since(now).max(0)))
}

fn read_scope(
    members: &Map<String, Value>,
    requested: &ScopeSet,
) -> Result<ScopeSet, Misbehaviour> {
    let granted = read_text(members, "scope")?;
    let granted = granted.map(|text| ScopeSet::from_target(&text)).filter(|set| !set.is_empty());
    Ok(granted.unwrap_or_else(|| requested.clone()))
}

fn read_family(members: &Map<String, Value>) -> Option<String> {
    match members.get("foci")? {
        Value::String(family) if !family.is_empty() => Some(family.clone()),
        Value::Number(family) => Some(family.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
