//! ID tokens (OIDC Core section 2): reading, and the checks that need no key.
//!
//! The signature is left unchecked, as OIDC Core section 3.1.3.7 item 6 allows: the token came over TLS straight from the
//! token endpoint.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Map, Value};
use valetkey_model::{ClientId, Secret, UnixTime};

use crate::Nonce;
use crate::discovery::issuer_matches;

/// Base64url with or without padding: RFC 7515 forbids padding, some providers send it.
pub(crate) const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How far clocks may be apart when `max_age` is checked.
const CLOCK_SKEW_SECONDS: i64 = 120;

/// Why an ID token cannot be used. Names claims, never their values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    /// Not three parts with JSON in the middle.
    #[error("id token cannot be read")]
    Unreadable,
    /// It answers another request: a replay, or a mixed-up response.
    #[error("id token's nonce is not that of the request")]
    NonceMismatch,
    /// `max_age` was asked for, but the provider does not say when the user signed in.
    #[error("id token lacks auth_time, although max_age was asked for")]
    AuthTimeMissing,
    /// The user signed in longer ago than `max_age` allows.
    #[error("the sign-in is older than max_age allows")]
    AuthTimeTooOld,
    /// Issued by somebody else.
    #[error("id token's iss is not the provider's issuer")]
    ForeignIssuer,
    /// Issued for another application.
    #[error("id token's aud or azp is not this client")]
    ForeignAudience,
    /// A refresh brought another person's token (OIDC Core section 12.2).
    #[error("the token that came is not of the person whose token was asked for")]
    ForeignSubject,
    /// OIDC Core section 2 requires a subject of 1 to 255 characters.
    #[error("id token lacks a sub")]
    SubjectMissing,
}

/// Reads the payload; nothing is checked.
///
/// # Errors
/// When it is no compact JWS with a JSON object in it.
pub fn decode_id_token(id_token: &Secret) -> Result<IdTokenClaims, IdTokenError> {
    let mut parts = id_token.expose().split('.');
    let (Some(_header), Some(payload), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(IdTokenError::Unreadable);
    };
    let json = BASE64_URL.decode(payload).map_err(|_| IdTokenError::Unreadable)?;
    serde_json::from_slice(&json).map(IdTokenClaims).map_err(|_| IdTokenError::Unreadable)
}

/// Claims of an ID token. `Debug` shows none: they describe a person.
#[derive(Clone, PartialEq, Eq)]
pub struct IdTokenClaims(Map<String, Value>);

impl IdTokenClaims {
    /// Claims that were decoded elsewhere.
    pub fn from_members(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// All of them, for the application's `id_token_claims`.
    pub fn members(&self) -> &Map<String, Value> {
        &self.0
    }

    /// `iss`.
    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    /// `sub`: the user, as this issuer names them to this client.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// `oid`: Entra's object id of the user in the tenant.
    pub fn object_id(&self) -> Option<&str> {
        self.text("oid")
    }

    /// `tid`: Entra's tenant id.
    pub fn tenant_id(&self) -> Option<&str> {
        self.text("tid")
    }

    /// `preferred_username`, else `upn`.
    pub fn username(&self) -> Option<&str> {
        self.text("preferred_username").or_else(|| self.text("upn"))
    }

    /// `aud`, which is a text or a list.
    pub fn audiences(&self) -> Vec<&str> {
        match self.0.get("aud") {
            Some(Value::String(audience)) => vec![audience],
            Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        }
    }

    /// `auth_time`: when the user signed in.
    pub fn auth_time(&self) -> Option<UnixTime> {
        self.0.get("auth_time")?.as_i64().map(UnixTime::from_seconds)
    }

    /// # Errors
    /// When `nonce` is absent or not the digest that was sent.
    pub fn check_nonce(&self, nonce: &Nonce) -> Result<(), IdTokenError> {
        let given = self.text("nonce").unwrap_or_default();
        if nonce.matches(given) { Ok(()) } else { Err(IdTokenError::NonceMismatch) }
    }

    /// # Errors
    /// When `auth_time` is absent, or more than `max_age` seconds ago.
    pub fn check_max_age(&self, max_age: u32, now: UnixTime) -> Result<(), IdTokenError> {
        let signed_in = self.auth_time().ok_or(IdTokenError::AuthTimeMissing)?;
        let limit = signed_in.plus_seconds(i64::from(max_age) + CLOCK_SKEW_SECONDS);
        if now <= limit { Ok(()) } else { Err(IdTokenError::AuthTimeTooOld) }
    }

    /// OIDC Core section 3.1.3.7 items 2 to 5, for providers other than Entra (whose tenants issue under many names).
    ///
    /// # Errors
    /// When the token was issued by another provider or for another client.
    pub fn check_issuer_and_audience(
        &self,
        issuer: &str,
        client_id: &ClientId,
    ) -> Result<(), IdTokenError> {
        if !self.issuer().is_some_and(|given| issuer_matches(issuer, given)) {
            return Err(IdTokenError::ForeignIssuer);
        }
        let audiences = self.audiences();
        let authorized = match self.0.get("azp") {
            Some(party) => party.as_str() == Some(client_id.as_str()),
            None => audiences.len() == 1,
        };
        if !authorized || !audiences.contains(&client_id.as_str()) {
            return Err(IdTokenError::ForeignAudience);
        }
        match self.subject() {
            Some(_) => Ok(()),
            None => Err(IdTokenError::SubjectMissing),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str().filter(|text| !text.is_empty())
    }
}

impl fmt::Debug for IdTokenClaims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdTokenClaims")
    }
}

#[cfg(test)]
mod tests;
