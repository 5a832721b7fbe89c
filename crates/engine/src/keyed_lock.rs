//! One lock for each key that is in use.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Locks by name. A rotating refresh token must not be redeemed twice at once, whatever the two callers want it for: the
/// provider would take the second for a thief and revoke the whole family (RFC 9700 section 4.14.2).
#[derive(Default)]
pub struct KeyedLocks(Mutex<HashMap<String, Arc<AsyncMutex<()>>>>);

impl KeyedLocks {
    /// Waits for the locks of all `keys`. Always in the same order, so that no two who wait can block each other.
    pub async fn lock_all(&self, keys: &BTreeSet<String>) -> Vec<OwnedMutexGuard<()>> {
        let mut guards = Vec::with_capacity(keys.len());
        for key in keys {
            guards.push(self.lock(key.clone()).await);
        }
        guards
    }

    /// Waits for the lock of `key`; released when the guard is dropped.
    pub async fn lock(&self, key: String) -> OwnedMutexGuard<()> {
        let lock = {
            let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody else holds or waits for a lock that only the map owns.
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(locks.entry(key).or_default())
        };
        lock.lock_owned().await
    }
}
