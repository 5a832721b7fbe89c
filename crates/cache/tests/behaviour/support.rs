//! Short ways to make entries and to say what a cache holds.

use std::sync::Arc;

use valetkey_cache::{
    AccessToken, AccessTokenQuery, Account, AppMetadata, Entry, IdClaims, IdToken, KeyId,
    RefreshToken, TokenCache, TokenEvent,
};
use valetkey_model::{AccountId, ClientId, ScopeSet, Secret, UnixTime};

pub const HOST: &str = "login.contoso.com";

pub fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

pub fn client(text: &str) -> ClientId {
    ClientId::new(text).unwrap()
}

pub fn home(text: &str) -> AccountId {
    AccountId::new(text).unwrap()
}

pub fn scopes(text: &str) -> ScopeSet {
    ScopeSet::from_target(text)
}

pub fn foreign(name: &str) -> KeyId {
    KeyId::Foreign(name.into())
}

pub fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// The access token `secret` of user `u` at client `c` in tenant `t`, ending at 5000.
pub fn access_token(token: &str, target: &str) -> AccessToken {
    AccessToken {
        environment: HOST.into(),
        home_account_id: Some(home("u")),
        client_id: Some(client("c")),
        realm: "t".into(),
        scopes: scopes(target),
        extension: None,
        key_id: None,
        secret: secret(token),
        token_type: "Bearer".into(),
        cached_at: at(1000),
        expires_on: at(5000),
        extended_expires_on: at(5000),
        refresh_on: None,
        extra: None,
    }
}

/// The refresh token `secret` of user `u` at client `c`, issued at 1000.
pub fn refresh_token(token: &str, target: &str) -> RefreshToken {
    RefreshToken {
        environment: HOST.into(),
        home_account_id: Some(home("u")),
        client_id: Some(client("c")),
        scopes: scopes(target),
        secret: secret(token),
        last_modified: at(1000),
        family_id: None,
        key_id: None,
        extra: None,
    }
}

pub fn id_token(token: &str) -> IdToken {
    IdToken {
        environment: HOST.into(),
        home_account_id: Some(home("u")),
        client_id: Some(client("c")),
        realm: "t".into(),
        secret: secret(token),
        extra: None,
    }
}

pub fn account(home_account_id: &str, realm: &str, added_at: i64) -> Account {
    Account {
        environment: HOST.into(),
        home_account_id: home(home_account_id),
        realm: realm.into(),
        local_account_id: Some("oid".into()),
        username: format!("{home_account_id}@{realm}").into(),
        authority_type: "MSSTS".into(),
        account_source: None,
        added_at: at(added_at),
        extra: None,
    }
}

pub fn app(client_id: &str, family_id: Option<&str>) -> AppMetadata {
    AppMetadata {
        environment: HOST.into(),
        client_id: Some(client(client_id)),
        family_id: family_id.map(Arc::from),
        extra: None,
    }
}

/// Wraps a value of any kind.
pub trait IntoEntry {
    fn entry(self) -> Entry;
}

macro_rules! into_entry {
    ($($kind:ident),*) => {$(
        impl IntoEntry for $kind {
            fn entry(self) -> Entry {
                Entry::$kind(Arc::new(self))
            }
        }
    )*};
}
into_entry!(AccessToken, RefreshToken, IdToken, Account, AppMetadata);

/// A sign-in of user `u` at client `c` that brings every kind of token.
pub struct SignIn {
    pub client_id: ClientId,
    pub scopes: ScopeSet,
    pub access_token: Secret,
    pub refresh_token: Option<Secret>,
    pub id_token: Secret,
}

pub fn sign_in(client_id: &str, target: &str, number: u32) -> SignIn {
    SignIn {
        client_id: client(client_id),
        scopes: scopes(target),
        access_token: secret(&format!("AT{number}")),
        refresh_token: Some(secret(&format!("RT{number}"))),
        id_token: secret(&format!("IDT{number}")),
    }
}

impl SignIn {
    pub fn event(&self) -> TokenEvent<'_> {
        TokenEvent {
            client_id: Some(&self.client_id),
            grant_type: "authorization_code",
            access_token: Some(&self.access_token),
            expires_in: Some(3600),
            refresh_token: self.refresh_token.as_ref(),
            id_token: Some(&self.id_token),
            id_claims: IdClaims { sub: Some("u"), ..IdClaims::default() },
            ..TokenEvent::new(HOST, "t", &self.scopes)
        }
    }
}

pub fn query<'a>(token: &'a AccessToken, wanted: &'a ScopeSet) -> AccessTokenQuery<'a> {
    AccessTokenQuery {
        environment: &token.environment,
        home_account_id: token.home_account_id.as_ref(),
        client_id: token.client_id.as_ref(),
        realm: &token.realm,
        scopes: wanted,
        extension: token.extension.as_deref(),
        key_id: token.key_id.as_ref(),
    }
}

pub fn cache_of(entries: impl IntoIterator<Item = Entry>) -> TokenCache {
    TokenCache::from_entries(entries)
}

/// All secrets in the cache, sorted: what a test of merging or removal compares.
pub fn secrets(cache: &TokenCache) -> Vec<String> {
    let mut all: Vec<String> = cache.entries().filter_map(|entry| secret_of(&entry)).collect();
    all.sort();
    all
}

pub fn secret_of(entry: &Entry) -> Option<String> {
    let secret = match entry {
        Entry::AccessToken(token) => &token.secret,
        Entry::RefreshToken(token) => &token.secret,
        Entry::IdToken(token) => &token.secret,
        _ => return None,
    };
    Some(secret.expose().to_owned())
}
