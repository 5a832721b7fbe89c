//! Locking the store without losing what a provider has just issued.
//!
//! Whoever may bring something to save holds a [`Lease`], from before the provider is asked until the outcome is saved.
//! Locking waits for all leases, and none begins meanwhile: a refresh token that was rotated in the moment of the lock would
//! otherwise be nowhere. Each user of the machine has leases apart: who locks what is theirs waits for nobody else, and
//! keeps nobody else waiting.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{MutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock as AsyncRwLock};
use valetkey_model::Partition;

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

/// The locks behind the leases, by whose they are.
#[derive(Default)]
pub(crate) struct Leases(Mutex<HashMap<Partition, Arc<AsyncRwLock<()>>>>);

impl Leases {
    fn of(&self, owner: Partition) -> Arc<AsyncRwLock<()>> {
        let mut leases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if leases.len() >= MANY {
            // Nobody holds or waits for one that only the map owns.
            leases.retain(|_, lease| Arc::strong_count(lease) > 1);
        }
        Arc::clone(leases.entry(owner).or_default())
    }
}

/// The users who have locked what is theirs, and nobody else's.
#[derive(Default)]
pub(crate) struct LockedUsers(Mutex<HashSet<Partition>>);

impl LockedUsers {
    fn add(&self, owner: &Partition) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(owner.clone());
    }

    pub(crate) fn has(&self, owner: &Partition) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(owner)
    }
}

/// Nothing of some users is under way and everything is saved; nothing of theirs begins while this is held.
pub struct Quiet<'a> {
    engine: &'a Engine,
    /// Whose; of all when nobody is named.
    owner: Option<Partition>,
    _leases: Vec<OwnedRwLockWriteGuard<()>>,
    /// No cache may come back into memory behind the lock.
    _loading: MutexGuard<'a, ()>,
}

impl Engine {
    /// A lease, as soon as nobody is locking what is the user's.
    ///
    /// # Errors
    /// When it was locked meanwhile, so that the plans of this user are out of date.
    pub(crate) async fn lease(&self, user: &User) -> Result<Lease, Error> {
        let lease = Lease(self.leases.of(user.partition().owner()).read_owned().await);
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
        self.in_time(async {
            // No user can come into memory behind this, so that these are all.
            let loading = self.loading.lock().await;
            let owners: HashSet<_> =
                self.loaded_users().iter().map(|user| user.partition().owner()).collect();
            let mut leases = Vec::new();
            for owner in owners {
                leases.push(self.leases.of(owner).write_owned().await);
            }
            self.save(None).await?;
            Ok(Quiet { engine: self, owner: None, _leases: leases, _loading: loading })
        })
        .await
    }

    /// As [`Self::quiet_down`], for one user of the machine.
    ///
    /// # Errors
    /// As [`Self::quiet_down`].
    pub async fn quiet_down_for(&self, user: &Partition) -> Result<Quiet<'_>, Error> {
        let owner = user.owner();
        self.in_time(async {
            // In this order: others load theirs while this user's providers take their time.
            let lease = self.leases.of(owner.clone()).write_owned().await;
            let loading = self.loading.lock().await;
            self.save(Some(&owner)).await?;
            let owner = Some(owner.clone());
            Ok(Quiet { engine: self, owner, _leases: vec![lease], _loading: loading })
        })
        .await
    }

    async fn in_time<'a>(
        &'a self,
        quieting: impl Future<Output = Result<Quiet<'a>, Error>>,
    ) -> Result<Quiet<'a>, Error> {
        tokio::select! {
            biased;
            quiet = quieting => quiet,
            () = self.ports.clock.sleep(LOCK_PATIENCE) => {
                Err(Error::Busy("a provider is being asked for tokens, which must be saved first"))
            }
        }
    }

    async fn save(&self, owner: Option<&Partition>) -> Result<(), Error> {
        for user in self.loaded_users() {
            if owner.is_none_or(|owner| user.partition().owner() == *owner) {
                user.save_unsaved().await?;
            }
        }
        Ok(())
    }

    /// Whether this user has locked what is theirs.
    pub fn is_locked_by(&self, user: &Partition) -> bool {
        self.locked_users.has(&user.owner())
    }

    /// # Errors
    /// When this user has.
    pub fn check_unlocked(&self, user: &Partition) -> Result<(), StoreError> {
        match self.is_locked_by(user) {
            true => {
                let text = "its user locked it; `valetkey unlock` opens it";
                Err(StoreError::Locked(text.to_owned()))
            }
            false => Ok(()),
        }
    }

    /// Ends what [`Quiet::lock_user`] began.
    pub fn unlock_user(&self, user: &Partition) {
        let mut locked = self.locked_users.0.lock().unwrap_or_else(PoisonError::into_inner);
        locked.remove(&user.owner());
    }
}

impl Quiet<'_> {
    /// Forgets what is in memory, and ends the sign-ins that are open. The store keeps the rest, behind its key.
    pub fn forget_users(self) {
        let is_meant =
            |partition: &Partition| self.owner.as_ref().is_none_or(|it| partition.owner() == *it);
        let mut users = self.engine.users.write().unwrap_or_else(PoisonError::into_inner);
        for (_, user) in users.extract_if(|partition, _| is_meant(partition)) {
            user.forget();
        }
    }

    /// The same, and nothing of the user's comes back into memory before it is unlocked: what opens it in the store leaves
    /// memory as well. What is everybody's stays open.
    pub async fn lock_user(self) {
        let (engine, Some(owner)) = (self.engine, self.owner.clone()) else { return };
        engine.locked_users.add(&owner);
        self.forget_users();
        engine.close_store(&owner).await;
    }
}

/// Users, before those are forgotten who have nothing under way.
const MANY: usize = 256;
