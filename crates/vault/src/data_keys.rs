//! The data keys of a store: who owns which, and which of them seals.
//!
//! Each owner has a data key of its own, made with the owner's first save, so that what is one owner's can be destroyed or sealed
//! anew without the others'. A partition's owner is its name up to the first `/`: `uid:1000` owns `uid:1000/app:…` too. Of
//! several keys of one owner the last one seals; the others open what it has not sealed anew yet.
//!
//! Beside them a store has one key that seals nothing: it shows which database is the store's, and makes marks. Marks are part of
//! the names of partitions, so that this key stays for as long as the store does.
//!
//! Format 1 had one data key for all. It opens what it sealed, whoever owns that, until all of it is sealed anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::locked::Key;
use crate::options::{Randomness, RandomnessUnavailable, random};
use crate::record::RecordKeys;
use crate::seal::keyed_hash;

/// The id of the one data key of format 1.
pub(crate) const FORMAT_1_ID: u32 = 0;

/// The id of the key that makes proof and marks.
const STORE_ID: u32 = 1;

/// Whose key it is, of the two keys that are no owner's.
const NOBODY: &str = "";

/// The keys of one store. A copy is cheap, and shares them.
#[derive(Clone)]
pub(crate) struct DataKeys {
    store: Arc<Key>,
    /// Of several of one owner, the last one seals.
    keys: Vec<Arc<DataKey>>,
}

/// A key that seals, or has sealed, the records of one owner.
pub(crate) struct DataKey {
    pub(crate) id: u32,
    owner: String,
    /// When it was made, in Unix seconds; 0 where that is not known.
    made_at: u64,
    key: Key,
    pub(crate) records: RecordKeys,
}

/// The owner of a partition.
pub(crate) fn owner_of(partition: &str) -> &str {
    partition.split_once('/').map_or(partition, |(owner, _)| owner)
}

impl DataKeys {
    /// Those of a new store, which nobody owns anything in.
    pub(crate) fn create(randomness: &dyn Randomness) -> Result<Self, RandomnessUnavailable> {
        Ok(Self { store: Arc::new(Zeroizing::new(random(randomness)?).into()), keys: Vec::new() })
    }

    /// Those of a store of format 1, whose one data key made proof and marks as well.
    pub(crate) fn of_format_1(key: Key) -> Self {
        let store = Arc::new(RecordKeys::index_key(&key));
        Self { store, keys: vec![Arc::new(DataKey::new(FORMAT_1_ID, NOBODY.into(), 0, key))] }
    }

    /// Those of the entries of a header; `None` unless they are what [`Self::entries`] gave.
    pub(crate) fn from_entries<'a>(entries: impl Iterator<Item = (u32, &'a [u8])>) -> Option<Self> {
        let mut store = None;
        let mut keys = Vec::new();
        for (id, content) in entries {
            let (key, rest) = content.split_first_chunk::<32>()?;
            let (made_at, owner) = rest.split_first_chunk::<8>()?;
            let key = Key::from(Zeroizing::new(*key));
            let owner = str::from_utf8(owner).ok()?.to_owned();
            match id {
                STORE_ID => store = Some(Arc::new(key)),
                id => {
                    keys.push(Arc::new(DataKey::new(id, owner, u64::from_le_bytes(*made_at), key)));
                }
            }
        }
        Some(Self { store: store?, keys })
    }

    /// What a header keeps of them, by their ids.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u32, Zeroizing<Vec<u8>>)> {
        let of_store = std::iter::once((STORE_ID, encode(&self.store, 0, NOBODY)));
        let of_owners =
            self.keys.iter().map(|key| (key.id, encode(&key.key, key.made_at, &key.owner)));
        of_store.chain(of_owners)
    }

    /// What a database of this store says of itself; tells nothing about the keys.
    pub(crate) fn proof(&self) -> Zeroizing<[u8; 32]> {
        keyed_hash(&self.store, &[b"proof"])
    }

    /// Tells whether two texts are the same, to nobody but who has these keys.
    pub(crate) fn mark(&self, text: &[u8]) -> Zeroizing<[u8; 32]> {
        keyed_hash(&self.store, &[b"mark", text])
    }

    /// The keys that open a partition, the one that seals it, if there is one yet, last.
    pub(crate) fn opening(&self, partition: &str) -> Vec<Arc<DataKey>> {
        let owner = owner_of(partition);
        let opens = |key: &&Arc<DataKey>| key.id == FORMAT_1_ID || key.owner == owner;
        self.keys.iter().filter(opens).cloned().collect()
    }

    /// The key that seals a partition; `None` before its owner's first save.
    pub(crate) fn sealing(&self, partition: &str) -> Option<&Arc<DataKey>> {
        let owner = owner_of(partition);
        self.keys.iter().rfind(|key| key.id != FORMAT_1_ID && key.owner == owner)
    }

    pub(crate) fn find(&self, id: u32) -> Option<&Arc<DataKey>> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// A key that seals, from now on, what this owner saves.
    pub(crate) fn add(
        &mut self,
        owner: &str,
        now: u64,
        randomness: &dyn Randomness,
    ) -> Result<(), RandomnessUnavailable> {
        let id = self.free_id(randomness)?;
        let key = Zeroizing::new(random(randomness)?).into();
        self.keys.push(Arc::new(DataKey::new(id, owner.to_owned(), now, key)));
        Ok(())
    }

    /// At random, so that what an older key of any owner has sealed is never taken for a newer one's.
    fn free_id(&self, randomness: &dyn Randomness) -> Result<u32, RandomnessUnavailable> {
        loop {
            let id = u32::from_le_bytes(random(randomness)?);
            if id > STORE_ID && self.find(id).is_none() {
                return Ok(id);
            }
        }
    }

    /// Forgets the keys with these ids.
    pub(crate) fn remove(&mut self, ids: &BTreeSet<u32>) {
        self.keys.retain(|key| !ids.contains(&key.id));
    }

    /// The ids of the keys that open and do not seal any more.
    pub(crate) fn replaced(&self) -> BTreeSet<u32> {
        let seals = |key: &DataKey| self.sealing(&key.owner).is_some_and(|last| last.id == key.id);
        self.keys.iter().filter(|key| !seals(key)).map(|key| key.id).collect()
    }

    /// The ids of all keys of an owner.
    pub(crate) fn ids_of(&self, owner: &str) -> BTreeSet<u32> {
        let owned = self.keys.iter().filter(|key| key.id != FORMAT_1_ID && key.owner == owner);
        owned.map(|key| key.id).collect()
    }

    /// Whoever has a key.
    pub(crate) fn owners(&self) -> BTreeSet<String> {
        let owned = self.keys.iter().filter(|key| key.id != FORMAT_1_ID);
        owned.map(|key| key.owner.clone()).collect()
    }

    /// When the oldest key that opens anything was made; `None` if one does not tell, or there is none.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.keys.iter().map(|key| key.made_at).min().filter(|made_at| *made_at > 0)
    }
}

impl DataKey {
    fn new(id: u32, owner: String, made_at: u64, key: Key) -> Self {
        let records = RecordKeys::derive(id, &key);
        Self { id, owner, made_at, key, records }
    }
}

fn encode(key: &Key, made_at: u64, owner: &str) -> Zeroizing<Vec<u8>> {
    // The final capacity from the start: growth would leave a copy of the key behind.
    let mut content = Zeroizing::new(Vec::with_capacity(32 + 8 + owner.len()));
    content.extend_from_slice(key.as_slice());
    content.extend_from_slice(&made_at.to_le_bytes());
    content.extend_from_slice(owner.as_bytes());
    content
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::SystemRandomness;

    fn keys_of(owners: &[&str]) -> DataKeys {
        let mut keys = DataKeys::create(&SystemRandomness).unwrap();
        for (number, owner) in owners.iter().enumerate() {
            keys.add(owner, 100 + number as u64, &SystemRandomness).unwrap();
        }
        keys
    }

    #[test]
    fn an_owner_has_the_partition_of_its_name_and_those_below() {
        for (partition, owner) in
            [("uid:1", "uid:1"), ("uid:1/app:a/b", "uid:1"), ("secrets", "secrets"), ("", "")]
        {
            assert_eq!(owner_of(partition), owner);
        }
    }

    #[test]
    fn the_last_key_of_an_owner_seals_and_all_of_them_open() {
        let keys = keys_of(&["uid:1", "uid:2", "uid:1"]);
        let opening: Vec<u32> = keys.opening("uid:1/app:a").iter().map(|key| key.id).collect();
        assert_eq!(opening.len(), 2);
        assert_eq!(keys.sealing("uid:1").map(|key| key.id), opening.last().copied());
        assert_eq!(keys.replaced(), BTreeSet::from([opening[0]]));
        assert!(keys.sealing("uid:3").is_none() && keys.opening("uid:3").is_empty());
    }

    #[test]
    fn what_a_header_keeps_of_keys_brings_them_back() {
        let keys = keys_of(&["uid:1", "secrets"]);
        let entries: Vec<_> = keys.entries().collect();
        let again =
            DataKeys::from_entries(entries.iter().map(|(id, content)| (*id, content.as_slice())))
                .unwrap();
        assert_eq!(again.proof(), keys.proof());
        assert_eq!(again.oldest(), Some(100));
        let ids = |keys: &DataKeys| keys.entries().map(|(id, _)| id).collect::<Vec<_>>();
        assert_eq!(ids(&again), ids(&keys));
        assert!(DataKeys::from_entries([(9, [0; 39].as_slice())].into_iter()).is_none());
        assert!(DataKeys::from_entries([(9, [0; 40].as_slice())].into_iter()).is_none());
    }

    #[test]
    fn the_key_of_format_1_opens_everybodys_and_seals_nobodys() {
        let mut keys = DataKeys::of_format_1(Zeroizing::new([7; 32]).into());
        assert_eq!(keys.opening("uid:1").len(), 1);
        assert!(keys.sealing("uid:1").is_none() && keys.sealing("").is_none());
        assert_eq!(keys.replaced(), BTreeSet::from([FORMAT_1_ID]));
        assert_eq!(keys.oldest(), None);
        keys.add("uid:1", 100, &SystemRandomness).unwrap();
        assert_eq!(keys.opening("uid:1").len(), 2);
        assert_eq!(keys.replaced(), BTreeSet::from([FORMAT_1_ID]));
    }
}
