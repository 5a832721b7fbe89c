//! Redeeming what a federated identity provider says of a user (RFC 7522 section 2.1, and Entra's like of it for SAML 1.1).

use base64::Engine as _;
use valetkey_model::{ClientId, ScopeSet, Secret};
use zeroize::Zeroizing;

use super::{Grant, build_token_request};
use crate::id_token::BASE64_URL;
use crate::{Call, HttpRequest, ProviderMetadata};

/// Which language an assertion is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SamlVersion {
    /// SAML 1.0 and 1.1.
    V1,
    /// SAML 2.0.
    V2,
}

impl SamlVersion {
    fn grant_type(self) -> &'static str {
        match self {
            Self::V1 => "urn:ietf:params:oauth:grant-type:saml1_1-bearer",
            Self::V2 => "urn:ietf:params:oauth:grant-type:saml2-bearer",
        }
    }
}

/// A signed assertion, byte for byte as it came: the signature is over these bytes.
#[derive(Clone, Debug)]
pub struct SamlAssertion {
    /// Its language.
    pub version: SamlVersion,
    /// The XML.
    pub xml: Secret,
}

/// An assertion and what it is redeemed for.
#[derive(Clone, Debug)]
pub struct SamlAssertionGrant {
    /// See [`crate::parse_ws_trust_response`].
    pub assertion: SamlAssertion,
    /// As sent, see [`crate::decorate_scopes`].
    pub scopes: ScopeSet,
    /// See [`crate::merge_claims`].
    pub claims: Option<String>,
}

/// The token request.
pub fn build_saml_assertion_request(
    provider: &ProviderMetadata,
    client_id: &ClientId,
    grant: &SamlAssertionGrant,
    call: &Call,
) -> HttpRequest {
    let SamlAssertion { version, xml } = &grant.assertion;
    let assertion = Zeroizing::new(BASE64_URL.encode(xml.expose()));
    let grant = Grant {
        grant_type: version.grant_type(),
        claims: grant.claims.as_deref(),
        fields: &[("assertion", &assertion), ("scope", grant.scopes.target())],
        anchor: None,
    };
    build_token_request(provider, client_id, &grant, call)
}
