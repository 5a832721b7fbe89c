//! Look-up: no allocation, and no step that grows with the number of entries.

use std::sync::Arc;

use valetkey_model::{AccountId, ClientId, ScopeSet, UnixTime};

use crate::identity::Owner;
use crate::key::is_same_client;
use crate::{
    AccessToken, Account, AppMetadata, Document, IdToken, KeptKey, KeyId, RefreshToken, TokenCache,
};

/// Which access token is wanted.
#[derive(Clone, Copy, Debug)]
pub struct AccessTokenQuery<'a> {
    /// The provider's host in lower case, as `Authority::environment` gives it.
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
    pub key_id: Option<&'a KeyId>,
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
        self.find_access_token_among(query, now, min_remaining_seconds, |_| true)
    }

    /// As [`TokenCache::find_access_token`], of those alone that will do.
    pub fn find_access_token_among(
        &self,
        query: &AccessTokenQuery<'_>,
        now: UnixTime,
        min_remaining_seconds: i64,
        will_do: impl Fn(&AccessToken) -> bool,
    ) -> Option<&Arc<AccessToken>> {
        self.access_tokens.find(query, now, min_remaining_seconds, will_do)
    }

    /// The account's refresh tokens of all client applications, newest first.
    pub fn refresh_tokens(
        &self,
        environment: &str,
        home_account_id: &AccountId,
    ) -> impl Iterator<Item = &Arc<RefreshToken>> {
        let owner = Owner::new(environment, Some(home_account_id), None);
        self.owners.get(&owner).into_iter().flat_map(|it| it.refresh_tokens.iter())
    }

    /// True when any account has a refresh token of this provider.
    pub fn has_refresh_token_in(&self, environment: &str) -> bool {
        self.owners.has_refresh_token_in(environment)
    }

    /// One account for each home account id, in the order of their first sign-in. Of several tenants the last one counts.
    pub fn accounts(&self, environment: &str) -> Vec<Arc<Account>> {
        let mut owners: Vec<_> = self.owners.with_accounts(environment).collect();
        owners.sort_by_cached_key(|it| (it.added_at(), it.home_account_id().cloned()));
        owners.into_iter().filter_map(|it| it.accounts.last()).cloned().collect()
    }

    /// The account as [`TokenCache::accounts`] would list it.
    pub fn account(&self, environment: &str, home_account_id: &AccountId) -> Option<&Arc<Account>> {
        let owner = Owner::new(environment, Some(home_account_id), None);
        self.owners.get(&owner)?.accounts.last()
    }

    /// What the account is called in its tenants: one name, unless another library's cache brought others.
    pub fn usernames(
        &self,
        environment: &str,
        home_account_id: &AccountId,
    ) -> impl Iterator<Item = &Arc<str>> {
        let owner = Owner::new(environment, Some(home_account_id), None);
        let accounts = self.owners.get(&owner).into_iter().flat_map(|it| it.accounts.iter());
        accounts.map(|account| &account.username).filter(|name| !name.is_empty())
    }

    /// The ID token of an account at a client application in a tenant.
    pub fn id_token(
        &self,
        environment: &str,
        home_account_id: &AccountId,
        client_id: &ClientId,
        realm: &str,
    ) -> Option<&Arc<IdToken>> {
        let owner = Owner::new(environment, Some(home_account_id), None);
        let is_it = |token: &&Arc<IdToken>| {
            is_same_client(token.client_id.as_ref(), Some(client_id)) && *token.realm == *realm
        };
        self.owners.get(&owner)?.id_tokens.iter().find(is_it)
    }

    /// What is known of a client application.
    pub fn app_metadata(
        &self,
        environment: &str,
        client_id: Option<&ClientId>,
    ) -> Option<&Arc<AppMetadata>> {
        self.apps.find(environment, client_id)
    }

    /// The key of a client application's for this method.
    pub fn proof_key(
        &self,
        environment: &str,
        client_id: &ClientId,
        method: &str,
    ) -> Option<&Arc<KeptKey>> {
        self.proof_keys.find(environment, client_id, method)
    }

    /// The discovery document that came from `url`.
    pub fn document(&self, url: &str) -> Option<&Arc<Document>> {
        self.documents.get(url)
    }

    /// All discovery documents; there are never many.
    pub fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.documents.values()
    }
}
