//! The index of what is known of client applications.

use std::hash::BuildHasher as _;
use std::sync::Arc;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use valetkey_model::ClientId;

use crate::AppMetadata;
use crate::identity::Folded;
use crate::key::is_same_client;

#[derive(Default)]
pub(crate) struct Apps {
    hasher: DefaultHashBuilder,
    table: HashTable<Arc<AppMetadata>>,
}

impl Apps {
    pub(crate) fn len(&self) -> usize {
        self.table.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<AppMetadata>> {
        self.table.iter()
    }

    pub(crate) fn find(
        &self,
        environment: &str,
        client_id: Option<&ClientId>,
    ) -> Option<&Arc<AppMetadata>> {
        let hash = hash(&self.hasher, environment, client_id);
        self.table.find(hash, |app| is_app(app, environment, client_id))
    }

    pub(crate) fn put(&mut self, app: Arc<AppMetadata>) -> Option<Arc<AppMetadata>> {
        let hasher = &self.hasher;
        let hash_of =
            |app: &Arc<AppMetadata>| hash(hasher, &app.environment, app.client_id.as_ref());
        let is_it = |it: &Arc<AppMetadata>| is_app(it, &app.environment, app.client_id.as_ref());
        match self.table.entry(hash_of(&app), is_it, hash_of) {
            Entry::Occupied(mut known) => Some(std::mem::replace(known.get_mut(), app)),
            Entry::Vacant(free) => {
                free.insert(app);
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, app: &AppMetadata) -> Option<Arc<AppMetadata>> {
        let hash = hash(&self.hasher, &app.environment, app.client_id.as_ref());
        let is_it = |it: &Arc<AppMetadata>| is_app(it, &app.environment, app.client_id.as_ref());
        Some(self.table.find_entry(hash, is_it).ok()?.remove().0)
    }
}

fn hash(hasher: &DefaultHashBuilder, environment: &str, client_id: Option<&ClientId>) -> u64 {
    hasher.hash_one((environment, Folded(client_id)))
}

fn is_app(app: &AppMetadata, environment: &str, client_id: Option<&ClientId>) -> bool {
    *app.environment == *environment && is_same_client(app.client_id.as_ref(), client_id)
}
