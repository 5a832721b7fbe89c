//! Grants and their refresh tokens.

use std::collections::HashMap;

use serde_json::Value;

/// What a user allowed a client, and under which circumstances.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) client_id: String,
    /// User name in lower case.
    pub(crate) user: String,
    pub(crate) tenant_id: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) auth_time: i64,
    /// The claims that the interactive sign-in presented.
    pub(crate) claims: Option<Value>,
    pub(crate) revoked: bool,
}

/// A number that names a grant.
pub(crate) type GrantId = u64;

/// A refresh token.
#[derive(Debug, Clone)]
pub(crate) struct RefreshToken {
    pub(crate) grant: GrantId,
    pub(crate) expires_at: i64,
    /// Set by its first use when refresh tokens rotate.
    pub(crate) spent: Option<Spent>,
}

/// The use of a rotating refresh token.
#[derive(Debug, Clone)]
pub(crate) struct Spent {
    pub(crate) at: i64,
    pub(crate) successor: String,
}

/// All grants.
#[derive(Debug, Default)]
pub(crate) struct Grants {
    last_id: GrantId,
    grants: HashMap<GrantId, Grant>,
    refresh_tokens: HashMap<String, RefreshToken>,
}

impl Grants {
    pub(crate) fn open(&mut self, grant: Grant) -> GrantId {
        self.last_id += 1;
        self.grants.insert(self.last_id, grant);
        self.last_id
    }

    pub(crate) fn add_refresh_token(&mut self, token: String, grant: GrantId, expires_at: i64) {
        self.refresh_tokens.insert(token, RefreshToken { grant, expires_at, spent: None });
    }

    pub(crate) fn find_refresh_token(&self, token: &str) -> Option<(RefreshToken, Grant)> {
        let refresh_token = self.refresh_tokens.get(token)?;
        Some((refresh_token.clone(), self.grants.get(&refresh_token.grant)?.clone()))
    }

    pub(crate) fn spend_refresh_token(&mut self, token: &str, at: i64, successor: String) {
        if let Some(token) = self.refresh_tokens.get_mut(token) {
            token.spent = Some(Spent { at, successor });
        }
    }

    /// Ends a grant with all of its refresh tokens.
    pub(crate) fn revoke(&mut self, id: GrantId) {
        if let Some(grant) = self.grants.get_mut(&id) {
            grant.revoked = true;
        }
    }

    /// Ends every grant of a user; returns how many.
    pub(crate) fn revoke_user(&mut self, user: &str) -> usize {
        let live = self.grants.values_mut().filter(|grant| grant.user == user && !grant.revoked);
        live.map(|grant| grant.revoked = true).count()
    }
}
