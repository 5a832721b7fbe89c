//! Replacing keys while the store is in use.
//!
//! **The wrapping key.** Another one is made, then a header that it opens takes the place of the old header, then the old key is
//! discarded. A header names beforehand what may have to be discarded, so that a kill leaves no key behind that nobody knows of.
//!
//! **Data keys.** Their owners get another one, which seals from then on; the old one still opens. Then [`Vault::upkeep`] seals
//! anew, some records at a time, what the old keys have sealed, writes the database into a new file, since the old one keeps in
//! its free pages what was there before, and at last forgets the old keys. A kill costs the place where that was. A store of
//! format 1 is carried over in the same way: its one data key is an old key of everybody's.
//!
//! What a file system or a medium keeps of files that are gone is out of reach.

use std::collections::BTreeSet;

use zeroize::Zeroizing;

use crate::database::{Batch, SealedChange};
use crate::error::VaultError;
use crate::header::Header;
use crate::key::{CreateKeyError, Generation, KeyProvider, KeyRecord, KeySource};
use crate::options::{OpenOptions, random};
use crate::record::{FIRST_ROW, Row, key_id};
use crate::vault::{BorrowedKeys, Vault};

/// Whether a rotation has left something to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upkeep {
    /// Nothing.
    Done,
    /// The next piece.
    More,
}

impl Vault {
    /// Has the data keys wrapped by another key, of this provider. With [`KeyProvider::Passphrase`] the passphrase of
    /// `options` is the new one. When it fails, the store is opened by the key that it had, or, after a failure to write,
    /// by one of the two, both of which are kept.
    pub fn rotate_wrapping_key(
        &mut self,
        provider: KeyProvider,
        options: &OpenOptions,
    ) -> Result<(), VaultError> {
        let generation = Generation::create(&*self.randomness)?;
        self.announce(KeyRecord::kept_by(provider, &generation))?;
        self.has_discarded = false;
        let mut held = self.held_mut();
        let store_id = held.header.store_id.clone();
        let source = KeySource { dir: &self.dir, store_id: &store_id, options };
        let (record, wrapping_key) =
            source.create(provider, generation).map_err(|error| match error {
                CreateKeyError::Vault(error) => error,
                CreateKeyError::Provider(reason) => VaultError::KeyUnavailable { provider, reason },
            })?;
        let mut header = held.header.clone();
        header.discarded.retain(|discarded| *discarded != record);
        header.discarded.extend(Some(header.key.clone()).filter(KeyRecord::is_kept));
        header.key = record;
        header.made_at = Some(options.now);
        let header = header.wrap(&held.entries(&held.keys)?, &wrapping_key, &*self.randomness)?;
        header.write(&self.dir)?;
        let report = source.report(&header.key, header.made_at);
        (held.header, held.wrapping_key) = (header, wrapping_key);
        drop(held);
        self.report = report;
        Ok(())
    }

    /// Notes in the header what is to be discarded should the rotation come to nothing.
    fn announce(&self, planned: Option<KeyRecord>) -> Result<(), VaultError> {
        let Some(planned) = planned else { return Ok(()) };
        let mut held = self.held_mut();
        let keys = held.keys.clone();
        let change = |header: &mut Header| header.discarded.push(planned);
        held.write(keys, change, &self.dir, &*self.randomness)
    }

    /// Gives an owner, or all of them, another data key; [`Self::upkeep`] does the rest.
    pub fn rotate_data_keys(&mut self, owner: Option<&str>, now: u64) -> Result<(), VaultError> {
        let mut keys = self.held().keys.clone();
        let (owners, in_use) = (keys.owners(), keys.in_use());
        for owner in owners.iter().filter(|known| owner.is_none_or(|owner| owner == known.as_str()))
        {
            keys.add(owner, now, &*self.randomness)?;
        }
        self.write_keys(keys)?;
        self.held_mut().keys.close_where(|owner| !in_use.contains(owner));
        self.sealed_anew_to = FIRST_ROW;
        Ok(())
    }

    /// Forgets an owner's data keys, so that nothing opens any more what is the owner's, and then removes that.
    pub fn destroy(&mut self, owner: &str) -> Result<(), VaultError> {
        while self.is_sealing_anew() {
            self.seal_some_anew()?;
        }
        let mut keys = self.held().keys.clone();
        let ids = keys.ids_of(owner);
        keys.remove(&ids);
        self.write_keys(keys)?;
        let mut from = Some(FIRST_ROW);
        while let Some(row) = from.take() {
            let Batch { stored, next } = self.database.read_some(row, |id| ids.contains(&id))?;
            if !stored.is_empty() {
                self.database.save(stored.into_iter().map(|(row, _)| (row, None)).collect())?;
            }
            from = next;
        }
        self.database.rebuild()
    }

    /// True while old data keys are kept beside those that took their place.
    pub fn is_sealing_anew(&self) -> bool {
        !self.held().keys.replaced().is_empty()
    }

    /// Does a piece of what a rotation left to do, one that nobody waits long for. To be called again while there is more,
    /// and after an opening.
    pub fn upkeep(&mut self, options: &OpenOptions) -> Result<Upkeep, VaultError> {
        if !self.has_discarded {
            self.has_discarded = true;
            self.discard_old_keys(options)?;
        }
        match self.is_sealing_anew() {
            true => self.seal_some_anew(),
            false => Ok(Upkeep::Done),
        }
    }

    fn discard_old_keys(&mut self, options: &OpenOptions) -> Result<(), VaultError> {
        let mut held = self.held_mut();
        if held.header.discarded.is_empty() {
            return Ok(());
        }
        // A header whose writing failed may be on the disk all the same, and name one of these as its key: no more after this.
        let keys = held.keys.clone();
        held.write(keys.clone(), |_| {}, &self.dir, &*self.randomness)?;
        let store_id = held.header.store_id.clone();
        let source = KeySource { dir: &self.dir, store_id: &store_id, options };
        let current = held.header.key.clone();
        let is_left = |record: &KeyRecord| {
            *record != current && source.discard(record).is_err_and(|reason| {
                let provider = record.provider();
                tracing::warn!(%provider, %reason, "a key that is of no use any more stays there");
                true
            })
        };
        let left: Vec<_> = held.header.discarded.iter().filter(|it| is_left(it)).cloned().collect();
        held.write(keys, |header| header.discarded = left, &self.dir, &*self.randomness)
    }

    fn seal_some_anew(&mut self) -> Result<Upkeep, VaultError> {
        let old = self.held().keys.replaced();
        let Batch { stored, next } =
            self.database.read_some(self.sealed_anew_to, |id| old.contains(&id))?;
        let changes = self.seal_anew(stored)?;
        if !changes.is_empty() {
            self.database.save(changes)?;
        }
        match next {
            Some(next) => {
                self.sealed_anew_to = next;
                Ok(Upkeep::More)
            }
            None => self.forget_old_keys(&old),
        }
    }

    /// The records out of their old rows, and in new ones under the keys that seal.
    fn seal_anew(&self, stored: Vec<(Row, Vec<u8>)>) -> Result<Vec<SealedChange>, VaultError> {
        let mut changes = Vec::with_capacity(2 * stored.len());
        let mut keys = BorrowedKeys::of(self);
        for (row, stored) in stored {
            let mut buffer = Zeroizing::new(Vec::with_capacity(stored.len()));
            let key = key_id(&stored).and_then(|id| keys.find(id));
            changes.push((row, None));
            let Some(Ok(record)) =
                key.as_ref().map(|key| key.records.open(&row, &stored, &mut buffer))
            else {
                tracing::warn!("a record that was altered outside valetkey is not carried over");
                continue;
            };
            self.make_keys(std::iter::once(record.partition))?;
            let sealing = self.held().keys.sealing(record.partition);
            if let Some(key) = sealing.and_then(|id| keys.find(id)) {
                let names = (record.partition, record.key);
                let row = key.records.row(names.0, names.1);
                let salt = random(&*self.randomness)?;
                changes.push((row, Some(key.records.seal(&row, names, record.value, &salt)?)));
            }
        }
        Ok(changes)
    }

    /// All that they have sealed is sealed anew.
    fn forget_old_keys(&mut self, old: &BTreeSet<u32>) -> Result<Upkeep, VaultError> {
        self.database.rebuild()?;
        let mut keys = self.held().keys.clone();
        keys.remove(old);
        self.write_keys(keys)?;
        self.sealed_anew_to = FIRST_ROW;
        Ok(Upkeep::Done)
    }
}
