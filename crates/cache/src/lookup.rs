//! Look-up: no allocation, and no step that grows with the number of entries.

use std::sync::Arc;

use valetkey_model::{AccountId, ClientId, ScopeSet, UnixTime};

use crate::{AccessToken, Account, AppMetadata, Document, IdToken, RefreshToken, TokenCache};

/// Which access token is wanted.
#[derive(Clone, Copy, Debug)]
pub struct AccessTokenQuery<'a> {
    /// The provider's host.
    pub environment: &'a str,
    /// Whose token; `None` for the application's own.
    pub home_account_id: Option<&'a AccountId>,
    /// The client application; compared without regard to ASCII case.
    pub client_id: Option<&'a ClientId>,
    /// The tenant.
    pub realm: &'a str,
    /// The token must be good for all of these.
    pub scopes: &'a ScopeSet,
    /// [`crate::extended_cache_key`] of the request; `None` finds ordinary tokens alone.
    pub extension: Option<&'a str>,
    /// The key that the token is bound to; `None` finds unbound tokens alone.
    pub key_id: Option<&'a str>,
}

impl TokenCache {
    /// The best access token that stays good for `min_remaining_seconds` from `now`: the one of exactly these scopes, else
    /// of those good for more the one that lives longest.
    pub fn find_access_token(
        &self,
        query: &AccessTokenQuery<'_>,
        now: UnixTime,
        min_remaining_seconds: i64,
    ) -> Option<&Arc<AccessToken>> {
        let _ = (query, now, min_remaining_seconds);
        None
    }

    /// The account's refresh tokens of all client applications, newest first.
    pub fn refresh_tokens(
        &self,
        environment: &str,
        home_account_id: &AccountId,
    ) -> impl Iterator<Item = &Arc<RefreshToken>> {
        let _ = (environment, home_account_id);
        std::iter::empty()
    }

    /// True when any account has a refresh token of this provider.
    pub fn has_refresh_token_in(&self, environment: &str) -> bool {
        let _ = environment;
        false
    }

    /// One account for each home account id, in the order of their first sign-in. Of several tenants the last one counts.
    pub fn accounts(&self, environment: &str) -> Vec<Arc<Account>> {
        let _ = environment;
        Vec::new()
    }

    /// The account as [`TokenCache::accounts`] would list it.
    pub fn account(&self, environment: &str, home_account_id: &AccountId) -> Option<&Arc<Account>> {
        let _ = (environment, home_account_id);
        None
    }

    /// The ID token of an account at a client application in a tenant.
    pub fn id_token(
        &self,
        environment: &str,
        home_account_id: &AccountId,
        client_id: &ClientId,
        realm: &str,
    ) -> Option<&Arc<IdToken>> {
        let _ = (environment, home_account_id, client_id, realm);
        None
    }

    /// What is known of a client application.
    pub fn app_metadata(
        &self,
        environment: &str,
        client_id: Option<&ClientId>,
    ) -> Option<&Arc<AppMetadata>> {
        let _ = (environment, client_id);
        None
    }

    /// The discovery document that came from `url`.
    pub fn document(&self, url: &str) -> Option<&Arc<Document>> {
        let _ = url;
        None
    }
}
