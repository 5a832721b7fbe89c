//! A token store in memory: what is in it survives the engine, and its disk fails when a test says so.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::Digest as _;
use valetkey_cache::{Change, Entry, EntryKey};
use valetkey_engine::ports::{BoxFuture, StoreError, TokenStore};
use valetkey_model::{Partition, Secret};

use crate::gate::Gate;

/// Entries by partition and key, and a log of what was saved.
#[derive(Default)]
pub struct MemoryStore {
    /// Holds saves before they are written.
    pub gate: Gate,
    disk: Mutex<Disk>,
}

#[derive(Default)]
struct Disk {
    entries: HashMap<Partition, BTreeMap<EntryKey, Entry>>,
    saves: Vec<Vec<Change>>,
    fault: Option<StoreError>,
    presented: HashSet<String>,
    closed: Vec<Partition>,
}

impl MemoryStore {
    /// From now on the disk takes nothing.
    pub fn fill_disk(&self) {
        self.lock().fault = Some(StoreError::Unavailable("disk full".to_owned()));
    }

    /// From now on nothing can be read or written.
    pub fn lock_up(&self) {
        self.lock().fault = Some(StoreError::Locked("waiting for a passphrase".to_owned()));
    }

    /// All is well again.
    pub fn recover(&self) {
        self.lock().fault = None;
    }

    /// True while nothing can be written.
    pub fn is_failing(&self) -> bool {
        self.lock().fault.is_some()
    }

    /// What was saved, in order.
    pub fn saves(&self) -> Vec<Vec<Change>> {
        self.lock().saves.clone()
    }

    /// Whose partitions were closed, in order.
    pub fn closed(&self) -> Vec<Partition> {
        self.lock().closed.clone()
    }

    /// What is stored of a partition, by key.
    pub fn entries(&self, partition: &Partition) -> Vec<Entry> {
        let disk = self.lock();
        disk.entries.get(partition).into_iter().flat_map(BTreeMap::values).cloned().collect()
    }

    /// The stored refresh tokens of a partition.
    pub fn refresh_tokens(&self, partition: &Partition) -> Vec<String> {
        let secret = |entry| match entry {
            Entry::RefreshToken(token) => Some(token.secret.expose().to_owned()),
            _ => None,
        };
        self.entries(partition).into_iter().filter_map(secret).collect()
    }

    /// Stores an entry as an earlier run would have.
    pub fn put(&self, partition: &Partition, entry: Entry) {
        self.lock().entries.entry(partition.clone()).or_default().insert(entry.key(), entry);
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk {
    fn write(&mut self, partition: &Partition, changes: &[Change]) -> Result<(), StoreError> {
        if let Some(fault) = &self.fault {
            return Err(fault.clone());
        }
        let entries = self.entries.entry(partition.clone()).or_default();
        for change in changes {
            match change {
                Change::Put(entry) => drop(entries.insert(entry.key(), entry.clone())),
                Change::Remove(entry) => drop(entries.remove(&entry.key())),
            }
        }
        self.saves.push(changes.to_vec());
        Ok(())
    }
}

impl TokenStore for MemoryStore {
    fn load<'a>(
        &'a self,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(async move {
            if let Some(fault @ StoreError::Locked(_)) = &self.lock().fault {
                return Err(fault.clone());
            }
            Ok(self.entries(partition))
        })
    }

    fn save<'a>(
        &'a self,
        partition: &'a Partition,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.gate.pass().await;
            self.lock().write(partition, changes)
        })
    }

    fn mark<'a>(&'a self, credential: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], StoreError>> {
        Box::pin(async move { Ok(sha2::Sha256::digest(credential).into()) })
    }

    fn note_presented<'a>(&'a self, refresh_token: &'a Secret) -> BoxFuture<'a, bool> {
        let is_new = self.lock().presented.insert(refresh_token.expose().to_owned());
        Box::pin(async move { !is_new })
    }

    fn settle_presented<'a>(&'a self, refresh_token: &'a Secret) -> BoxFuture<'a, ()> {
        self.lock().presented.remove(refresh_token.expose());
        Box::pin(async {})
    }

    fn close<'a>(&'a self, owner: &'a Partition) -> BoxFuture<'a, ()> {
        Box::pin(async { self.lock().closed.push(owner.clone()) })
    }
}
