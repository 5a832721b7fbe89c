//! An open store.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::database::{Database, SealedChange};
use crate::error::VaultError;
use crate::key::KeyReport;
use crate::loaded::{Loaded, Record};
use crate::open::Incident;
use crate::options::{Randomness, random};
use crate::state_dir::StateLock;

/// An open store. Dropping it closes the files and forgets the keys.
pub struct Vault {
    pub(crate) database: Database,
    pub(crate) randomness: Arc<dyn Randomness>,
    pub(crate) report: KeyReport,
    pub(crate) incidents: Vec<Incident>,
    /// The last field, so that the lock is held until the database is closed.
    pub(crate) _lock: Arc<StateLock>,
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
    /// Reads all records of a partition. Each thread that takes part asks `reader` for a reader of its own; what a reader
    /// does not take from a record is wiped before the next one.
    pub fn load<T: Send, R: FnMut(Record<'_>) -> T>(
        &self,
        partition: &str,
        reader: impl Fn() -> R + Sync,
    ) -> Result<Loaded<T>, VaultError> {
        let loaded = self.database.load(partition, &reader)?;
        if loaded.damaged > 0 {
            let damaged = loaded.damaged;
            tracing::warn!(damaged, "records were altered outside valetkey and are skipped");
        }
        Ok(loaded)
    }

    /// The partitions that hold at least one readable record.
    pub fn partitions(&self) -> Result<Vec<String>, VaultError> {
        self.database.partitions()
    }

    /// Applies the changes in order, all or none; when it returns they are on the disk.
    pub fn save(&self, partition: &str, changes: &[RecordChange]) -> Result<(), VaultError> {
        self.save_all(&[(partition, changes)])
    }

    /// The same for several partitions at once: still one flush, so that saves which wait for
    /// each other can share it.
    pub fn save_all(&self, batch: &[(&str, &[RecordChange])]) -> Result<(), VaultError> {
        let sealed = batch
            .iter()
            .flat_map(|(partition, changes)| changes.iter().map(move |change| (*partition, change)))
            .map(|(partition, change)| self.seal(partition, change))
            .collect::<Result<Vec<_>, _>>()?;
        if sealed.is_empty() { Ok(()) } else { self.database.save(sealed) }
    }

    /// A keyed hash that this store alone can make: it tells whether two secrets are one, and nothing about them.
    pub fn mark(&self, secret: &[u8]) -> [u8; 32] {
        *self.database.keys().mark(secret)
    }

    /// Where the key is and what protects it.
    pub fn key_report(&self) -> &KeyReport {
        &self.report
    }

    /// What was found wrong when the store was opened.
    pub fn incidents(&self) -> &[Incident] {
        &self.incidents
    }

    fn seal(&self, partition: &str, change: &RecordChange) -> Result<SealedChange, VaultError> {
        let keys = self.database.keys();
        match change {
            RecordChange::Put { key, value } => {
                let row = keys.row(partition, key);
                let salt = random(&*self.randomness)?;
                Ok((row, Some(keys.seal(&row, (partition, key), value, &salt)?)))
            }
            RecordChange::Remove { key } => Ok((keys.row(partition, key), None)),
        }
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Vault").field("report", &self.report).finish_non_exhaustive()
    }
}
