//! What one owner has of one kind, each once, in an order. One account at hundreds of tenants is found as fast as one at two.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, Hash};
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use valetkey_model::UnixTime;

/// Up to this many a scan is faster than any index, and much smaller; nearly everyone has fewer.
const FEW: usize = 16;

/// What is kept in a list.
pub(crate) trait Listed {
    /// Newest first, for which a later one comes in front of those that are as new; otherwise in the order of their coming, in
    /// which a later one takes the place of the one that it replaces.
    const NEWEST_FIRST: bool;

    fn written_at(&self) -> UnixTime {
        UnixTime::default()
    }

    /// True when both are one and the same for the same owner: the later one replaces the earlier one.
    fn is_same(&self, other: &Self) -> bool;

    /// Equal for what is the same.
    fn identity(&self) -> impl Hash;
}

pub(crate) enum List<T> {
    Few(Vec<Arc<T>>),
    Many(Box<Index<T>>),
}

/// The order: by time if that counts, and by how many came before.
type Place = (Reverse<UnixTime>, i64);

pub(crate) struct Index<T> {
    hasher: DefaultHashBuilder,
    by_place: BTreeMap<Place, Arc<T>>,
    /// With the hash of the identity that is at the place.
    by_identity: HashTable<(u64, Place)>,
    came: i64,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<T> List<T> {
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<T>> {
        let (few, many) = match self {
            Self::Few(list) => (list.as_slice(), None),
            Self::Many(index) => (&[][..], Some(index.by_place.values())),
        };
        few.iter().chain(many.into_iter().flatten())
    }

    pub(crate) fn last(&self) -> Option<&Arc<T>> {
        self.iter().next_back()
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(index) => index.by_place.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: Listed> List<T> {
    /// The one that is the same.
    pub(crate) fn find(&self, item: &T) -> Option<&Arc<T>> {
        match self {
            Self::Few(list) => list.iter().find(|known| known.is_same(item)),
            Self::Many(index) => index.find(item).map(|place| &index.by_place[&place]),
        }
    }

    /// Adds one; the same one that it replaces.
    pub(crate) fn put(&mut self, item: &Arc<T>) -> Option<Arc<T>> {
        match self {
            Self::Few(list) => {
                let known = list.iter().position(|known| known.is_same(item));
                if let Some(known) = known.filter(|_| !T::NEWEST_FIRST) {
                    return Some(std::mem::replace(&mut list[known], Arc::clone(item)));
                }
                let replaced = known.map(|known| list.remove(known));
                let newer = |known: &Arc<T>| known.written_at() > item.written_at();
                let place = if T::NEWEST_FIRST { list.partition_point(newer) } else { list.len() };
                list.insert(place, Arc::clone(item));
                if list.len() > FEW {
                    *self = Self::Many(Box::new(Index::of(list)));
                }
                replaced
            }
            Self::Many(index) => index.put(item),
        }
    }

    /// Removes the one that is the same.
    pub(crate) fn remove(&mut self, item: &T) -> Option<Arc<T>> {
        match self {
            Self::Few(list) => {
                let known = list.iter().position(|known| known.is_same(item));
                known.map(|known| list.remove(known))
            }
            Self::Many(index) => index.remove(item).map(|(_, removed)| removed),
        }
    }
}

impl<T: Listed> Index<T> {
    fn of(list: &[Arc<T>]) -> Self {
        let mut index = Self {
            hasher: DefaultHashBuilder::default(),
            by_place: BTreeMap::new(),
            by_identity: HashTable::new(),
            came: 0,
        };
        // As they would have come.
        match T::NEWEST_FIRST {
            true => list.iter().rev().for_each(|item| drop(index.put(item))),
            false => list.iter().for_each(|item| drop(index.put(item))),
        }
        index
    }

    fn put(&mut self, item: &Arc<T>) -> Option<Arc<T>> {
        let replaced = self.remove(item);
        self.came += 1;
        let place = match &replaced {
            _ if T::NEWEST_FIRST => (Reverse(item.written_at()), -self.came),
            Some((place, _)) => *place,
            None => (Reverse(UnixTime::default()), self.came),
        };
        let hash = self.hasher.hash_one(item.identity());
        self.by_identity.insert_unique(hash, (hash, place), |(hash, _)| *hash);
        self.by_place.insert(place, Arc::clone(item));
        replaced.map(|(_, replaced)| replaced)
    }

    fn find(&self, item: &T) -> Option<Place> {
        let hash = self.hasher.hash_one(item.identity());
        let is_it =
            |(other, place): &(u64, Place)| *other == hash && self.by_place[place].is_same(item);
        self.by_identity.find(hash, is_it).map(|(_, place)| *place)
    }

    fn remove(&mut self, item: &T) -> Option<(Place, Arc<T>)> {
        let place = self.find(item)?;
        let hash = self.hasher.hash_one(item.identity());
        if let Ok(found) = self.by_identity.find_entry(hash, |(_, other)| *other == place) {
            found.remove();
        }
        self.by_place.remove_entry(&place)
    }
}

#[cfg(test)]
mod tests;
