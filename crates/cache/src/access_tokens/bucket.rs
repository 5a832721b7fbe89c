//! Access tokens that differ in their scopes alone.

use std::collections::BTreeSet;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use slab::Slab;
use valetkey_model::{ScopeSet, UnixTime};

use super::Slot;
use crate::{AccessToken, AccessTokenQuery};

/// Up to this many a scan is faster than any index, and much smaller; a user rarely has more at one application.
const FEW: usize = 8;

type Tokens = Slab<Arc<AccessToken>>;

/// Never empty, save between the removal of its last token and its own.
pub(super) struct Bucket {
    hash: u64,
    /// Any of the tokens, to compare a query with.
    sample: Slot,
    slots: Slots,
}

enum Slots {
    Few(Vec<Slot>),
    Many(Box<ScopeIndex>),
}

/// For buckets of thousands: one client's tokens for as many resources.
#[derive(Default)]
struct ScopeIndex {
    /// By the whole set.
    exact: HashTable<Slot>,
    /// By each member, ordered by expiry.
    by_scope: HashMap<String, BTreeSet<(UnixTime, Slot)>>,
    by_expiry: BTreeSet<(UnixTime, Slot)>,
}

impl Bucket {
    pub(super) fn new(hash: u64, slot: Slot) -> Self {
        Self { hash, sample: slot, slots: Slots::Few(vec![slot]) }
    }

    pub(super) fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn is_empty(&self) -> bool {
        match &self.slots {
            Slots::Few(slots) => slots.is_empty(),
            Slots::Many(index) => index.by_expiry.is_empty(),
        }
    }

    /// True when the query asks for tokens of this bucket.
    pub(super) fn is_of(&self, tokens: &Tokens, query: &AccessTokenQuery<'_>) -> bool {
        AccessTokenQuery::of(&tokens[self.sample]).is_same_bucket(query)
    }

    pub(super) fn insert(&mut self, tokens: &Tokens, hasher: &DefaultHashBuilder, slot: Slot) {
        match &mut self.slots {
            Slots::Few(slots) if slots.len() < FEW => slots.push(slot),
            Slots::Few(slots) => {
                let mut index = Box::<ScopeIndex>::default();
                for slot in slots.iter().chain([&slot]) {
                    index.insert(tokens, hasher, *slot);
                }
                self.slots = Slots::Many(index);
            }
            Slots::Many(index) => index.insert(tokens, hasher, slot),
        }
    }

    pub(super) fn remove(&mut self, tokens: &Tokens, hasher: &DefaultHashBuilder, slot: Slot) {
        let other = match &mut self.slots {
            Slots::Few(slots) => {
                slots.retain(|candidate| *candidate != slot);
                slots.first().copied()
            }
            Slots::Many(index) => {
                index.remove(tokens, hasher, slot);
                index.by_expiry.first().map(|(_, slot)| *slot)
            }
        };
        if let (true, Some(other)) = (self.sample == slot, other) {
            self.sample = other;
        }
    }

    /// The token of exactly these scopes.
    pub(super) fn find_exact(
        &self,
        tokens: &Tokens,
        hasher: &DefaultHashBuilder,
        scopes: &ScopeSet,
    ) -> Option<Slot> {
        let is_exact = |slot: &Slot| tokens[*slot].scopes.target() == scopes.target();
        match &self.slots {
            Slots::Few(slots) => slots.iter().copied().find(is_exact),
            Slots::Many(index) => {
                index.exact.find(hasher.hash_one(scopes.target()), is_exact).copied()
            }
        }
    }

    /// The longest living of the live tokens that will do and are good for at least these scopes.
    pub(super) fn find_superset(
        &self,
        tokens: &Tokens,
        scopes: &ScopeSet,
        is_live: impl Fn(Slot) -> bool,
        will_do: impl Fn(&AccessToken) -> bool,
    ) -> Option<Slot> {
        let is_superset =
            |slot: &Slot| scopes.is_subset(&tokens[*slot].scopes) && will_do(&tokens[*slot]);
        match &self.slots {
            Slots::Few(slots) => slots
                .iter()
                .copied()
                .filter(|slot| is_live(*slot) && is_superset(slot))
                .max_by_key(|slot| tokens[*slot].expires_on),
            Slots::Many(index) => index
                .with_rarest_of(scopes)?
                .iter()
                .rev()
                .map(|(_, slot)| *slot)
                .take_while(|slot| is_live(*slot))
                .find(is_superset),
        }
    }
}

impl ScopeIndex {
    fn insert(&mut self, tokens: &Tokens, hasher: &DefaultHashBuilder, slot: Slot) {
        let AccessToken { scopes, expires_on, .. } = &*tokens[slot];
        let hash = |slot: &Slot| hasher.hash_one(tokens[*slot].scopes.target());
        self.exact.insert_unique(hash(&slot), slot, hash);
        for scope in scopes.iter() {
            self.by_scope.entry_ref(scope).or_default().insert((*expires_on, slot));
        }
        self.by_expiry.insert((*expires_on, slot));
    }

    fn remove(&mut self, tokens: &Tokens, hasher: &DefaultHashBuilder, slot: Slot) {
        let AccessToken { scopes, expires_on, .. } = &*tokens[slot];
        let hash = hasher.hash_one(scopes.target());
        if let Ok(found) = self.exact.find_entry(hash, |candidate| *candidate == slot) {
            found.remove();
        }
        for scope in scopes.iter() {
            if let Some(list) = self.by_scope.get_mut(scope) {
                list.remove(&(*expires_on, slot));
                if list.is_empty() {
                    self.by_scope.remove(scope);
                }
            }
        }
        self.by_expiry.remove(&(*expires_on, slot));
    }

    /// The tokens that have the requested scope which fewest have; `None` when one of the scopes is in no token.
    fn with_rarest_of(&self, scopes: &ScopeSet) -> Option<&BTreeSet<(UnixTime, Slot)>> {
        let mut rarest = &self.by_expiry;
        for scope in scopes.iter() {
            let list = self.by_scope.get(scope)?;
            if list.len() < rarest.len() {
                rarest = list;
            }
        }
        Some(rarest)
    }
}
