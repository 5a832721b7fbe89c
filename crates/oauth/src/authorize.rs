//! The authorization request: the URL that a browser opens (RFC 6749 section 4.1.1, OIDC Core section 3.1.2.1).

use url::Url;
use valetkey_model::{ClientId, ScopeSet, Secret};

use crate::{CodeVerifier, Nonce, ProviderMetadata, State};

/// What the browser is sent with. Absent parts are not sent.
#[derive(Clone, Copy, Debug)]
pub struct AuthorizationRequest<'a> {
    /// The application.
    pub client_id: &'a ClientId,
    /// Where the browser comes back to.
    pub redirect_uri: &'a str,
    /// The scopes as sent, see [`crate::decorate`]; openid is added where it is missing.
    pub scope: &'a ScopeSet,
    /// Ties the redirect to this request.
    pub state: &'a State,
    /// Ties the ID token to this request.
    pub nonce: &'a Nonce,
    /// Its challenge is sent.
    pub code_verifier: &'a CodeVerifier,
    /// The rest.
    pub options: &'a AuthorizationOptions,
}

/// What an application may add to an authorization request.
#[derive(Clone, Debug, Default)]
#[expect(missing_docs, reason = "each is the parameter of that name")]
pub struct AuthorizationOptions {
    pub response_mode: Option<String>,
    pub login_hint: Option<String>,
    pub prompt: Option<String>,
    pub domain_hint: Option<String>,
    pub claims: Option<String>,
    pub max_age: Option<u32>,
    pub display: Option<String>,
    pub ui_locales: Option<String>,
    pub id_token_hint: Option<Secret>,
    pub acr_values: Option<String>,
}

/// The URL to open. Parameters that the endpoint itself has stay (B2C puts its policy there).
pub fn build_authorization_url(
    provider: &ProviderMetadata,
    request: &AuthorizationRequest<'_>,
) -> Url {
    let openid = ScopeSet::from_target("openid");
    let mut url = provider.authorization_endpoint.clone();
    let mut query = url.query_pairs_mut();
    query
        .append_pair("client_id", request.client_id.as_str())
        .append_pair("response_type", "code")
        .append_pair("redirect_uri", request.redirect_uri)
        .append_pair("scope", request.scope.union(&openid).target())
        .append_pair("state", request.state.expose())
        .append_pair("code_challenge", &request.code_verifier.challenge())
        .append_pair("code_challenge_method", "S256")
        .append_pair("nonce", &request.nonce.sent())
        .append_pair("client_info", "1");
    for (name, value) in request.options.parameters() {
        query.append_pair(name, &value);
    }
    drop(query);
    url
}

impl AuthorizationOptions {
    fn parameters(&self) -> impl Iterator<Item = (&'static str, String)> {
        let anchor = self.login_hint.as_ref().map(|hint| format!("UPN:{hint}"));
        let id_token_hint = self.id_token_hint.as_ref().map(|hint| hint.expose().to_owned());
        [
            ("response_mode", self.response_mode.clone()),
            ("login_hint", self.login_hint.clone()),
            ("prompt", self.prompt.clone()),
            ("domain_hint", self.domain_hint.clone()),
            ("claims", self.claims.clone()),
            ("max_age", self.max_age.map(|seconds| seconds.to_string())),
            ("X-AnchorMailbox", anchor),
            ("display", self.display.clone()),
            ("ui_locales", self.ui_locales.clone()),
            ("id_token_hint", id_token_hint),
            ("acr_values", self.acr_values.clone()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
    }
}

#[cfg(test)]
mod tests;
