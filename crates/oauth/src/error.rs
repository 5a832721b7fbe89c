//! What a provider answers when it does not do what it was asked for.

use std::fmt;

use serde_json::{Map, Value};
use valetkey_model::UnixTime;

use crate::json::{read_object, read_text};
use crate::{HttpResponse, parse_retry_after};

/// Why an answer of the token, device authorization or revocation endpoint is no success.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenResponseError {
    /// The provider understood and said no (RFC 6749 section 5.2).
    #[error(transparent)]
    Refused(Box<OAuthError>),
    /// The provider is out of order (status 500 and above) or overrun (429 without a code); the same request may succeed
    /// later.
    #[error("provider is unavailable (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
        /// For how many seconds the provider asks to be left alone.
        retry_after: Option<i64>,
    },
    /// The provider, or something between it and us, broke the protocol.
    #[error(transparent)]
    ServerMisbehaved(#[from] Misbehaviour),
}

/// How an answer broke the protocol. No value of the answer is repeated: it may be a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    /// Most often the sign-in page of a proxy or of a hotel's network.
    #[error(
        "answer (status {status}) is no JSON; a proxy or a network's sign-in page may have answered in the provider's place"
    )]
    NotJson {
        /// The HTTP status.
        status: u16,
    },
    /// JSON, but a list, text or number.
    #[error("answer (status {status}) is no JSON object")]
    NotAnObject {
        /// The HTTP status.
        status: u16,
    },
    /// A status that says neither success nor failure, such as a redirect.
    #[error("answer has the unexpected status {status}")]
    UnexpectedStatus {
        /// The HTTP status.
        status: u16,
    },
    /// A failure without the code that RFC 6749 section 5.2 requires.
    #[error("answer (status {status}) is a failure without an error code")]
    NoErrorCode {
        /// The HTTP status.
        status: u16,
    },
    /// A member that the protocol requires is absent, null or empty.
    #[error("answer lacks {member:?}")]
    Missing {
        /// The member's name.
        member: &'static str,
    },
    /// A member of another type than the protocol says.
    #[error("answer has a {member:?} of the wrong type")]
    WrongType {
        /// The member's name.
        member: &'static str,
    },
    /// A token with bytes outside RFC 6749 appendix A's VSCHAR, which could forge a header or a line of output.
    #[error("answer has a {member:?} with characters that are not allowed in it")]
    ForbiddenCharacter {
        /// The member's name.
        member: &'static str,
    },
    /// A bearer token in the place of a bound one, or the reverse: worth less, or nothing, to who asked.
    #[error("answer has a token of another type than {asked}, which was asked for")]
    OtherTokenType {
        /// The type that was asked for.
        asked: &'static str,
    },
    /// More than any honest provider has to say.
    #[error("answer is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// An error code that is none (RFC 6749 section 5.2), which could forge or flood a log.
    #[error(
        "answer has an error code with characters that are not allowed in it, or of more than {MAX_ERROR_CODE} bytes"
    )]
    BadErrorCode,
}

/// The longest error code that is believed, in bytes. The longest of any specification has 31.
const MAX_ERROR_CODE: usize = 128;

/// An OAuth error (RFC 6749 section 5.2) with Entra's additions. `Display` and `Debug` show the codes alone, since
/// descriptions name users, and no more of them than a line of a log can bear.
#[derive(Clone, PartialEq, Eq)]
pub struct OAuthError {
    /// The code, such as `invalid_grant`.
    pub error: String,
    /// For people.
    pub error_description: Option<String>,
    /// Entra's AADSTS numbers.
    pub error_codes: Vec<i64>,
    /// Entra's finer reason, such as `basic_action`.
    pub suberror: Option<String>,
    /// What the next interactive request must carry (conditional access).
    pub claims: Option<String>,
    /// The provider's name for the failed request.
    pub correlation_id: Option<String>,
    /// For how many seconds the provider asks to be left alone.
    pub retry_after: Option<i64>,
    /// The HTTP status.
    pub status: u16,
    /// Every member as the provider sent it, for the application; tokens and members that begin with `_` are left out.
    pub fields: Map<String, Value>,
}

/// AADSTS numbers which say that a refresh token will never work again: expired (70008, 700081, 700082, 700084), revoked
/// (50173, 50132, 50133), issued under a sign-in frequency that has passed (70043), malformed or unknown (9002313, 70000).
const DEAD_TOKEN_CODES: [i64; 10] =
    [70000, 70008, 70043, 700_081, 700_082, 700_084, 50132, 50133, 50173, 9_002_313];

/// Suberrors that MSAL answers with an empty classification: nothing that an application could act upon.
const SUPPRESSED_SUBERRORS: [&str; 5] = [
    "bad_token",
    "token_expired",
    "protection_policy_required",
    "client_mismatch",
    "device_authentication_failed",
];

impl OAuthError {
    /// True when the refresh token just sent is useless for good, so that keeping it only costs requests.
    ///
    /// `invalid_grant` alone does not say so: Entra uses it too when the person must do something (a suberror or claims
    /// tell) while the refresh token stays good, and for a family token that this application may not use. Where Entra
    /// gives a number, the number decides; providers without numbers mean RFC 6749 section 5.2: invalid, expired, revoked.
    pub fn is_dead_refresh_token(&self) -> bool {
        if self.error != "invalid_grant" || self.claims.is_some() || self.is_client_mismatch() {
            return false;
        }
        match self.suberror.as_deref() {
            Some("bad_token" | "token_expired") => true,
            Some(_) => false,
            None if self.error_codes.is_empty() => true,
            None => self.error_codes.iter().any(|code| DEAD_TOKEN_CODES.contains(code)),
        }
    }

    /// True when a family refresh token is not for this application (`spec/msal-python.md` section 4.6).
    pub fn is_client_mismatch(&self) -> bool {
        let additional = self.fields.get("error_additional_info");
        self.suberror.as_deref() == Some("client_mismatch")
            || additional.is_some_and(|info| info.to_string().contains("client_mismatch"))
    }

    /// True when the person can put it right by signing in again.
    pub fn needs_interaction(&self) -> bool {
        self.claims.is_some()
            || matches!(
                self.error.as_str(),
                "invalid_grant" | "interaction_required" | "login_required" | "consent_required"
            )
    }

    /// True when the same request may succeed later.
    pub fn is_temporary(&self) -> bool {
        self.status == 429
            || matches!(self.error.as_str(), "temporarily_unavailable" | "server_error")
    }

    /// MSAL's `classification`: absent without a suberror, empty for those that an application cannot act upon.
    pub fn classification(&self) -> Option<&str> {
        let suberror = self.suberror.as_deref()?;
        Some(if SUPPRESSED_SUBERRORS.contains(&suberror) { "" } else { suberror })
    }

    /// The refusal of an endpoint that does not speak OAuth, in OAuth's words.
    pub(crate) fn new(
        error: &str,
        description: String,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Self {
        let fields = Map::from_iter([
            ("error".to_owned(), error.into()),
            ("error_description".to_owned(), description.into()),
        ]);
        Self::from_members(fields, error.to_owned(), response, now)
    }

    fn from_members(
        mut fields: Map<String, Value>,
        error: String,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Self {
        strip_private_members(&mut fields);
        let text = |name| read_text(&fields, name).ok().flatten();
        Self {
            error,
            error_description: text("error_description"),
            error_codes: read_error_codes(&fields),
            suberror: text("suberror"),
            claims: text("claims"),
            correlation_id: text("correlation_id"),
            retry_after: parse_retry_after(&response.headers, now),
            status: response.status,
            fields,
        }
    }
}

/// How many of Entra's numbers are shown; it sends one or two.
const SHOWN_CODES: usize = 8;

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "provider answered {}", self.error.escape_debug())?;
        if let Some(suberror) = &self.suberror {
            let shown: String = suberror.chars().take(MAX_ERROR_CODE).collect();
            write!(f, "/{}", shown.escape_debug())?;
        }
        for code in self.error_codes.iter().take(SHOWN_CODES) {
            write!(f, " AADSTS{code}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OAuthError({self})")
    }
}

impl std::error::Error for OAuthError {}

/// The members of a successful answer, or why it is none.
pub(crate) fn read_success(
    response: &HttpResponse,
    now: UnixTime,
) -> Result<Map<String, Value>, TokenResponseError> {
    if response.status >= 500 {
        return Err(unavailable(response, now));
    }
    let members = read_unless_refused(response, now)?;
    match response.status {
        200..=299 => Ok(members),
        400.. => Err(Misbehaviour::NoErrorCode { status: response.status }.into()),
        status => Err(Misbehaviour::UnexpectedStatus { status }.into()),
    }
}

/// The members of an answer that has no `error`, whatever its status: some providers say 200 to a refusal.
pub(crate) fn read_unless_refused(
    response: &HttpResponse,
    now: UnixTime,
) -> Result<Map<String, Value>, TokenResponseError> {
    let read = || {
        let members = read_object(response)?;
        let error = read_text(&members, "error")?;
        match error.as_deref().is_none_or(is_error_code) {
            true => Ok((members, error)),
            false => Err(Misbehaviour::BadErrorCode),
        }
    };
    let (members, error) = read().map_err(|misbehaviour: Misbehaviour| match response.status {
        429 | 500.. => unavailable(response, now),
        _ => misbehaviour.into(),
    })?;
    match error {
        None => Ok(members),
        Some(error) => Err(TokenResponseError::Refused(Box::new(OAuthError::from_members(
            members, error, response, now,
        )))),
    }
}

/// RFC 6749 sections 4.1.2.1 and 5.2: `%x20-21 / %x23-5B / %x5D-7E`.
pub(crate) fn is_error_code(text: &str) -> bool {
    text.len() <= MAX_ERROR_CODE
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
}

pub(crate) fn unavailable(response: &HttpResponse, now: UnixTime) -> TokenResponseError {
    let retry_after = parse_retry_after(&response.headers, now);
    TokenResponseError::Unavailable { status: response.status, retry_after }
}

/// Removes what no application is given: secrets of the broker, however deep they are nested, and members that begin with
/// an underscore, which MSAL keeps for itself.
pub(crate) fn strip_private_members(members: &mut Map<String, Value>) {
    members.retain(|name, _| !name.starts_with('_') && name != "access_token");
    strip_secrets(members);
}

/// Some providers answer with a token response inside of the token response.
fn strip_secrets(members: &mut Map<String, Value>) {
    members.retain(|name, _| !is_name_of_secret(name));
    members.values_mut().for_each(strip_secrets_in);
}

fn strip_secrets_in(value: &mut Value) {
    match value {
        Value::Object(members) => strip_secrets(members),
        Value::Array(items) => items.iter_mut().for_each(strip_secrets_in),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// In whatever style it is written: `refresh_token`, `refreshToken`, `Refresh-Token`.
fn is_name_of_secret(name: &str) -> bool {
    const SECRETS: [&str; 7] = [
        "clientassertion",
        "clientsecret",
        "codeverifier",
        "devicecode",
        "devicesecret",
        "refreshtoken",
        "registrationaccesstoken",
    ];
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    let folded: Vec<_> = letters.map(|byte| byte.to_ascii_lowercase()).collect();
    SECRETS.iter().any(|secret| secret.as_bytes() == folded)
}

fn read_error_codes(members: &Map<String, Value>) -> Vec<i64> {
    let codes = members.get("error_codes").and_then(Value::as_array);
    codes.into_iter().flatten().filter_map(Value::as_i64).collect()
}

#[cfg(test)]
mod tests;
