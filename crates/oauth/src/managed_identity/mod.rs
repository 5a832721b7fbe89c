//! Managed identities: Azure gives a program that runs on it a token for the asking, from an endpoint on or next to the
//! machine (`spec/msal-python.md` section 7).
//!
//! `source.rs` finds out where the program runs; each source has a file of its own, with its request and its errors;
//! `admission.rs` says which endpoints may be spoken to at all, and `retry.rs` for how long.

mod admission;
mod app_service;
mod azure_arc;
mod imds;
mod machine_learning;
mod retry;
mod service_fabric;
mod source;

use http::header::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use url::Url;
use valetkey_model::{CorrelationId, ScopeSet, Secret, UnixTime};

use crate::error::unavailable;
use crate::json::read_object;
use crate::{
    HttpRequest, HttpResponse, Misbehaviour, OAuthError, TokenResponse, TokenResponseError,
    parse_token_response,
};

pub use self::admission::{EndpointRefused, admit_endpoint};
pub use self::app_service::AppService;
pub use self::azure_arc::{ARC_KEY_FILE_LIMIT, AzureArc};
pub use self::imds::Imds;
pub use self::machine_learning::MachineLearning;
pub use self::retry::retry_after_attempt;
pub use self::service_fabric::{ServiceFabric, Thumbprint};
pub use self::source::{
    ManagedIdentitySource, Platform, SourceKind, Surroundings, detect_managed_identity_source,
};

/// Tokens that live this long are refreshed at half their time, although no source says so.
const LONG_LIFETIME_SECONDS: i64 = 7200;
/// How much of a source's words goes to the application.
const LONGEST_DESCRIPTION: usize = 1024;

/// Which of a machine's identities is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ManagedIdentityId {
    /// The machine's own.
    SystemAssigned,
    /// One that was assigned to it, by client id.
    ClientId(String),
    /// By its resource id in Azure.
    ResourceId(String),
    /// By its object id.
    ObjectId(String),
}

/// A token that is asked for.
#[derive(Clone, Debug)]
pub struct ManagedIdentityRequest {
    /// As whom.
    pub id: ManagedIdentityId,
    /// What the token is for.
    pub resource: String,
    /// Names the request in the source's logs.
    pub correlation_id: CorrelationId,
    /// The token that a resource turned down with a claims challenge.
    pub token_to_refresh: Option<Secret>,
    /// Of the client, such as `CP1`.
    pub capabilities: Vec<String>,
}

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManagedIdentityError {
    /// The source refused, is out of order, or broke the protocol.
    #[error(transparent)]
    Answer(#[from] TokenResponseError),
    /// The platform's own setting is unusable.
    #[error("{variable} of the environment is no {expected}")]
    Variable {
        /// The environment variable.
        variable: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The source knows one identity only.
    #[error("{source_name} has no user-assigned identities")]
    UserAssigned {
        /// Which source.
        source_name: &'static str,
    },
    /// The agent of Azure Arc asks in a way that cannot be answered.
    #[error("challenge of Azure Arc is not \"Basic realm=<path of a .key file>\"")]
    ArcChallenge,
    /// The agent's key file has no key in it.
    #[error("key file of Azure Arc has no key of at most {ARC_KEY_FILE_LIMIT} bytes in it")]
    ArcKey,
    /// Azure Arc has an agent for Linux and Windows alone.
    #[error("Azure Arc has no managed identity on this operating system")]
    ArcPlatform,
    /// The agent is too old to know user-assigned identities, and gave the machine's own token instead.
    #[error("Azure Arc answered with the token of another identity; its agent may be too old")]
    OtherIdentity,
}

impl ManagedIdentityId {
    /// The `client_id` of the cache's entries. MSAL has none there for the machine's own identity, or this text.
    pub fn as_client_id(&self) -> &str {
        match self {
            Self::SystemAssigned => "SYSTEM_ASSIGNED_MANAGED_IDENTITY",
            Self::ClientId(id) | Self::ResourceId(id) | Self::ObjectId(id) => id,
        }
    }

    /// The parameter by which a source is told, whose names for client, resource and object id differ.
    fn parameter(&self, names: [&'static str; 3]) -> Option<(&'static str, &str)> {
        let [client_id, resource_id, object_id] = names;
        match self {
            Self::SystemAssigned => None,
            Self::ClientId(id) => Some((client_id, id)),
            Self::ResourceId(id) => Some((resource_id, id)),
            Self::ObjectId(id) => Some((object_id, id)),
        }
    }
}

/// A GET of a token; the endpoint may have a query of its own.
fn build_get<'a>(
    endpoint: &Url,
    query: impl IntoIterator<Item = (&'a str, &'a str)>,
    headers: impl IntoIterator<Item = (&'static str, HeaderValue)>,
) -> HttpRequest {
    let mut request = HttpRequest::get(endpoint.clone());
    request.asks_for_token = true;
    request.url.query_pairs_mut().extend_pairs(query);
    for (name, value) in headers {
        request.headers.insert(HeaderName::from_static(name), value);
    }
    request
}

/// Tells the source that this is no browser that was talked into asking.
const METADATA: (&str, HeaderValue) = ("metadata", HeaderValue::from_static("true"));

/// A header with a secret of the platform's.
fn secret_header(
    secret: &Secret,
    variable: &'static str,
) -> Result<HeaderValue, ManagedIdentityError> {
    let expected = "text that a header can carry";
    let mut value = HeaderValue::from_str(secret.expose())
        .map_err(|_| ManagedIdentityError::Variable { variable, expected })?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads a source's token. No source says when to refresh, so that it is said here for tokens that live long.
fn read_token(
    request: &ManagedIdentityRequest,
    response: &HttpResponse,
    now: UnixTime,
) -> Result<TokenResponse, TokenResponseError> {
    let mut token = parse_token_response(response, &ScopeSet::from_target(&request.resource), now)?;
    let lifetimes = ["expires_in", "expires_on"];
    if !lifetimes.iter().any(|name| token.fields.get(*name).is_some_and(|value| !value.is_null())) {
        return Err(Misbehaviour::Missing { member: "expires_on" }.into());
    }
    if token.refresh_in.is_none() && token.expires_in >= LONG_LIFETIME_SECONDS {
        token.refresh_in = Some(token.expires_in / 2);
    }
    Ok(token)
}

/// Reads an answer whose refusals `explain` turns into a code and a description.
fn read_answer(
    request: &ManagedIdentityRequest,
    response: &HttpResponse,
    now: UnixTime,
    explain: impl FnOnce(&Map<String, Value>, String) -> (&'static str, String),
) -> Result<TokenResponse, ManagedIdentityError> {
    match response.status {
        200..=299 => Ok(read_token(request, response, now)?),
        429 | 500.. => Err(unavailable(response, now).into()),
        400.. => {
            let members = read_object(response).unwrap_or_default();
            let (error, description) = explain(&members, body_text(response));
            let refusal = OAuthError::new(error, description, response, now);
            Err(TokenResponseError::Refused(Box::new(refusal)).into())
        }
        status => Err(TokenResponseError::from(Misbehaviour::UnexpectedStatus { status }).into()),
    }
}

/// The beginning of the body, for people.
fn body_text(response: &HttpResponse) -> String {
    String::from_utf8_lossy(&response.body).chars().take(LONGEST_DESCRIPTION).collect()
}

#[cfg(test)]
mod tests;
