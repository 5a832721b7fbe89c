//! Hashing and comparing by borrowed parts, so that a look-up needs no key of its own.

use std::hash::{BuildHasher as _, Hash, Hasher};

use hashbrown::DefaultHashBuilder;
use valetkey_model::{AccountId, ClientId};

use crate::key::is_same_client;
use crate::{AccessToken, AccessTokenQuery};

/// Whose things: an account's, or those that an application has without any account.
#[derive(Clone, Copy)]
pub(crate) struct Owner<'a> {
    pub(crate) environment: &'a str,
    pub(crate) home_account_id: Option<&'a AccountId>,
    pub(crate) client_id: Option<&'a ClientId>,
}

impl<'a> Owner<'a> {
    /// The account if there is one, else the application.
    pub(crate) fn new(
        environment: &'a str,
        home_account_id: Option<&'a AccountId>,
        client_id: Option<&'a ClientId>,
    ) -> Self {
        let client_id = if home_account_id.is_none() { client_id } else { None };
        Self { environment, home_account_id, client_id }
    }

    pub(crate) fn hash(&self, hasher: &DefaultHashBuilder) -> u64 {
        hasher.hash_one((self.environment, self.home_account_id, Folded(self.client_id)))
    }

    pub(crate) fn is(&self, other: &Owner<'_>) -> bool {
        self.home_account_id == other.home_account_id
            && self.environment == other.environment
            && is_same_client(self.client_id, other.client_id)
    }
}

/// What access tokens of one bucket have in common: everything but the scopes.
impl<'a> AccessTokenQuery<'a> {
    /// The query that this very token answers.
    pub(crate) fn of(token: &'a AccessToken) -> Self {
        Self {
            environment: &token.environment,
            home_account_id: token.home_account_id.as_ref(),
            client_id: token.client_id.as_ref(),
            realm: &token.realm,
            scopes: &token.scopes,
            extension: token.extension.as_deref(),
            key_id: token.key_id.as_ref(),
        }
    }

    pub(crate) fn bucket_hash(&self, hasher: &DefaultHashBuilder) -> u64 {
        let owner = (self.environment, self.home_account_id, Folded(self.client_id));
        hasher.hash_one((owner, self.realm, self.extension, self.key_id))
    }

    pub(crate) fn is_same_bucket(&self, other: &AccessTokenQuery<'_>) -> bool {
        self.home_account_id == other.home_account_id
            && self.realm == other.realm
            && is_same_client(self.client_id, other.client_id)
            && self.environment == other.environment
            && self.extension == other.extension
            && self.key_id == other.key_id
    }
}

/// A client id, hashed without regard to ASCII case, as [`is_same_client`] compares.
pub(crate) struct Folded<'a>(pub(crate) Option<&'a ClientId>);

impl Hash for Folded<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let text = self.0.map_or("", ClientId::as_str);
        for chunk in text.as_bytes().chunks(40) {
            let mut folded = [0; 40];
            let folded = &mut folded[..chunk.len()];
            folded.copy_from_slice(chunk);
            folded.make_ascii_lowercase();
            state.write(folded);
        }
        state.write_usize(text.len());
    }
}
