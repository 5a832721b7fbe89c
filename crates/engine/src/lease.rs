//! Locking the store without losing what a provider has just issued.
//!
//! Whoever may bring something to save holds a [`Lease`], from before the provider is asked until the outcome is saved.
//! Locking waits for all leases, and none begins meanwhile: a refresh token that was rotated in the moment of the lock would
//! otherwise be nowhere.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use tokio::sync::{MutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard};

use crate::engine::Engine;
use crate::error::Error;
use crate::ports::StoreError;
use crate::user::User;

/// How long locking waits for what is under way.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);

/// Leave to redeem and to save. Nobody who holds one may wait for another one.
pub(crate) struct Lease(
    #[expect(dead_code, reason = "held, never looked at")] OwnedRwLockReadGuard<()>,
);

/// Nothing is under way and everything is saved; nothing begins while this is held.
pub struct Quiet<'a> {
    engine: &'a Engine,
    _leases: OwnedRwLockWriteGuard<()>,
    /// No cache may come back into memory behind the lock.
    _loading: MutexGuard<'a, ()>,
}

impl Engine {
    /// A lease, as soon as nobody is locking the store.
    ///
    /// # Errors
    /// When it was locked meanwhile, so that the plans of this user are out of date.
    pub(crate) async fn lease(&self, user: &User) -> Result<Lease, Error> {
        let lease = Lease(Arc::clone(&self.leases).read_owned().await);
        match user.is_forgotten() {
            false => Ok(lease),
            true => Err(StoreError::Locked("it was locked meanwhile".to_owned()).into()),
        }
    }

    /// Waits until nothing is under way, and saves what is left to save: what must come before the store is locked.
    ///
    /// # Errors
    /// When a provider takes too long, or the disk takes no change. Everything goes on as before then.
    pub async fn quiet_down(&self) -> Result<Quiet<'_>, Error> {
        tokio::select! {
            biased;
            quiet = self.quiet_down_and_save() => quiet,
            () = self.ports.clock.sleep(LOCK_PATIENCE) => {
                Err(Error::Busy("a provider is being asked for tokens, which must be saved first"))
            }
        }
    }

    async fn quiet_down_and_save(&self) -> Result<Quiet<'_>, Error> {
        let _leases = Arc::clone(&self.leases).write_owned().await;
        let _loading = self.loading.lock().await;
        for user in self.loaded_users() {
            user.save_unsaved().await?;
        }
        Ok(Quiet { engine: self, _leases, _loading })
    }
}

impl Quiet<'_> {
    /// Forgets what is in memory, and ends the sign-ins that are open. The store keeps the rest, behind its key.
    pub fn forget_users(self) {
        let mut users = self.engine.users.write().unwrap_or_else(PoisonError::into_inner);
        for (_, user) in users.drain() {
            user.forget();
        }
    }
}
