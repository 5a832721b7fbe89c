//! The index of access tokens: buckets of equal owner, client, tenant, extension and bound key, by hash; inside a bucket
//! by scopes; over all of them by expiry and by owner.

mod bucket;

use std::collections::BTreeSet;
use std::sync::Arc;

use hashbrown::{DefaultHashBuilder, HashTable};
use slab::Slab;
use valetkey_model::UnixTime;

use crate::identity::Owner;
use crate::{AccessToken, AccessTokenQuery};
use bucket::Bucket;

/// Where a token is; stays the same until it is removed.
type Slot = usize;

#[derive(Default)]
pub(crate) struct AccessTokens {
    hasher: DefaultHashBuilder,
    tokens: Slab<Arc<AccessToken>>,
    buckets: HashTable<Bucket>,
    by_expiry: BTreeSet<(UnixTime, Slot)>,
    by_owner: BTreeSet<(u64, Slot)>,
}

impl AccessTokens {
    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<AccessToken>> {
        self.tokens.iter().map(|(_, token)| token)
    }

    /// Adds the token; the one of the same identity that it replaces.
    pub(crate) fn insert(&mut self, token: Arc<AccessToken>) -> Option<Arc<AccessToken>> {
        let replaced = self.remove(&token);
        let hash = AccessTokenQuery::of(&token).bucket_hash(&self.hasher);
        let slot = self.tokens.insert(token);
        let (tokens, token) = (&self.tokens, &self.tokens[slot]);
        self.by_expiry.insert((token.expires_on, slot));
        self.by_owner.insert((owner_of(token).hash(&self.hasher), slot));
        self.buckets
            .entry(hash, |bucket| bucket.is_of(tokens, &AccessTokenQuery::of(token)), Bucket::hash)
            .and_modify(|bucket| bucket.insert(tokens, &self.hasher, slot))
            .or_insert_with(|| Bucket::new(hash, slot));
        replaced
    }

    /// Removes the token of the same identity.
    pub(crate) fn remove(&mut self, token: &AccessToken) -> Option<Arc<AccessToken>> {
        let query = AccessTokenQuery::of(token);
        let (tokens, hasher) = (&self.tokens, &self.hasher);
        let hash = query.bucket_hash(hasher);
        let mut found =
            self.buckets.find_entry(hash, |bucket| bucket.is_of(tokens, &query)).ok()?;
        let slot = found.get().find_exact(tokens, hasher, query.scopes)?;
        found.get_mut().remove(tokens, hasher, slot);
        if found.get().is_empty() {
            found.remove();
        }
        let removed = self.tokens.remove(slot);
        self.by_expiry.remove(&(removed.expires_on, slot));
        self.by_owner.remove(&(owner_of(&removed).hash(&self.hasher), slot));
        Some(removed)
    }

    /// The token of the same identity.
    pub(crate) fn get(&self, token: &AccessToken) -> Option<&Arc<AccessToken>> {
        let query = AccessTokenQuery::of(token);
        let (tokens, hasher) = (&self.tokens, &self.hasher);
        let hash = query.bucket_hash(hasher);
        let bucket = self.buckets.find(hash, |bucket| bucket.is_of(tokens, &query))?;
        bucket.find_exact(tokens, hasher, query.scopes).map(|slot| &tokens[slot])
    }

    /// See [`crate::TokenCache::find_access_token`].
    pub(crate) fn find(
        &self,
        query: &AccessTokenQuery<'_>,
        now: UnixTime,
        min_remaining_seconds: i64,
        will_do: impl Fn(&AccessToken) -> bool,
    ) -> Option<&Arc<AccessToken>> {
        let (tokens, hasher) = (&self.tokens, &self.hasher);
        let hash = query.bucket_hash(hasher);
        let bucket = self.buckets.find(hash, |bucket| bucket.is_of(tokens, query))?;
        let is_live =
            |slot: Slot| tokens[slot].expires_on.seconds_since(now) >= min_remaining_seconds;
        bucket
            .find_exact(tokens, hasher, query.scopes)
            .filter(|slot| is_live(*slot) && will_do(&tokens[*slot]))
            .or_else(|| bucket.find_superset(tokens, query.scopes, is_live, will_do))
            .map(|slot| &tokens[slot])
    }

    /// All tokens of an owner.
    pub(crate) fn of_owner(&self, owner: Owner<'_>) -> impl Iterator<Item = &Arc<AccessToken>> {
        let hash = owner.hash(&self.hasher);
        self.by_owner
            .range((hash, Slot::MIN)..=(hash, Slot::MAX))
            .map(|(_, slot)| &self.tokens[*slot])
            .filter(move |token| owner_of(token).is(&owner))
    }

    /// Tokens that ended before `now`, the oldest first.
    pub(crate) fn expired(&self, now: UnixTime) -> impl Iterator<Item = &Arc<AccessToken>> {
        self.by_expiry.range(..(now, Slot::MIN)).map(|(_, slot)| &self.tokens[*slot])
    }
}

fn owner_of(token: &AccessToken) -> Owner<'_> {
    Owner::new(&token.environment, token.home_account_id.as_ref(), token.client_id.as_ref())
}
