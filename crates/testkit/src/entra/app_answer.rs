//! Tokens for an application itself, without a user.

use serde_json::{Value, json};

use super::claims;
use super::client::Client;
use super::jwt;
use super::message::Reply;
use super::random::derive_uuid;
use super::state::State;
use super::tenant::Directory;

/// What goes into an app-only answer, which has neither a refresh token nor a scope.
pub(crate) struct AppAnswer<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) client: &'a Client,
    pub(crate) tenant_id: &'a str,
    /// `azpacr`: how the client proved itself.
    pub(crate) proof_level: &'static str,
    pub(crate) resource: &'a str,
    /// The agent or workload below this client that the token is for.
    pub(crate) fmi_path: Option<&'a str>,
    pub(crate) claims: Option<&'a Value>,
    /// `cnf` of a proof-of-possession token.
    pub(crate) confirmation: Option<&'a Value>,
}

impl AppAnswer<'_> {
    /// Issues the token and writes the answer.
    pub(crate) fn write(self, state: &mut State) -> Reply {
        let lifetime = state.settings.access_token_lifetime;
        let claims = self.claims(state);
        let token = jwt::sign(&state.key, &claims);
        let mut body = json!({
            "token_type": if self.confirmation.is_some() { "pop" } else { "Bearer" },
            "expires_in": lifetime,
            "access_token": state.remember_secret("access_token", token),
        });
        if !state.generic_oidc {
            body["ext_expires_in"] = json!(lifetime);
        }
        if let Some(refresh_in) = state.settings.refresh_in {
            body["refresh_in"] = json!(refresh_in);
        }
        Reply::json(200, &body)
    }

    fn claims(&self, state: &mut State) -> Value {
        let now = state.clock.now();
        let object_id = service_principal_id(&self.client.id, self.tenant_id);
        let mut claims = json!({
            "aud": self.resource,
            "iss": self.directory.token_issuer(&state.base_url, self.tenant_id),
            "iat": now,
            "nbf": now,
            "exp": now.saturating_add(state.settings.access_token_lifetime),
            "azp": self.client.id,
            "azpacr": self.proof_level,
            "idtyp": "app",
            "oid": object_id,
            "sub": object_id,
            "uti": state.random.next_text(1),
        });
        if self.directory.has_tenants() {
            claims["tid"] = json!(self.tenant_id);
            claims["ver"] = json!("2.0");
        }
        if !self.client.roles.is_empty() {
            claims["roles"] = json!(self.client.roles);
        }
        if let Some(path) = self.fmi_path {
            claims["fmi_path"] = json!(path);
        }
        if let Some(capabilities) = claims::capabilities(self.claims) {
            claims["xms_cc"] = capabilities.clone();
        }
        if let Some(confirmation) = self.confirmation {
            claims["cnf"] = confirmation.clone();
        }
        claims
    }
}

/// `oid` of an application in a tenant.
fn service_principal_id(client_id: &str, tenant_id: &str) -> String {
    derive_uuid(&["service principal", client_id, tenant_id])
}
