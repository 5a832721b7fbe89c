//! Token requests and results.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::credential::SecretText;

/// How to come by the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// From the cache, or by a refresh token; never by asking the person.
    #[default]
    Silent,
    /// RFC 6749 section 4.4: the application's own token; the cache is asked first. Also what a managed identity has.
    ClientCredentials,
    /// Entra's on-behalf-of (RFC 7523): a token for another resource, for the user of `user_assertion`.
    OnBehalfOf,
    /// RFC 6749 section 4.3, federated users included.
    Password,
    /// Migration: a refresh token that another library kept.
    RefreshToken,
    /// Entra's agent identities: a user's token for a federated credential.
    UserFederatedCredential,
    /// A code that the application got by itself, without a flow of the daemon's.
    AuthorizationCode,
    /// Azure Cloud Shell: its user's token, from an endpoint of the machine's, which makes the user an account.
    CloudShell,
}

/// A signed request instead of a bearer token: MSAL's `PopAuthScheme`. `access_token` of the answer is what follows
/// `Authorization: PoP`, signed anew in each answer, and `token_type` is `pop`. The key stays in the daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PopScheme {
    /// `GET`, `POST`, `PUT`, `DELETE` or `PATCH`.
    pub http_method: String,
    /// The request's URL, absolute and without a fragment.
    pub url: String,
    /// What the resource server wants to see again.
    pub nonce: String,
}

/// `POST /v1/apps/{app}/token`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// Silent by default.
    #[serde(default)]
    pub grant: Grant,
    /// The resource's scopes, without `openid`, `profile` and `offline_access`; by default those that the configuration
    /// has for a named application.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A home account id or a user name. Needed when several accounts have signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Skips cached access tokens.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force_refresh: bool,
    /// A resource's claims challenge, a JSON object as text; skips cached access tokens and goes to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_challenge: Option<String>,
    /// Seconds that a cached token must still live; at least 300 in any case. A new one lives as long as the provider says,
    /// which may be shorter: look at `expires_in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_validity: Option<u32>,
    /// The caller's correlation id; a new one by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// Another tenant than the application's authority names, for this request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Claims to forward to the provider, a JSON object as text; they are a part of the token's place in the cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarded_client_claims: Option<String>,
    /// `client_credentials`: Entra's `fmi_path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fmi_path: Option<String>,
    /// `client_credentials` of a managed identity: the resource, in the place of scopes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// `on_behalf_of`: the token that the application was called with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_assertion: Option<SecretText>,
    /// `on_behalf_of`: the key of a long-running process. With `user_assertion` it begins one; alone it goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_key: Option<SecretText>,
    /// `password`, `user_federated_credential`: the user's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// `password`: the user's password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<SecretText>,
    /// `refresh_token`: the token to migrate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<SecretText>,
    /// `user_federated_credential`: the credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub federated_credential: Option<SecretText>,
    /// `user_federated_credential`: the user's object id, in the place of `username`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_object_id: Option<String>,
    /// `authorization_code`: the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<SecretText>,
    /// `authorization_code`: where the code arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// `authorization_code`: the nonce that the ID token must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// The answer to `client_assertion_needed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_assertion: Option<SecretText>,
    /// `silent`, `password`, of a public client at Microsoft Entra ID: a signed request instead of a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_scheme: Option<PopScheme>,
    /// Fields to add to the provider's form; they are a part of the token's place in the cache. None that a grant has already.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
}

/// Where a token came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// It was at hand.
    Cache,
    /// It was just issued.
    IdentityProvider,
    /// It was just issued, to Azure Cloud Shell.
    Broker,
}

/// A token, with MSAL's keys. There is no refresh token in it, ever.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TokenResponse {
    /// The access token.
    #[serde(serialize_with = "serialize_token")]
    pub access_token: String,
    /// `Bearer`, as a rule.
    pub token_type: String,
    /// Seconds left when it was answered.
    pub expires_in: i64,
    /// Where it came from.
    pub token_source: TokenSource,
    /// When it will be refreshed ahead of need, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_on: Option<i64>,
    /// Scopes that it is good for, space-separated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The ID token, when one was issued along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// Its payload; decoded, not validated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token_claims: Option<Map<String, Value>>,
    /// Everything else that the provider said (`ext_expires_in`, `client_info`, …).
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub others: Map<String, Value>,
}

/// A token is long and has nothing to escape (RFC 6750 section 2.1), so it is written as it is, once that is certain:
/// looking for a replacement of each byte was the dearest part of an answer.
fn serialize_token<S: Serializer>(token: &str, serializer: S) -> Result<S::Ok, S::Error> {
    // All else that must be escaped is no JSON when it is not.
    if !token.contains('\\')
        && let Ok(text) = RawValue::from_string(format!("\"{token}\""))
    {
        return text.serialize(serializer);
    }
    serializer.serialize_str(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_as_it_was_written_whatever_is_in_it() {
        for token in ["eyJ.eyJ.x-_~+/=", "", "a\"b", "\",\"x\":\"", "a\\nb", "a\nb", "\u{7f}é"] {
            let response = TokenResponse {
                access_token: token.to_owned(),
                token_type: "Bearer".to_owned(),
                expires_in: 1,
                token_source: TokenSource::Cache,
                refresh_on: None,
                scope: None,
                id_token: None,
                id_token_claims: None,
                others: Map::new(),
            };
            let text = serde_json::to_string(&response).unwrap();
            assert_eq!(serde_json::from_str::<TokenResponse>(&text).unwrap(), response, "{text}");
        }
    }
}
