//! Sign-in flows: what a person takes part in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::credential::SecretText;
use super::error::ErrorBody;
use super::token::{PopScheme, TokenResponse};

/// Which flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FlowKind {
    /// RFC 8628: the person types a code into a browser anywhere.
    DeviceCode,
    /// RFC 6749 section 4.1 with a redirect URI of the application's own; it hands the redirect's parameters in.
    AuthCode,
    /// RFC 8252: the daemon listens on loopback for the redirect; the client opens the browser.
    Interactive,
}

/// `POST /v1/apps/{app}/flows`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct StartFlowRequest {
    /// Which flow.
    pub kind: FlowKind,
    /// The resource's scopes, without `openid`, `profile` and `offline_access`.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// A resource's claims challenge, a JSON object as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_challenge: Option<String>,
    /// The caller's correlation id; a new one by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
    /// `auth_code`: where the provider sends the person back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// `auth_code`: the application's own `state`; random by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// `auth_code`: `query`, `form_post` or `fragment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_mode: Option<String>,
    /// OIDC `prompt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// OIDC `login_hint`: the user name to start with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// Entra's `domain_hint`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_hint: Option<String>,
    /// OIDC `max_age`, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
    /// `interactive`: scopes to ask consent for now, for later.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extra_scopes_to_consent: Vec<String>,
    /// `interactive`: the loopback port; any free one by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `interactive`: seconds to wait for the person; 600 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// `display`, `ui_locales`, `id_token_hint`, `acr_values`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// Of a public client at Microsoft Entra ID: a signed request instead of a bearer token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_scheme: Option<PopScheme>,
    /// `interactive`, `device_code`: fields to add to the form that asks for the token, as in a token request. (Those of an
    /// `auth_code` flow come with its redirect.)
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
}

impl StartFlowRequest {
    /// A flow of this kind for these scopes, with nothing else said.
    pub fn new(kind: FlowKind, scopes: Vec<String>) -> Self {
        Self {
            kind,
            scopes,
            claims_challenge: None,
            correlation_id: None,
            redirect_uri: None,
            state: None,
            response_mode: None,
            prompt: None,
            login_hint: None,
            domain_hint: None,
            max_age: None,
            extra_scopes_to_consent: Vec::new(),
            port: None,
            timeout: None,
            params: BTreeMap::new(),
            auth_scheme: None,
            data: BTreeMap::new(),
        }
    }
}

/// Where a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FlowState {
    /// The person is not done yet.
    Pending,
    /// `result` is there.
    Completed,
    /// `error` is there.
    Failed,
}

/// A flow: the answer of `POST …/flows`, `GET /v1/flows/{flow}?wait=seconds` and `POST /v1/flows/{flow}/complete`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Flow {
    /// Its id, unguessable and good for the calling user alone. Each caller that joins a sign-in has one of its own.
    pub flow: String,
    /// Which flow.
    pub kind: FlowKind,
    /// Where it stands.
    pub state: FlowState,
    /// True when this call joined a sign-in that was open already: do not open a second browser.
    #[serde(default)]
    pub joined: bool,
    /// When it ends by itself, in seconds since the epoch.
    pub expires_at: i64,
    /// The correlation id of all of its requests.
    pub correlation_id: String,
    /// `device_code`: what the provider answered (`user_code`, `verification_uri`, `verification_uri_complete`,
    /// `message`, `interval`, `expires_in`, …), without the device code, which stays in the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<Map<String, Value>>,
    /// `auth_code`, `interactive`: the URL to open in a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_uri: Option<String>,
    /// `auth_code`, `interactive`: where the provider will send the person back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<String>,
    /// `auth_code`: the `state` to expect in the redirect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_state: Option<String>,
    /// The scopes that were asked for, space-separated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The token, when `state` is `completed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TokenResponse>,
    /// Why not, when `state` is `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorBody>,
}

impl Flow {
    /// `device_code`: what to tell the person, in the provider's words.
    pub fn message(&self) -> Option<&str> {
        self.device.as_ref()?.get("message")?.as_str()
    }
}

/// The redirect's parameters, as the application received them (query or form).
pub type AuthResponse = BTreeMap<String, String>;

/// `POST /v1/flows/{flow}/complete`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct CompleteFlowRequest {
    /// The redirect's parameters; none for a device code flow, to which this adds `data` before it is waited for.
    #[serde(default)]
    pub auth_response: AuthResponse,
    /// A subset of the flow's scopes to redeem the code for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// The answer to `client_assertion_needed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_assertion: Option<SecretText>,
    /// Fields to add to the form that asks for the token, as in a token request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub data: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_to_tell_the_person_is_text_and_not_json() {
        let flow = |device: &str| -> Flow {
            let text = format!(
                r#"{{"flow": "f", "kind": "device_code", "state": "pending", "expires_at": 1, "correlation_id": "7"{device}}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let told = flow(r#", "device": {"message": "type \"A\""}"#);
        assert_eq!(told.message(), Some("type \"A\""));
        assert_eq!(flow("").message(), None);
    }
}
