//! OAuth 2.0, OpenID Connect and Entra messages as values.
//!
//! Every builder returns an [`HttpRequest`] and every parser takes an [`HttpResponse`]; this crate opens no sockets, reads
//! no files, keeps no state, and never asks for the time or for randomness: both are arguments.
//! The one exception is inside of an RSA signature, whose blinding and salt `ring` draws by itself (`credential/`).
//!
//! Start with `discovery/`, which turns an authority into [`ProviderMetadata`]; then `grant/`, one file per grant; then
//! `token_response.rs`. What is sent follows MSAL for Python; where it does not, the doc comment there says why.

mod authorize;
mod call;
mod claims;
mod client_info;
mod cloud_shell;
mod credential;
mod device;
mod discovery;
mod echo;
mod error;
mod grant;
mod http;
mod id_token;
mod json;
mod jws;
mod managed_identity;
mod pkce;
mod proof;
mod redirect;
mod region;
mod retry_after;
mod revocation;
mod scope;
mod telemetry;
mod token_response;
mod user_realm;
mod ws_trust;

pub use self::authorize::{AuthorizationRequest, build_authorization_url};
pub use self::call::{AnchorMailbox, ApiId, CacheReason, Call};
pub use self::claims::{ClaimsError, merge_claims, overlay_claims};
pub use self::client_info::{ClientInfo, home_account_id};
pub use self::cloud_shell::{
    CLOUD_SHELL_PREFIX, CLOUD_SHELL_USER, CLOUD_SHELL_VARIABLE, CloudShellToken, admit_cloud_shell,
    build_cloud_shell_request, cloud_shell_endpoint, parse_cloud_shell_token,
};
pub use self::credential::{
    CertificateValidityError, ClientAssertion, ClientCertificate, CredentialError, PemCredential,
    SignedAssertion,
};
pub use self::device::{
    DeviceAuthorization, PollOutcome, build_device_authorization_request,
    parse_device_authorization, poll_outcome,
};
pub use self::discovery::{
    AliasError, DiscoveryError, KNOWN_ALIAS_GROUPS, ProviderMetadata, build_alias_request,
    build_discovery_request, build_instance_discovery_request, known_aliases, parse_aliases,
    parse_instance_discovery, parse_provider_metadata, reduce_provider_metadata,
};
pub use self::error::{Misbehaviour, OAuthError, TokenResponseError};
pub use self::grant::{
    AuthorizationCodeGrant, ClientAuthentication, ClientCredentialsGrant, DeviceCodeGrant,
    ExtraFieldError, ExtraFields, FederatedUser, OnBehalfOfGrant, PasswordGrant, RefreshTokenGrant,
    SamlAssertion, SamlAssertionGrant, SamlVersion, UserFederatedCredentialGrant,
    build_authorization_code_request, build_client_credentials_request, build_device_code_request,
    build_on_behalf_of_request, build_password_request, build_refresh_token_request,
    build_saml_assertion_request, build_user_federated_credential_request,
};
pub use self::http::{Body, Form, HttpRequest, HttpResponse};
pub use self::id_token::{IdTokenClaims, IdTokenError, decode_id_token};
pub use self::managed_identity::{
    ARC_KEY_FILE_LIMIT, AppService, AzureArc, EndpointRefused, Imds, MachineLearning,
    ManagedIdentityError, ManagedIdentityId, ManagedIdentityRequest, ManagedIdentitySource,
    Platform, ServiceFabric, SourceKind, Surroundings, Thumbprint, admit_endpoint,
    detect_managed_identity_source, retry_after_attempt,
};
pub use self::pkce::{Nonce, PkceVerifier, State};
pub use self::proof::{
    DpopProof, DpopRequest, PopRequest, ProofKey, ProofKeyError, ProofRequestError, PublicJwk,
    dpop_nonce, wants_dpop_nonce,
};
pub use self::redirect::{
    AuthorizationCode, ExpectedRedirect, RedirectError, parse_authorization_response,
};
pub use self::region::{
    FORCE_REGION_VARIABLE, REGION_NAME_VARIABLE, Region, RegionChoice, RegionError, RegionPlan,
    build_region_request, parse_region, plan_region,
};
pub use self::retry_after::{parse_date, parse_retry_after};
pub use self::revocation::{TokenTypeHint, build_revocation_request, parse_revocation_response};
pub use self::scope::{ReservedScope, decorate_scopes};
pub use self::telemetry::TelemetryLog;
pub use self::token_response::{TokenResponse, parse_token_response};
pub use self::user_realm::{
    FederatedDomain, FederatedEndpoint, UserRealm, UserRealmError, build_user_realm_request,
    parse_user_realm,
};
pub use self::ws_trust::{
    NotXmlText, SoapFault, WsTrustEndpoint, WsTrustError, WsTrustRequest, WsTrustVersion,
    build_ws_trust_request, parse_mex, parse_ws_trust_response,
};
