//! Entra's user realm: whether a user's password is known to Entra or to the identity provider of a federated domain.
//!
//! ADFS authorities have no such place; there the password is always sent to the authority itself.

use http::header::{ACCEPT, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;
use valetkey_model::{Authority, CorrelationId};

use crate::discovery::is_secure_for;
use crate::json::{read_object, read_text};
use crate::{HttpRequest, HttpResponse, Misbehaviour, WsTrustEndpoint};

/// Whom a federated domain's token is for, unless the realm says otherwise.
const DEFAULT_AUDIENCE: &str = "urn:federation:MicrosoftOnline";

/// Who knows the user's password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRealm {
    /// The authority itself: see [`crate::PasswordGrant`].
    Managed,
    /// The identity provider of the user's domain: see [`crate::build_ws_trust_request`].
    Federated(FederatedDomain),
}

/// A domain whose users sign in with its own identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FederatedDomain {
    /// Where that is.
    pub endpoint: FederatedEndpoint,
    /// Whom the domain's token must be for.
    pub audience: String,
}

/// Where a federated domain takes user name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FederatedEndpoint {
    /// A document says so: to be fetched with [`HttpRequest::get`] and read by [`crate::parse_mex`].
    DescribedAt(Url),
    /// Here.
    Known(WsTrustEndpoint),
}

/// Why it is not known where the user's password belongs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserRealmError {
    /// The authority is out of order (status 500 and above) or overrun (429).
    #[error("user realm is unavailable (status {status})")]
    Unavailable {
        /// The HTTP status.
        status: u16,
    },
    /// Not an answer of a user realm at all.
    #[error("user realm: {0}")]
    ServerMisbehaved(#[from] Misbehaviour),
    /// The password would travel in the clear.
    #[error("{member} of the user realm must begin with https://")]
    InsecureEndpoint {
        /// Which endpoint.
        member: &'static str,
    },
    /// Nothing that user name and password can be sent to.
    #[error("user realm names no endpoint of the federated domain for user name and password")]
    NoEndpoint,
}

/// Asks for the realm of `username`. MSAL puts the name into the path as it is; here it is escaped, so that a name cannot
/// change what is asked.
pub fn build_user_realm_request(
    authority: &Authority,
    username: &str,
    correlation_id: &CorrelationId,
) -> HttpRequest {
    let mut url = authority.url().clone();
    url.set_fragment(None);
    url.set_query(Some("api-version=1.0"));
    url.set_path("/common/userrealm/");
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().push(username);
    }
    let mut request = HttpRequest::get(url);
    request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    if let Ok(id) = HeaderValue::from_str(correlation_id.as_str()) {
        request.headers.insert(HeaderName::from_static("client-request-id"), id);
    }
    request
}

/// Reads the answer. A host without user realms (404) manages all its users.
///
/// # Errors
/// When there is no answer, or one that cannot be followed without showing the password to others.
pub fn parse_user_realm(
    authority: &Authority,
    response: &HttpResponse,
) -> Result<UserRealm, UserRealmError> {
    match response.status {
        200..=299 => {}
        404 => return Ok(UserRealm::Managed),
        status @ (429 | 500..) => return Err(UserRealmError::Unavailable { status }),
        status => return Err(Misbehaviour::UnexpectedStatus { status }.into()),
    }
    let members = read_object(response)?;
    if read_text(&members, "account_type")?.as_deref() != Some("Federated") {
        return Ok(UserRealm::Managed);
    }
    let endpoint = match read_url(authority, &members, "federation_metadata_url")? {
        Some(url) => FederatedEndpoint::DescribedAt(url),
        None => read_url(authority, &members, "federation_active_auth_url")?
            .and_then(WsTrustEndpoint::from_path)
            .map(FederatedEndpoint::Known)
            .ok_or(UserRealmError::NoEndpoint)?,
    };
    let audience = read_text(&members, "cloud_audience_urn")?;
    let audience = audience.unwrap_or_else(|| DEFAULT_AUDIENCE.to_owned());
    Ok(UserRealm::Federated(FederatedDomain { endpoint, audience }))
}

fn read_url(
    authority: &Authority,
    members: &Map<String, Value>,
    member: &'static str,
) -> Result<Option<Url>, UserRealmError> {
    let Some(text) = read_text(members, member)? else { return Ok(None) };
    let url = Url::parse(&text).map_err(|_| Misbehaviour::WrongType { member })?;
    if !is_secure_for(authority.is_plain_http(), &url) {
        return Err(UserRealmError::InsecureEndpoint { member });
    }
    Ok(Some(url))
}

#[cfg(test)]
mod tests;
