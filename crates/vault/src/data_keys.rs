//! The data keys of a store: who owns which, and which of them seals.
//!
//! Each owner has a data key of its own, made with the owner's first save, so that what is one owner's can be destroyed or sealed
//! anew without the others'. A partition's owner is its name up to the first `/`: `uid:1000` owns `uid:1000/app:…` too. Of
//! several keys of one owner the last one seals; the others open what it has not sealed anew yet.
//!
//! An owner's keys are in memory from their first use until [`DataKeys::close`]. Of those that are not, it is known whose they are;
//! the header has the rest, under the wrapping key.
//!
//! Beside them a store has one key that seals nothing: it shows which database is the store's, and makes marks. Marks are part of
//! the names of partitions, so that this key stays for as long as the store does.
//!
//! Format 1 had one data key for all. It opens what it sealed, whoever owns that, until all of it is sealed anew.

use std::collections::{BTreeMap, BTreeSet};
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
    keys: Vec<Listed>,
}

/// What a header keeps of a key, by its id.
pub(crate) type KeyEntry = (u32, Zeroizing<Vec<u8>>);

/// What is known of a key that seals, or has sealed, the records of one owner.
#[derive(Clone)]
struct Listed {
    id: u32,
    owner: Arc<str>,
    /// When it was made, in Unix seconds; 0 where that is not known.
    made_at: u64,
    /// The key itself, while it is in use.
    open: Option<Arc<DataKey>>,
}

/// A key in use.
pub(crate) struct DataKey {
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
        let open = Some(Arc::new(DataKey::new(FORMAT_1_ID, key)));
        Self {
            store,
            keys: vec![Listed { id: FORMAT_1_ID, owner: NOBODY.into(), made_at: 0, open }],
        }
    }

    /// Those of the entries of a header, none of which is in use yet; `None` unless they are what [`Self::entries`] gave.
    pub(crate) fn from_entries<'a>(entries: impl Iterator<Item = (u32, &'a [u8])>) -> Option<Self> {
        let mut store = None;
        let mut keys = Vec::new();
        for (id, content) in entries {
            let (key, rest) = content.split_first_chunk::<32>()?;
            let (made_at, owner) = rest.split_first_chunk::<8>()?;
            let (made_at, owner) =
                (u64::from_le_bytes(*made_at), str::from_utf8(owner).ok()?.into());
            match id {
                STORE_ID => store = Some(Arc::new(Zeroizing::new(*key).into())),
                id => keys.push(Listed { id, owner, made_at, open: None }),
            }
        }
        Some(Self { store: store?, keys })
    }

    /// What a header keeps of them, by their ids; of keys that are not in use it is `kept` already.
    pub(crate) fn entries(
        &self,
        kept: impl Fn(u32) -> Option<Zeroizing<Vec<u8>>>,
    ) -> Option<Vec<KeyEntry>> {
        let of_store = Some((STORE_ID, encode(&self.store, 0, NOBODY)));
        let of_owners = self.keys.iter().map(|listed| {
            let content = match &listed.open {
                Some(open) => encode(&open.key, listed.made_at, &listed.owner),
                None => kept(listed.id)?,
            };
            Some((listed.id, content))
        });
        std::iter::once(of_store).chain(of_owners).collect()
    }

    /// What a database of this store says of itself; tells nothing about the keys.
    pub(crate) fn proof(&self) -> Zeroizing<[u8; 32]> {
        keyed_hash(&self.store, &[b"proof"])
    }

    /// Tells whether two texts are the same, to nobody but who has these keys.
    pub(crate) fn mark(&self, text: &[u8]) -> Zeroizing<[u8; 32]> {
        keyed_hash(&self.store, &[b"mark", text])
    }

    /// The keys that open a partition, the one that seals it, if there is one yet, last. `None` unless all of them are in use.
    pub(crate) fn opening(&self, partition: &str) -> Option<Vec<Arc<DataKey>>> {
        self.ids_opening(partition).map(|listed| listed.open.clone()).collect()
    }

    /// The same, where those that are not in use are fetched. `None` if one cannot be.
    pub(crate) fn open(
        &mut self,
        partition: &str,
        fetch: impl Fn(u32) -> Option<DataKey>,
    ) -> Option<Vec<Arc<DataKey>>> {
        let owner = owner_of(partition);
        for listed in self.keys.iter_mut().filter(|listed| listed.opens(owner)) {
            if listed.open.is_none() {
                listed.open = Some(Arc::new(fetch(listed.id)?));
            }
        }
        self.opening(partition)
    }

    /// Drops the keys of an owner from memory. Whoever uses one just now lets go of it with that.
    pub(crate) fn close(&mut self, owner: &str) {
        self.close_where(|known| known == owner);
    }

    /// Drops the keys of those owners from memory who are meant; the one key of format 1, which is nobody's, stays.
    pub(crate) fn close_where(&mut self, is_meant: impl Fn(&str) -> bool) {
        let owned = self.keys.iter_mut().filter(|listed| listed.id != FORMAT_1_ID);
        owned.filter(|listed| is_meant(&listed.owner)).for_each(|listed| listed.open = None);
    }

    /// The owners whose keys are in memory.
    pub(crate) fn in_use(&self) -> BTreeSet<String> {
        let open = self.keys.iter().filter(|listed| listed.open.is_some());
        open.map(|listed| listed.owner.to_string()).collect()
    }

    /// The id of the key that seals a partition; `None` before its owner's first save.
    pub(crate) fn sealing(&self, partition: &str) -> Option<u32> {
        let owner = owner_of(partition);
        let seals = |listed: &&Listed| listed.id != FORMAT_1_ID && *listed.owner == *owner;
        self.keys.iter().rfind(seals).map(|listed| listed.id)
    }

    /// A key that is in use.
    pub(crate) fn find(&self, id: u32) -> Option<&Arc<DataKey>> {
        self.keys.iter().find(|listed| listed.id == id)?.open.as_ref()
    }

    fn ids_opening<'a>(&'a self, partition: &'a str) -> impl Iterator<Item = &'a Listed> {
        let owner = owner_of(partition);
        self.keys.iter().filter(move |listed| listed.opens(owner))
    }

    /// A key that seals, from now on, what this owner saves.
    pub(crate) fn add(
        &mut self,
        owner: &str,
        now: u64,
        randomness: &dyn Randomness,
    ) -> Result<(), RandomnessUnavailable> {
        let id = self.free_id(randomness)?;
        let key = DataKey::new(id, Zeroizing::new(random(randomness)?).into());
        let open = Some(Arc::new(key));
        self.keys.push(Listed { id, owner: owner.into(), made_at: now, open });
        Ok(())
    }

    /// At random, so that what an older key of any owner has sealed is never taken for a newer one's.
    fn free_id(&self, randomness: &dyn Randomness) -> Result<u32, RandomnessUnavailable> {
        loop {
            let id = u32::from_le_bytes(random(randomness)?);
            if id > STORE_ID && !self.keys.iter().any(|listed| listed.id == id) {
                return Ok(id);
            }
        }
    }

    /// Forgets the keys with these ids.
    pub(crate) fn remove(&mut self, ids: &BTreeSet<u32>) {
        self.keys.retain(|listed| !ids.contains(&listed.id));
    }

    /// The ids of the keys that open and do not seal any more.
    pub(crate) fn replaced(&self) -> BTreeSet<u32> {
        let last: BTreeMap<_, _> = self.owned().map(|listed| (&*listed.owner, listed.id)).collect();
        let seals = |listed: &&Listed| last.get(&*listed.owner) != Some(&listed.id);
        self.keys.iter().filter(seals).map(|listed| listed.id).collect()
    }

    /// The ids of all keys of an owner.
    pub(crate) fn ids_of(&self, owner: &str) -> BTreeSet<u32> {
        self.owned().filter(|listed| *listed.owner == *owner).map(|listed| listed.id).collect()
    }

    /// Whoever has a key.
    pub(crate) fn owners(&self) -> BTreeSet<String> {
        self.owned().map(|listed| listed.owner.to_string()).collect()
    }

    fn owned(&self) -> impl Iterator<Item = &Listed> {
        self.keys.iter().filter(|listed| listed.id != FORMAT_1_ID)
    }

    /// When the oldest key that opens anything was made; `None` if one does not tell, or there is none.
    pub(crate) fn oldest(&self) -> Option<u64> {
        self.keys.iter().map(|listed| listed.made_at).min().filter(|made_at| *made_at > 0)
    }
}

impl Listed {
    fn opens(&self, owner: &str) -> bool {
        self.id == FORMAT_1_ID || *self.owner == *owner
    }
}

impl DataKey {
    fn new(id: u32, key: Key) -> Self {
        let records = RecordKeys::derive(id, &key);
        Self { key, records }
    }

    /// The key of what a header keeps of it.
    pub(crate) fn from_entry(id: u32, content: &[u8]) -> Option<Self> {
        Some(Self::new(id, Key::from_slice(content.get(..32)?)?))
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
        let opening: Vec<u32> = keys.ids_opening("uid:1/app:a").map(|key| key.id).collect();
        assert_eq!(opening.len(), 2);
        assert_eq!(keys.sealing("uid:1"), opening.last().copied());
        assert_eq!(keys.replaced(), BTreeSet::from([opening[0]]));
        assert!(keys.sealing("uid:3").is_none());
        assert!(keys.opening("uid:3").unwrap().is_empty());
    }

    #[test]
    fn what_a_header_keeps_of_keys_brings_them_back() {
        let keys = keys_of(&["uid:1", "secrets"]);
        let entries = keys.entries(|_| None).unwrap();
        let again =
            DataKeys::from_entries(entries.iter().map(|(id, content)| (*id, content.as_slice())))
                .unwrap();
        assert_eq!(again.proof(), keys.proof());
        assert_eq!(again.oldest(), Some(100));
        assert!(again.entries(|_| None).is_none(), "none of them is in use");
        let kept = |id| entries.iter().find(|entry| entry.0 == id).map(|entry| entry.1.clone());
        assert_eq!(again.entries(kept).unwrap(), entries);
        assert!(DataKeys::from_entries([(9, [0; 39].as_slice())].into_iter()).is_none());
        assert!(DataKeys::from_entries([(9, [0; 40].as_slice())].into_iter()).is_none());
    }

    #[test]
    fn a_key_is_fetched_for_its_first_use_and_closed_without_the_others() {
        let mut keys = keys_of(&["uid:1", "uid:2", "uid:1"]);
        let entries = keys.entries(|_| None).unwrap();
        keys.close("uid:1");
        assert!(keys.opening("uid:1/app:a").is_none() && keys.opening("uid:2").is_some());
        assert_eq!(keys.in_use(), BTreeSet::from(["uid:2".to_owned()]));
        let fetch = |id| {
            let (_, content) = entries.iter().find(|entry| entry.0 == id)?;
            DataKey::from_entry(id, content)
        };
        assert_eq!(keys.open("uid:1", fetch).unwrap().len(), 2);
        assert_eq!(keys.entries(|_| None).unwrap(), entries);
        keys.close("uid:1");
        assert!(keys.open("uid:1", |_| None).is_none());
    }

    #[test]
    fn the_key_of_format_1_opens_everybodys_and_seals_nobodys() {
        let mut keys = DataKeys::of_format_1(Zeroizing::new([7; 32]).into());
        assert_eq!(keys.opening("uid:1").unwrap().len(), 1);
        assert!(keys.sealing("uid:1").is_none() && keys.sealing("").is_none());
        assert_eq!(keys.replaced(), BTreeSet::from([FORMAT_1_ID]));
        assert_eq!(keys.oldest(), None);
        keys.add("uid:1", 100, &SystemRandomness).unwrap();
        assert_eq!(keys.opening("uid:1").unwrap().len(), 2);
        assert_eq!(keys.replaced(), BTreeSet::from([FORMAT_1_ID]));
    }
}
