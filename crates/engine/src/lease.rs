//! Locking the store without losing what a provider has just issued.
//!
//! Whoever may bring something to save holds a [`Lease`], from before the provider is asked until the outcome is saved.
//! Locking waits for all leases, and none begins meanwhile: a refresh token that was rotated in the moment of the lock would
//! otherwise be nowhere. Each user of the machine has leases apart: who locks what is theirs waits for nobody else, and
//! keeps nobody else waiting.
//!
//! No provider keeps a lock from being done: what takes too long is called off. What redeems a refresh token has the longest,
//! as long as an answer is waited for in any case ([`Patience`]); one that is called off all the same stays noted as
//! presented, so that its next use can tell that an answer was lost ([`Error::AnswerLost`]). Of several who lock at once the
//! least patient calls off for all: a machine that goes to sleep does not wait as long as a person's lock does.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{MutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock, watch};
use valetkey_model::Partition;

use crate::engine::Engine;
use crate::error::Error;
use crate::event::Happening;
use crate::ports::StoreError;
use crate::user::User;

/// How long a lock waits for providers.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For what can be asked for again.
    usual: Duration,
    /// And then for what redeems a refresh token, whose successor may be in the answer.
    redemptions: Duration,
}

impl Patience {
    /// Of somebody who locks, or has gone away: a refresh has as long as its answer is waited for without a lock, where
    /// nothing else is configured.
    pub const USUAL: Self =
        Self { usual: Duration::from_secs(4), redemptions: Duration::from_secs(26) };

    /// Of a machine that goes to sleep in five seconds: an answer that is not here by then never comes.
    pub const BEFORE_SLEEP: Self =
        Self { usual: Duration::from_secs(3), redemptions: Duration::ZERO };
}

/// Leave to redeem and to save. Nobody who holds one may wait for another one.
pub(crate) struct Lease {
    _held: OwnedRwLockReadGuard<()>,
    gate: Arc<Gate>,
    redeems: bool,
}

impl Lease {
    /// The same for what redeems a refresh token.
    pub(crate) fn redeeming(self) -> Self {
        Self { redeems: true, ..self }
    }

    /// What a provider says, unless it takes so long that it is called off for a lock.
    pub(crate) async fn wait_for<T>(
        &self,
        provider: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mut called_off = self.gate.called_off.subscribe();
        let is_ours = |called_off: &CalledOff| match self.redeems {
            true => *called_off == CalledOff::All,
            false => *called_off != CalledOff::Nothing,
        };
        tokio::select! {
            biased;
            said = provider => said,
            _ = called_off.wait_for(is_ours) => {
                Err(StoreError::Locked("it was locked meanwhile".to_owned()).into())
            }
        }
    }
}

/// What a lock does not wait for any more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum CalledOff {
    #[default]
    Nothing,
    AllButRedemptions,
    All,
}

/// Where the leases of one user are given out.
#[derive(Default)]
struct Gate {
    turn: Arc<RwLock<()>>,
    called_off: watch::Sender<CalledOff>,
}

impl Gate {
    fn call_off(&self, what: CalledOff) {
        self.called_off.send_if_modified(|known| {
            let is_more = *known < what;
            *known = what.max(*known);
            is_more
        });
    }
}

/// The gates, by whose they are.
#[derive(Default)]
pub(crate) struct Leases {
    gates: Mutex<HashMap<Partition, Arc<Gate>>>,
    /// Held while gates are being shut: to write by who shuts all of them, and to read by who shuts one. The former lets nobody
    /// load meanwhile, and the latter comes to that last; each would wait for the other.
    shutting: RwLock<()>,
}

impl Leases {
    fn of(&self, owner: Partition) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if gates.len() >= MANY {
            // Nobody holds or waits for one that only the map owns.
            gates.retain(|_, gate| Arc::strong_count(gate) > 1);
        }
        Arc::clone(gates.entry(owner).or_default())
    }

    /// Those that there are, or one user's.
    fn among(&self, owner: Option<&Partition>) -> Vec<Arc<Gate>> {
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        let meant = gates.iter().filter(|(whose, _)| owner.is_none_or(|owner| owner == *whose));
        meant.map(|(_, gate)| Arc::clone(gate)).collect()
    }
}

/// Calls off what keeps a lock, until this is dropped: once the lock has its gates there is nothing left to be called off.
struct Hurry<'a> {
    leases: &'a Leases,
    owner: Option<&'a Partition>,
}

impl Hurry<'_> {
    fn call_off(&self, what: CalledOff) {
        self.leases.among(self.owner).iter().for_each(|gate| gate.call_off(what));
    }
}

impl Drop for Hurry<'_> {
    fn drop(&mut self) {
        for gate in self.leases.among(self.owner) {
            gate.called_off.send_replace(CalledOff::Nothing);
        }
    }
}

/// Gates through which nobody comes. They open when this is dropped.
type Shut = Vec<OwnedRwLockWriteGuard<()>>;

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
    _shut: Shut,
    /// No cache may come back into memory behind the lock.
    _loading: MutexGuard<'a, ()>,
}

impl Engine {
    /// A lease, as soon as nobody is locking what is the user's.
    ///
    /// # Errors
    /// When it was locked meanwhile, so that the plans of this user are out of date.
    pub(crate) async fn lease(&self, user: &User) -> Result<Lease, Error> {
        let gate = self.leases.of(user.partition().owner());
        let held = Arc::clone(&gate.turn).read_owned().await;
        let lease = Lease { _held: held, gate, redeems: false };
        match user.is_forgotten() {
            false => Ok(lease),
            true => Err(StoreError::Locked("it was locked meanwhile".to_owned()).into()),
        }
    }

    /// Waits until nothing is under way, or calls it off, and saves what is left to save: what must come before the store is
    /// locked.
    ///
    /// # Errors
    /// When the disk takes no change. Everything goes on as before then.
    pub async fn quiet_down(&self, patience: Patience) -> Result<Quiet<'_>, Error> {
        let shutting = async {
            let _order = self.leases.shutting.write().await;
            // No user can come into memory behind this, so that these are all.
            let loading = self.loading.lock().await;
            let owners: HashSet<_> =
                self.loaded_users().iter().map(|user| user.partition().owner()).collect();
            (shut(owners.into_iter().map(|owner| self.leases.of(owner))).await, loading)
        };
        let (shut, loading) = self.hurry(shutting, None, patience).await;
        self.save(None).await?;
        Ok(Quiet { engine: self, owner: None, _shut: shut, _loading: loading })
    }

    /// As [`Self::quiet_down`], for one user of the machine.
    ///
    /// # Errors
    /// As [`Self::quiet_down`].
    pub async fn quiet_down_for(
        &self,
        user: &Partition,
        patience: Patience,
    ) -> Result<Quiet<'_>, Error> {
        let owner = user.owner();
        let shutting = async {
            let _order = self.leases.shutting.read().await;
            // In this order: others load theirs while this user's providers take their time.
            let shut = shut([self.leases.of(owner.clone())]).await;
            (shut, self.loading.lock().await)
        };
        let (shut, loading) = self.hurry(shutting, Some(&owner), patience).await;
        self.save(Some(&owner)).await?;
        Ok(Quiet { engine: self, owner: Some(owner), _shut: shut, _loading: loading })
    }

    /// What `shutting` ends with. What it waits for is called off when patience is over, from the start of this: another lock
    /// that is more patient may be what it waits for.
    async fn hurry<T>(
        &self,
        shutting: impl Future<Output = T>,
        owner: Option<&Partition>,
        patience: Patience,
    ) -> T {
        let hurry = Hurry { leases: &self.leases, owner };
        let hurrying = async {
            self.ports.clock.sleep(patience.usual).await;
            hurry.call_off(CalledOff::AllButRedemptions);
            self.ports.clock.sleep(patience.redemptions).await;
            loop {
                hurry.call_off(CalledOff::All);
                // Somebody may have come in before the gates were this lock's to shut.
                self.ports.clock.sleep(CALL_AGAIN).await;
            }
        };
        tokio::select! {
            biased;
            done = shutting => done,
            never = hurrying => never,
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

    /// Ends what [`Quiet::lock_user`] began; false when it had not begun.
    pub fn unlock_user(&self, user: &Partition) -> bool {
        let mut locked = self.locked_users.0.lock().unwrap_or_else(PoisonError::into_inner);
        locked.remove(&user.owner())
    }

    /// Tells whoever listens that the store was unlocked, or `only` this user's part of it. Who has locked their own still has.
    pub fn tell_unlocked(&self, only: Option<&Partition>) {
        let owner = only.map(Partition::owner);
        self.events.tell(Happening::Unlocked, self.now(), |user| {
            let is_meant = owner.as_ref().is_none_or(|owner| user.owner() == *owner);
            is_meant && !self.is_locked_by(user)
        });
    }
}

/// All at once: nothing begins at one while another one is waited for.
async fn shut(gates: impl IntoIterator<Item = Arc<Gate>>) -> Shut {
    join_all(gates.into_iter().map(|gate| Arc::clone(&gate.turn).write_owned())).await
}

impl Quiet<'_> {
    /// Forgets what is in memory, ends the sign-ins that are open, and tells whoever listens. The store keeps the rest, behind
    /// its key.
    pub fn forget_users(self) {
        let is_meant =
            |partition: &Partition| self.owner.as_ref().is_none_or(|it| partition.owner() == *it);
        let mut users = self.engine.users.write().unwrap_or_else(PoisonError::into_inner);
        for (partition, user) in users.extract_if(|partition, _| is_meant(partition)) {
            user.forget();
            self.engine.keep_open(partition, &user);
        }
        drop(users);
        self.engine.events.tell(Happening::Locked, self.engine.now(), is_meant);
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

/// How long to leave those alone who were called off.
const CALL_AGAIN: Duration = Duration::from_secs(1);
