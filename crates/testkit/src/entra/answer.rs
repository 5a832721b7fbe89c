//! Token answers as Entra writes them, and as a plain OpenID provider does.

use serde_json::{Value, json};

use super::claims;
use super::grants::{Grant, GrantId};
use super::jwt;
use super::message::Reply;
use super::state::{State, User};
use super::tenant::Directory;

/// What goes into a token answer.
pub(crate) struct TokenAnswer<'a> {
    pub(crate) directory: &'a Directory,
    pub(crate) grant: &'a Grant,
    /// The scopes of this answer, as the client spelt them.
    pub(crate) scopes: &'a [String],
    pub(crate) nonce: Option<&'a str>,
    pub(crate) refresh_token: Option<String>,
    /// Whether the request had `client_info=1`.
    pub(crate) client_info: bool,
    /// The claims of this request, which may carry client capabilities.
    pub(crate) claims: Option<&'a Value>,
    /// `cnf` of a proof-of-possession token.
    pub(crate) confirmation: Option<&'a Value>,
}

impl TokenAnswer<'_> {
    /// Issues the tokens and writes the answer.
    pub(crate) fn write(self, state: &mut State, user: &User) -> Reply {
        let lifetime = state.settings.access_token_lifetime;
        let scopes = granted_scopes(state, self.scopes);
        let mut body = json!({
            "token_type": if self.confirmation.is_some() { "pop" } else { "Bearer" },
            "scope": scopes.join(" "),
            "expires_in": lifetime,
            "access_token": self.issue_access_token(state, user, &scopes),
        });
        if !state.generic_oidc {
            body["ext_expires_in"] = json!(lifetime);
        }
        if let Some(refresh_in) = state.settings.refresh_in {
            body["refresh_in"] = json!(refresh_in);
        }
        if let Some(refresh_token) = &self.refresh_token {
            body["refresh_token"] = json!(refresh_token);
            if is_family_client(state, &self.grant.client_id) {
                body["foci"] = json!("1");
            }
        }
        if self.scopes.iter().any(|scope| scope == "openid") {
            body["id_token"] = json!(self.issue_id_token(state, user));
        }
        if self.client_info && self.directory.has_tenants() {
            body["client_info"] = json!(self.client_info_of(user));
        }
        Reply::json(200, &body)
    }

    /// B2C tells a user's accounts apart by policy.
    fn client_info_of(&self, user: &User) -> String {
        match self.directory.policy() {
            Some(policy) => {
                jwt::client_info(&format!("{}-{policy}", user.object_id), &user.home_tenant)
            }
            None => jwt::client_info(&user.object_id, &user.home_tenant),
        }
    }

    fn issue_access_token(&self, state: &mut State, user: &User, scopes: &[String]) -> String {
        let mut claims = self.common_claims(state, user);
        let resource = self.scopes.iter().find_map(|scope| resource_of(scope));
        claims["aud"] = json!(resource.unwrap_or(GRAPH));
        claims["nbf"] = claims["iat"].clone();
        // What tells two tokens of the same second apart.
        let uti = state.random.next_text(1);
        if let Some(presented) = &self.grant.claims {
            state.presented_claims.insert(uti.clone(), presented.clone());
        }
        claims["uti"] = json!(uti);
        claims["scp"] =
            json!(scopes.iter().map(|scope| short_name(scope)).collect::<Vec<&str>>().join(" "));
        claims["azp"] = json!(self.grant.client_id);
        if let Some(capabilities) = claims::capabilities(self.claims) {
            claims["xms_cc"] = capabilities.clone();
        }
        if let Some(confirmation) = self.confirmation {
            claims["cnf"] = confirmation.clone();
        }
        let token = jwt::sign(&state.key, &claims);
        state.remember_secret("access_token", token)
    }

    fn issue_id_token(&self, state: &mut State, user: &User) -> String {
        let mut claims = self.common_claims(state, user);
        claims["aud"] = json!(self.grant.client_id);
        claims["auth_time"] = json!(self.grant.auth_time);
        if let Some(nonce) = self.nonce {
            claims["nonce"] = json!(nonce);
        }
        let token = jwt::sign(&state.key, &claims);
        state.remember_secret("id_token", token)
    }

    fn common_claims(&self, state: &State, user: &User) -> Value {
        let (now, tenant_id) = (state.clock.now(), &self.grant.tenant_id);
        let object_id = user.object_id_in(tenant_id);
        let mut claims = json!({
            "iss": self.directory.token_issuer(&state.base_url, tenant_id),
            "iat": now,
            "exp": now.saturating_add(state.settings.access_token_lifetime),
            "sub": jwt::pairwise_subject(&object_id, &self.grant.client_id),
            "name": user.display_name,
        });
        if self.directory.is_adfs() {
            claims["upn"] = json!(user.name);
            claims["unique_name"] = json!(user.name);
        } else {
            claims["preferred_username"] = json!(user.name);
        }
        if state.generic_oidc {
            claims["email"] = json!(user.name);
        } else if self.directory.has_tenants() {
            claims["oid"] = json!(object_id);
            claims["tid"] = json!(tenant_id);
            claims["ver"] = json!("2.0");
            if let Some(policy) = self.directory.policy() {
                claims["tfp"] = json!(policy);
            }
        }
        claims
    }
}

/// A new refresh token for a grant.
pub(crate) fn issue_refresh_token(state: &mut State, grant: GrantId) -> String {
    let expires_at = state.clock.now().saturating_add(state.settings.refresh_token_lifetime);
    // Entra's are long; clients must not assume that a kilobyte suffices for a database column.
    let token = format!("1.A{}", state.random.next_text(24));
    state.grants.add_refresh_token(token.clone(), grant, expires_at);
    state.remember_secret("refresh_token", token)
}

pub(crate) fn is_family_client(state: &State, client_id: &str) -> bool {
    state.clients.iter().any(|client| client.family && client.id == client_id)
}

/// The resource of a scope: `https://vault.azure.net` of `https://vault.azure.net/.default`. Microsoft Graph's are bare.
pub(crate) fn resource_of(scope: &str) -> Option<&str> {
    scope.rsplit_once('/').map(|(resource, _)| resource)
}

/// Whether a scope belongs to OpenID Connect and not to a resource.
pub(crate) fn is_oidc_scope(scope: &str) -> bool {
    ["openid", "profile", "email", "offline_access"].contains(&scope)
}

/// What `scope` of the answer names. Entra puts the resource's before OpenID's, drops `offline_access`, and spells out
/// what `.default` stands for; a plain provider repeats what was asked.
fn granted_scopes(state: &State, requested: &[String]) -> Vec<String> {
    if state.generic_oidc {
        return requested.to_vec();
    }
    let (oidc, resource): (Vec<String>, Vec<String>) =
        requested.iter().cloned().partition(|scope| is_oidc_scope(scope));
    let mut granted: Vec<String> = Vec::new();
    for scope in resource {
        if let Some(resource) = scope.strip_suffix("/.default") {
            granted.push(format!("{resource}/user_impersonation"));
        }
        granted.push(scope);
    }
    granted.extend(oidc.into_iter().filter(|scope| scope != "offline_access"));
    granted
}

fn short_name(scope: &str) -> &str {
    scope.rsplit_once('/').map_or(scope, |(_, name)| name)
}

/// Microsoft Graph, the resource of scopes without a URL.
const GRAPH: &str = "00000003-0000-0000-c000-000000000000";
