//! Merging a provider's answer: which entries it puts, and which it makes superfluous.

use std::sync::Arc;

use valetkey_model::{AccountId, UnixTime};

use crate::credential::note_asked;
use crate::identity::Owner;
use crate::key::is_same_client;
use crate::owners::list::Listed as _;
use crate::{
    AccessToken, Account, AppMetadata, Change, Entry, IdToken, KeptKey, KeyId, RefreshToken,
    TokenCache, TokenEvent,
};

/// How many expired access tokens one merge drops at most. More than it adds, so that none pile up; few, so that a merge
/// costs the same however many there are.
const MAX_EXPIRED_DROPPED: usize = 16;

impl TokenCache {
    /// What a sign-in's or an application's token answer changes.
    pub fn plan_token_response(&self, event: &TokenEvent<'_>, now: UnixTime) -> Vec<Change> {
        let home_account_id = event.home_account_id();
        let mut plan = Plan::new(self, event, now, home_account_id.as_ref());
        plan.drop_expired_access_tokens();
        plan.put_access_token();
        if event.create_account {
            plan.put_account();
        }
        plan.put_id_token();
        plan.put_new_refresh_token();
        plan.put_app_metadata();
        plan.changes
    }

    /// Keeps a key, unless the application has one for this method: tokens that are out are bound to that.
    pub fn plan_proof_key(&self, key: KeptKey) -> Vec<Change> {
        match self.proof_key(&key.environment, &key.client_id, &key.method) {
            Some(_) => Vec::new(),
            None => vec![Change::Put(Entry::ProofKey(Arc::new(key)))],
        }
    }

    /// What the answer to redeeming `used` changes. The refresh token rotates in place and no account is created. Empty
    /// when `used` is no longer what the cache holds: whoever signed out meanwhile stays signed out, and a newer sign-in
    /// is not undone.
    ///
    /// The tokens belong to the account of `used`: OIDC Core section 12.2 lets a refresh answer say nothing of who it is
    /// for, and forbids it to say anything else.
    pub fn plan_refresh(
        &self,
        used: &RefreshToken,
        event: &TokenEvent<'_>,
        now: UnixTime,
    ) -> Vec<Change> {
        let Some(stored) = self.find_unchanged(used) else { return Vec::new() };
        let mut plan = Plan::new(self, event, now, stored.home_account_id.as_ref());
        plan.drop_expired_access_tokens();
        plan.put_access_token();
        plan.put_id_token();
        plan.rotate_refresh_token(stored);
        plan.put_app_metadata();
        plan.changes
    }
}

/// The changes of one answer.
struct Plan<'a> {
    cache: &'a TokenCache,
    event: &'a TokenEvent<'a>,
    now: UnixTime,
    environment: Arc<str>,
    home_account_id: Option<&'a AccountId>,
    changes: Vec<Change>,
}

impl<'a> Plan<'a> {
    fn new(
        cache: &'a TokenCache,
        event: &'a TokenEvent<'a>,
        now: UnixTime,
        home_account_id: Option<&'a AccountId>,
    ) -> Self {
        let environment = cache.names.get(&event.environment.to_ascii_lowercase());
        Self { cache, event, now, environment, home_account_id, changes: Vec::new() }
    }

    fn put(&mut self, entry: Entry) {
        self.changes.push(Change::Put(entry));
    }

    fn drop_expired_access_tokens(&mut self) {
        let expired = self.cache.access_tokens.expired(self.now).take(MAX_EXPIRED_DROPPED).cloned();
        self.changes.extend(expired.map(|token| Change::Remove(Entry::AccessToken(token))));
    }

    fn put_access_token(&mut self) {
        let (event, now) = (self.event, self.now);
        let Some(secret) = event.access_token else { return };
        let expires_on = event.expires_on(now);
        let after = |seconds: i64| now.plus_seconds(seconds);
        let mut token = AccessToken {
            environment: Arc::clone(&self.environment),
            home_account_id: self.home_account_id.cloned(),
            client_id: event.client_id.cloned(),
            realm: self.cache.names.get(event.realm),
            scopes: event.scopes.clone(),
            extension: event.extension.map(Arc::from),
            key_id: event.key_id.cloned(),
            secret: secret.clone(),
            token_type: self.cache.names.get(event.token_type.unwrap_or("Bearer")),
            cached_at: now,
            expires_on,
            extended_expires_on: event.ext_expires_in.map_or(expires_on, after),
            refresh_on: event.refresh_in.map(after),
            extra: None,
        };
        let replaced = self.cache.access_tokens.get(&token).map(Arc::as_ref);
        token.extra = note_asked(event.asked, event.scopes, replaced);
        self.put(Entry::AccessToken(Arc::new(token)));
    }

    fn put_account(&mut self) {
        let Some(home_account_id) = self.home_account_id else { return };
        let event = self.event;
        let claims = &event.id_claims;
        let username = claims.preferred_username.or(claims.upn).or(event.username);
        self.rename_account(home_account_id, username.unwrap_or_default());
        self.put(Entry::Account(Arc::new(Account {
            environment: Arc::clone(&self.environment),
            home_account_id: home_account_id.clone(),
            realm: self.cache.names.get(event.realm),
            local_account_id: event.local_account_id.or(claims.oid).or(claims.sub).map(Arc::from),
            username: username.unwrap_or_default().into(),
            authority_type: self.cache.names.get(event.authority_type()),
            account_source: event.account_source().map(|source| self.cache.names.get(source)),
            added_at: self.first_sign_in(home_account_id).unwrap_or(self.now),
            extra: None,
        })));
    }

    /// What the provider calls it holds in all its tenants: another library's cache may have called it otherwise.
    fn rename_account(&mut self, home_account_id: &AccountId, username: &str) {
        let owner = Owner::new(&self.environment, Some(home_account_id), None);
        let known = self.cache.owners.get(&owner).into_iter().flat_map(|it| it.accounts.iter());
        let renamed = known.filter(|it| !username.is_empty() && &*it.username != username);
        self.changes.extend(renamed.map(|account| {
            let account = Account { username: username.into(), ..Account::clone(account) };
            Change::Put(Entry::Account(Arc::new(account)))
        }));
    }

    fn put_id_token(&mut self) {
        let Some(secret) = self.event.id_token else { return };
        self.put(Entry::IdToken(Arc::new(IdToken {
            environment: Arc::clone(&self.environment),
            home_account_id: self.home_account_id.cloned(),
            client_id: self.event.client_id.cloned(),
            realm: self.cache.names.get(self.event.realm),
            secret: secret.clone(),
            extra: None,
        })));
    }

    fn put_new_refresh_token(&mut self) {
        let Some(secret) = self.event.refresh_token else { return };
        self.put_refresh_token(RefreshToken {
            environment: Arc::clone(&self.environment),
            home_account_id: self.home_account_id.cloned(),
            client_id: self.event.client_id.cloned(),
            scopes: self.event.scopes.clone(),
            secret: secret.clone(),
            last_modified: self.now,
            family_id: self.event.family_id.map(|family| self.cache.names.get(family)),
            key_id: self.refresh_key_id(),
            extra: None,
        });
    }

    /// A provider that does not rotate sends none back; the one at hand then stays as it is.
    fn rotate_refresh_token(&mut self, stored: &RefreshToken) {
        let Some(secret) = self.event.refresh_token else { return };
        let family_id = self.event.family_id.map(|family| self.cache.names.get(family));
        let successor = RefreshToken {
            secret: secret.clone(),
            last_modified: self.now,
            family_id: family_id.or_else(|| stored.family_id.clone()),
            key_id: self.refresh_key_id().or_else(|| stored.key_id.clone()),
            ..stored.clone()
        };
        if successor.key_id != stored.key_id {
            // It stands under another key then, and what was redeemed would stay.
            self.changes.push(Change::Remove(Entry::RefreshToken(Arc::new(stored.clone()))));
        }
        self.put_refresh_token(successor);
    }

    fn refresh_key_id(&self) -> Option<Arc<str>> {
        match self.event.key_id {
            Some(KeyId::Kept(name)) if self.event.binds_refresh_token => Some(Arc::clone(name)),
            _ => None,
        }
    }

    /// Puts the token, and drops those of the same client and account that can do no more than it can.
    fn put_refresh_token(&mut self, token: RefreshToken) {
        let (home, client) = (token.home_account_id.as_ref(), token.client_id.as_ref());
        let owner = Owner::new(&token.environment, home, client);
        let is_superfluous = |older: &&Arc<RefreshToken>| {
            is_same_client(older.client_id.as_ref(), client)
                && !older.is_same(&token)
                && older.scopes.is_subset(&token.scopes)
                && older.key_id == token.key_id
                && (older.family_id.is_none() || older.family_id == token.family_id)
        };
        let older =
            self.cache.owners.get(&owner).into_iter().flat_map(|it| it.refresh_tokens.iter());
        let superfluous = older.filter(is_superfluous).cloned();
        self.changes.extend(superfluous.map(|token| Change::Remove(Entry::RefreshToken(token))));
        self.put(Entry::RefreshToken(Arc::new(token)));
    }

    /// Once a member of a family, always one: an answer without `foci` says nothing about it.
    fn put_app_metadata(&mut self) {
        let family_id = self.event.family_id.map(|family| self.cache.names.get(family));
        let known = self.cache.apps.find(&self.environment, self.event.client_id);
        let app = match known {
            Some(known) if family_id.is_none() || known.family_id == family_id => return,
            Some(known) => AppMetadata { family_id, ..AppMetadata::clone(known) },
            None => AppMetadata {
                environment: Arc::clone(&self.environment),
                client_id: self.event.client_id.cloned(),
                family_id,
                extra: None,
            },
        };
        self.put(Entry::AppMetadata(Arc::new(app)));
    }

    fn first_sign_in(&self, home_account_id: &AccountId) -> Option<UnixTime> {
        let owner = Owner::new(&self.environment, Some(home_account_id), None);
        self.cache.owners.get(&owner)?.added_at()
    }
}
