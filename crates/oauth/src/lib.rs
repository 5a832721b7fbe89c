//! OAuth 2.0, OpenID Connect and Entra messages as values.
//!
//! Every builder returns an [`HttpRequest`] and every parser takes an [`HttpResponse`]; this crate opens no sockets, reads
//! no files, keeps no state, and never asks for the time or for randomness: both are arguments.
//!
//! Start with [`discovery`], which turns an authority into [`ProviderMetadata`]; then [`grant`], one file per grant; then
//! [`token_response`]. What is sent follows MSAL for Python; where it does not, the doc comment there says why.

pub mod authorize;
mod call;
mod claims;
mod client_info;
mod device;
pub mod discovery;
mod error;
pub mod grant;
mod http;
mod id_token;
mod json;
mod pkce;
mod redirect;
mod retry_after;
mod revocation;
mod scope;
mod telemetry;
pub mod token_response;

pub use self::authorize::{AuthorizationRequest, build_authorization_url};
pub use self::call::{AnchorMailbox, ApiId, CacheReason, CallContext};
pub use self::claims::{ClaimsError, merge_claims, overlay_claims};
pub use self::client_info::{ClientInfo, home_account_id};
pub use self::device::{
    DeviceAuthorization, PollOutcome, build_device_authorization_request,
    parse_device_authorization, poll_outcome,
};
pub use self::discovery::{DiscoveryError, ProviderMetadata};
pub use self::error::{EndpointError, Misbehaviour, OAuthError};
pub use self::grant::{ClientAuthentication, TokenCall};
pub use self::http::{HttpRequest, HttpResponse};
pub use self::id_token::{IdTokenClaims, IdTokenError, decode_id_token};
pub use self::pkce::{CodeVerifier, Nonce, State};
pub use self::redirect::{
    AuthorizationCode, ExpectedRedirect, RedirectError, parse_authorization_response,
};
pub use self::retry_after::parse_retry_after;
pub use self::revocation::{TokenTypeHint, build_revocation_request, parse_revocation_response};
pub use self::scope::{ReservedScope, decorate};
pub use self::telemetry::TelemetryLog;
pub use self::token_response::{TokenResponse, parse_token_response};
