//! The authorization response: what the browser brings back (RFC 6749 section 4.1.2, RFC 9207).

use std::collections::BTreeMap;

use subtle::ConstantTimeEq;
use valetkey_model::Secret;

use crate::ClientInfo;
use crate::discovery::issuer_matches;
use crate::error::is_error_code;

/// What a redirect must fit.
#[derive(Clone, Copy, Debug)]
pub struct ExpectedRedirect<'a> {
    /// The request's state.
    pub state: &'a str,
    /// The provider's issuer, as its metadata says.
    pub issuer: Option<&'a str>,
    /// The metadata announces `iss` (RFC 9207 section 3), so that its absence is an attack.
    pub issuer_is_required: bool,
}

/// The code, and who signed in if Entra says.
#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    /// Good once, for a few minutes.
    pub code: Secret,
    /// Whose data centre the token request should go to.
    pub client_info: Option<ClientInfo>,
}

/// Why a redirect brings no code. Values that an attacker may have chosen are repeated only after the state was right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// Not an answer to a request of ours.
    #[error("redirect has no state")]
    StateMissing,
    /// An answer to another request.
    #[error("redirect's state is not that of the request")]
    StateMismatch,
    /// The provider announces `iss` and this redirect has none.
    #[error("redirect lacks iss, which the provider promises to send")]
    IssuerMissing,
    /// Another provider answered: a mix-up attack.
    #[error("redirect's iss is not the provider's issuer")]
    ForeignIssuer,
    /// The provider, or the person, said no. Other members are dropped on purpose.
    #[error("provider answered {}", error.escape_debug())]
    Refused {
        /// The code (RFC 6749 section 4.1.2.1).
        error: String,
        /// For people.
        error_description: Option<String>,
        /// More for people.
        error_uri: Option<String>,
    },
    /// The error's code is none (RFC 6749 section 4.1.2.1).
    #[error("redirect has an error code that is none")]
    BadErrorCode,
    /// Neither a code nor an error.
    #[error("redirect has neither a code nor an error")]
    Empty,
}

/// Checks a redirect and takes the code out of it. The state comes first and in constant time: nothing else of a redirect
/// that is not ours is looked at.
///
/// # Errors
/// When the redirect belongs elsewhere, or the provider refused.
pub fn parse_authorization_response(
    parameters: &BTreeMap<String, String>,
    expected: &ExpectedRedirect<'_>,
) -> Result<AuthorizationCode, RedirectError> {
    let text = |name: &str| parameters.get(name).filter(|text| !text.is_empty());
    let state = text("state").ok_or(RedirectError::StateMissing)?;
    if !is_same(state, expected.state) {
        return Err(RedirectError::StateMismatch);
    }
    check_issuer(text("iss"), expected)?;
    if let Some(error) = text("error") {
        if !is_error_code(error) {
            return Err(RedirectError::BadErrorCode);
        }
        return Err(RedirectError::Refused {
            error: error.clone(),
            error_description: text("error_description").cloned(),
            error_uri: text("error_uri").cloned(),
        });
    }
    let code = text("code").ok_or(RedirectError::Empty)?;
    Ok(AuthorizationCode {
        code: Secret::new(code.clone()),
        client_info: text("client_info").and_then(|raw| ClientInfo::decode(raw)),
    })
}

fn is_same(given: &str, expected: &str) -> bool {
    bool::from(given.as_bytes().ct_eq(expected.as_bytes()))
}

/// RFC 9207 section 2.4. An `iss` that there is nothing to compare with is foreign: metadata without an issuer announces
/// none.
fn check_issuer(
    given: Option<&String>,
    expected: &ExpectedRedirect<'_>,
) -> Result<(), RedirectError> {
    match given {
        None if expected.issuer_is_required => Err(RedirectError::IssuerMissing),
        None => Ok(()),
        Some(given) if expected.issuer.is_some_and(|issuer| issuer_matches(issuer, given)) => {
            Ok(())
        }
        Some(_) => Err(RedirectError::ForeignIssuer),
    }
}

#[cfg(test)]
mod tests;
