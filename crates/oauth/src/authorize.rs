//! The authorization request: the URL that a browser opens (RFC 6749 section 4.1.1, OIDC Core section 3.1.2.1).

use std::collections::BTreeMap;

use url::Url;
use valetkey_model::{ClientId, ScopeSet};

use crate::{Nonce, ProviderMetadata};

/// What the browser is sent with. Absent and empty parts are not sent.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "what is not said here is the parameter of that name")]
pub struct AuthorizationRequest<'a> {
    pub client_id: &'a ClientId,
    /// None when the application relies on the only one it has registered.
    pub redirect_uri: Option<&'a str>,
    /// As sent, see [`crate::decorate_scopes`]; openid is added where it is missing.
    pub scopes: &'a ScopeSet,
    pub state: &'a str,
    pub nonce: &'a Nonce,
    /// [`crate::PkceVerifier::challenge`].
    pub challenge: &'a str,
    pub claims: Option<&'a str>,
    pub response_mode: Option<&'a str>,
    pub prompt: Option<&'a str>,
    pub login_hint: Option<&'a str>,
    pub domain_hint: Option<&'a str>,
    pub max_age: Option<u32>,
    /// RFC 9449 section 10: the key that the code's tokens will be bound to, so that a stolen code is of no use.
    pub dpop_jkt: Option<&'a str>,
    /// `display`, `ui_locales`, `id_token_hint`, `acr_values` and what else a provider knows. None of them can take the
    /// place of a parameter above.
    pub others: &'a BTreeMap<String, String>,
}

/// The URL to open. Parameters that the endpoint itself has stay (B2C puts its policy there).
pub fn build_authorization_url(
    provider: &ProviderMetadata,
    request: &AuthorizationRequest<'_>,
) -> Url {
    let mut url = provider.authorization_endpoint.clone();
    let own = request.parameters();
    let is_own = |name: &str| own.iter().any(|(own, _)| own.eq_ignore_ascii_case(name));
    let others = request.others.iter().filter(|(name, _)| !is_own(name));
    url.query_pairs_mut()
        .extend_pairs(own.iter().filter(|(_, value)| !value.is_empty()))
        .extend_pairs(others.filter(|(_, value)| !value.is_empty()));
    url
}

impl AuthorizationRequest<'_> {
    fn parameters(&self) -> [(&'static str, String); 17] {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let anchor = self.login_hint.filter(|hint| !hint.is_empty());
        [
            ("client_id", self.client_id.as_str().to_owned()),
            ("response_type", "code".to_owned()),
            ("redirect_uri", text(self.redirect_uri)),
            ("scope", self.scopes.union(&ScopeSet::from_target("openid")).target().to_owned()),
            ("state", self.state.to_owned()),
            ("code_challenge", self.challenge.to_owned()),
            ("code_challenge_method", "S256".to_owned()),
            ("nonce", self.nonce.sent()),
            ("client_info", "1".to_owned()),
            ("response_mode", text(self.response_mode)),
            ("login_hint", text(self.login_hint)),
            ("prompt", text(self.prompt)),
            ("domain_hint", text(self.domain_hint)),
            ("claims", text(self.claims)),
            ("max_age", self.max_age.map(|seconds| seconds.to_string()).unwrap_or_default()),
            ("dpop_jkt", text(self.dpop_jkt)),
            ("X-AnchorMailbox", anchor.map(|hint| format!("UPN:{hint}")).unwrap_or_default()),
        ]
    }
}

#[cfg(test)]
mod tests;
