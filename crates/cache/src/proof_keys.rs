//! The private keys that applications' bound tokens are worth nothing without.

use std::sync::Arc;

use valetkey_model::{ClientId, Secret};

use crate::key::is_same_client;

/// A private key of a client application's. Ours alone: it is no part of MSAL's JSON, and goes nowhere.
#[derive(Clone, Debug)]
pub struct KeptKey {
    /// The provider's host, lower case.
    pub environment: Arc<str>,
    /// The application.
    pub client_id: ClientId,
    /// What it signs. Each method has a key of its own, so that a key's name tells what its tokens are.
    pub method: Arc<str>,
    /// Its name, which the tokens that are bound to it have as [`crate::KeyId::Kept`].
    pub key_id: Arc<str>,
    /// The key, in whatever form its owner reads.
    pub secret: Secret,
}

/// A list: there are no more of them than applications that ask for bound tokens.
#[derive(Default)]
pub(crate) struct ProofKeys(Vec<Arc<KeptKey>>);

impl ProofKeys {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<KeptKey>> {
        self.0.iter()
    }

    pub(crate) fn find(
        &self,
        environment: &str,
        client_id: &ClientId,
        method: &str,
    ) -> Option<&Arc<KeptKey>> {
        self.iter().find(|key| {
            *key.environment == *environment
                && *key.method == *method
                && is_same_client(Some(&key.client_id), Some(client_id))
        })
    }

    pub(crate) fn put(&mut self, key: Arc<KeptKey>) -> Option<Arc<KeptKey>> {
        let replaced = self.remove(&key);
        self.0.push(key);
        replaced
    }

    pub(crate) fn remove(&mut self, key: &KeptKey) -> Option<Arc<KeptKey>> {
        let is_it = |known: &Arc<KeptKey>| {
            known.environment == key.environment
                && known.method == key.method
                && is_same_client(Some(&known.client_id), Some(&key.client_id))
        };
        self.0.iter().position(is_it).map(|known| self.0.remove(known))
    }
}
