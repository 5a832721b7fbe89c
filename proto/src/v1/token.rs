//! Token requests and results.

use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// How to come by the token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// From the cache, or by a refresh token; never by asking the person.
    #[default]
    Silent,
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
    /// Seconds that the token must still live; at least 300 in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_validity: Option<u32>,
    /// The caller's correlation id; a new one by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
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
