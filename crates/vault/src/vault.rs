//! An open store.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use zeroize::Zeroizing;

use crate::data_keys::{DataKey, DataKeys, KeyEntry, owner_of};
use crate::database::{Database, SealedChange};
use crate::error::VaultError;
use crate::header::Header;
use crate::key::KeyReport;
use crate::loaded::{Loaded, Record};
use crate::locked::Key;
use crate::open::{Incident, Opening};
use crate::options::{Randomness, random};
use crate::record::{FIRST_ROW, Row};
use crate::state_dir::{StateDir, StateLock};

/// An open store. Dropping it closes the files and forgets the keys.
pub struct Vault {
    pub(crate) database: Database,
    held: Box<RwLock<Held>>,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) dir: StateDir,
    pub(crate) report: KeyReport,
    incidents: Vec<Incident>,
    /// In Unix seconds. A key that was made since says that it is as old as this, and is at most that.
    opened_at: u64,
    /// Where sealing anew goes on.
    pub(crate) sealed_anew_to: Row,
    /// Whether discarding keys of no use was tried; once is enough for a keyring that does not answer.
    pub(crate) has_discarded: bool,
    /// The last field, so that the lock is held until the database is closed.
    _lock: Arc<StateLock>,
}

/// The keys of an open store, and the header that keeps them.
pub(crate) struct Held {
    pub(crate) header: Header,
    pub(crate) wrapping_key: Key,
    pub(crate) keys: DataKeys,
}

impl Held {
    /// Has these keys in the place of its own, and the header with this change, on the disk and then in memory.
    pub(crate) fn write(
        &mut self,
        keys: DataKeys,
        change: impl FnOnce(&mut Header),
        dir: &StateDir,
        randomness: &dyn Randomness,
    ) -> Result<(), VaultError> {
        let entries = self.entries(&keys)?;
        let mut header = self.header.clone();
        change(&mut header);
        let header = header.wrap(&entries, &self.wrapping_key, randomness)?;
        header.write(dir)?;
        (self.header, self.keys) = (header, keys);
        Ok(())
    }

    /// What a header is to keep of these keys.
    pub(crate) fn entries(&self, keys: &DataKeys) -> Result<Vec<KeyEntry>, VaultError> {
        keys.entries(|id| self.header.entry(id, &self.wrapping_key)).ok_or_else(not_kept)
    }

    /// The key with this id, which is out of memory again with this copy of it.
    pub(crate) fn fetch(&self, id: u32) -> Option<DataKey> {
        DataKey::from_entry(id, &self.header.entry(id, &self.wrapping_key)?)
    }
}

/// Of a header that was opened with the same key before.
fn not_kept() -> VaultError {
    VaultError::Damaged { detail: "a data key does not open any more".to_owned() }
}

/// One step of a save.
pub enum RecordChange {
    /// Keep a value under a key, in place of the one that is there.
    Put {
        /// The key.
        key: String,
        /// The bytes.
        value: Zeroizing<Vec<u8>>,
    },
    /// Forget what is kept under a key, if anything is.
    Remove {
        /// The key.
        key: String,
    },
}

impl Vault {
    pub(crate) fn new(
        database: Database,
        held: Held,
        report: KeyReport,
        Opening { options, dir, lock, incidents }: Opening,
    ) -> Self {
        Self {
            database,
            held: Box::new(RwLock::new(held)),
            randomness: options.randomness,
            dir,
            report,
            incidents,
            opened_at: options.now,
            sealed_anew_to: FIRST_ROW,
            has_discarded: false,
            _lock: lock,
        }
    }

    /// Reads all records of a partition. Each thread that takes part asks `reader` for a reader of its own; what a reader
    /// does not take from a record is wiped before the next one.
    pub fn load<T: Send, R: FnMut(Record<'_>) -> T>(
        &self,
        partition: &str,
        reader: impl Fn() -> R + Sync,
    ) -> Result<Loaded<T>, VaultError> {
        let keys = self.open_keys(partition)?;
        let loaded = self.database.load(&keys, partition, &reader)?;
        if loaded.damaged > 0 {
            let damaged = loaded.damaged;
            tracing::warn!(damaged, "records were altered outside valetkey and are skipped");
        }
        Ok(loaded)
    }

    /// The partitions that hold at least one readable record.
    pub fn partitions(&self) -> Result<Vec<String>, VaultError> {
        let mut keys = BorrowedKeys::of(self);
        Ok(self.database.partitions(|id| keys.find(id))?.into_iter().collect())
    }

    /// Applies the changes in order, all or none; when it returns they are on the disk.
    pub fn save(&self, partition: &str, changes: &[RecordChange]) -> Result<(), VaultError> {
        self.save_all(&[(partition, changes)])
    }

    /// The same for several partitions at once: still one flush, so that saves which wait for
    /// each other can share it. An owner's first save makes a key first, and costs a file more.
    pub fn save_all(&self, batch: &[(&str, &[RecordChange])]) -> Result<(), VaultError> {
        let puts = |changes: &[RecordChange]| {
            changes.iter().any(|change| matches!(change, RecordChange::Put { .. }))
        };
        let written = batch.iter().filter(|(_, changes)| puts(changes));
        self.make_keys(written.map(|(partition, _)| *partition))?;
        let mut sealed = Vec::new();
        for (partition, changes) in batch {
            let keys = self.open_keys(partition)?;
            for change in *changes {
                self.seal(&keys, partition, change, &mut sealed)?;
            }
        }
        if sealed.is_empty() { Ok(()) } else { self.database.save(sealed) }
    }

    /// A keyed hash that this store alone can make: it tells whether two secrets are one, and nothing about them.
    pub fn mark(&self, secret: &[u8]) -> [u8; 32] {
        *self.held().keys.mark(secret)
    }

    /// Where the key is and what protects it.
    pub fn key_report(&self) -> &KeyReport {
        &self.report
    }

    /// What was found wrong when the store was opened.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    /// How many records there are.
    pub fn count(&self) -> Result<u64, VaultError> {
        self.database.count()
    }

    /// Since when the oldest data key is in use, in Unix seconds; `None` if that is not known, or nothing was saved yet.
    pub fn data_key_made_at(&self) -> Option<u64> {
        self.held().keys.oldest()
    }

    /// Drops an owner's data keys from memory, until something of the owner's is loaded or saved.
    pub fn close_keys(&self, owner: &str) {
        self.held_mut().keys.close(owner);
    }

    /// How many owners' keys are in memory.
    pub fn owners_in_use(&self) -> usize {
        self.held().keys.in_use().len()
    }

    /// The keys that open a partition, which are in memory from then on.
    fn open_keys(&self, partition: &str) -> Result<Vec<Arc<DataKey>>, VaultError> {
        if let Some(open) = self.held().keys.opening(partition) {
            return Ok(open);
        }
        let mut held = self.held_mut();
        let mut keys = held.keys.clone();
        let open = keys.open(partition, |id| held.fetch(id)).ok_or_else(not_kept)?;
        held.keys = keys;
        Ok(open)
    }

    /// Makes sure that the owners of these partitions have keys; they are on the disk before anything is sealed with them.
    pub(crate) fn make_keys<'a>(
        &self,
        partitions: impl Iterator<Item = &'a str>,
    ) -> Result<(), VaultError> {
        let mut keys = self.held().keys.clone();
        let mut is_new = false;
        for partition in partitions {
            if keys.sealing(partition).is_none() {
                keys.add(owner_of(partition), self.opened_at, &*self.randomness)?;
                is_new = true;
            }
        }
        match is_new {
            true => self.write_keys(keys),
            false => Ok(()),
        }
    }

    pub(crate) fn write_keys(&self, keys: DataKeys) -> Result<(), VaultError> {
        self.held_mut().write(keys, |_| {}, &self.dir, &*self.randomness)
    }

    /// What a change is on the disk: the last of these keys seals, and what the others have sealed under this name goes.
    fn seal(
        &self,
        keys: &[Arc<DataKey>],
        partition: &str,
        change: &RecordChange,
        sealed: &mut Vec<SealedChange>,
    ) -> Result<(), VaultError> {
        let (RecordChange::Put { key, .. } | RecordChange::Remove { key }) = change;
        let rows = keys.iter().map(|known| (known.records.row(partition, key), None));
        sealed.extend(rows);
        if let (RecordChange::Put { value, .. }, Some(last)) = (change, keys.last())
            && let Some((row, stored)) = sealed.last_mut()
        {
            let salt = random(&*self.randomness)?;
            *stored = Some(last.records.seal(row, (partition, key), value, &salt)?);
        }
        Ok(())
    }

    pub(crate) fn held(&self) -> RwLockReadGuard<'_, Held> {
        self.held.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn held_mut(&self) -> RwLockWriteGuard<'_, Held> {
        self.held.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys for work on what is many owners': those that are not in use already are in memory for as long as this.
pub(crate) struct BorrowedKeys<'a> {
    vault: &'a Vault,
    fetched: BTreeMap<u32, Arc<DataKey>>,
}

impl<'a> BorrowedKeys<'a> {
    pub(crate) fn of(vault: &'a Vault) -> Self {
        Self { vault, fetched: BTreeMap::new() }
    }

    pub(crate) fn find(&mut self, id: u32) -> Option<Arc<DataKey>> {
        let held = self.vault.held();
        if let Some(known) = held.keys.find(id).or_else(|| self.fetched.get(&id)) {
            return Some(Arc::clone(known));
        }
        let fetched = Arc::new(held.fetch(id)?);
        Some(Arc::clone(self.fetched.entry(id).or_insert(fetched)))
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("report", &self.report).finish_non_exhaustive()
    }
}
