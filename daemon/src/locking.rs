//! Locking the store, or what is one user's of several: when somebody asks for it, when nobody has used a token for a while, when the screen is locked or the
//! machine is about to sleep.

#[cfg(target_os = "linux")]
pub mod session;

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use valetkey_engine::ports::Clock;
use valetkey_engine::{Engine, Error, Patience};
use valetkey_model::{Partition, UnixTime};
use valetkey_proto::v1::AuditAct;

use crate::api::Api;
use crate::broker::Broker;
use crate::failure::Failure;
use crate::store::VaultStore;

/// What is known for locking by itself.
#[derive(Debug, Default)]
pub struct Locking(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// When a token was last asked for, or it was unlocked.
    last_uses: HashMap<Whose, UnixTime>,
    /// Locked because of the screen or of sleep, and so unlocked with the screen if nobody is needed for it.
    by_session: HashSet<Whose>,
}

/// What is locked at once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The store.
    Everybodys,
    /// What is one user's of several.
    Users(Partition),
}

/// Why a store is locked by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nobody has used a token.
    Idle,
    /// The screen was locked.
    Screen,
    /// The machine is about to sleep.
    Sleep,
}

impl Cause {
    fn patience(self) -> Patience {
        match self {
            Self::Idle | Self::Screen => Patience::USUAL,
            Self::Sleep => Patience::BEFORE_SLEEP,
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Idle => "no token was used for a while",
            Self::Screen => "the screen was locked",
            Self::Sleep => "the machine goes to sleep",
        }
    }
}

impl Locking {
    /// Somebody uses a token.
    pub fn note_use(&self, whose: Whose, now: UnixTime) {
        self.known().last_uses.insert(whose, now);
    }

    /// Somebody has locked or unlocked it, and wants it as it is.
    pub fn note_decision(&self, whose: &Whose, now: UnixTime) {
        self.note_use(whose.clone(), now);
        self.known().by_session.remove(whose);
    }

    /// What nobody has used for `limit` seconds, and how many are left until the next of it; without a limit nothing.
    fn find_idle(&self, limit: u64, now: UnixTime) -> (Vec<Whose>, u64) {
        let mut pause = LOOK_AGAIN;
        let mut idle = Vec::new();
        if limit == 0 {
            return (idle, pause);
        }
        for (whose, last_use) in &self.known().last_uses {
            // A clock that was set back is no idleness.
            match u64::try_from(now.seconds_since(*last_use)).unwrap_or_default() {
                seconds if seconds < limit => pause = pause.min(limit - seconds),
                _ => idle.push(whose.clone()),
            }
        }
        (idle, pause)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why the person's session is not watched, for `status`; `None` while all is well.
#[derive(Debug, Default)]
pub struct Watch(Mutex<Option<String>>);

impl Watch {
    /// Why it is not.
    pub fn problem(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says so.
    pub fn set(&self, problem: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = problem;
    }
}

/// Drops keys and tokens from memory, once all that was issued is saved.
///
/// What is dropped is zeroed, in whatever buffer it was (`allocator.rs`). What is not dropped is not: a copy may remain in
/// the buffers of a connection that is kept open, to a provider or to a client, until it is used again or closed.
///
/// # Errors
/// When what a provider said cannot be saved. Then nothing is locked.
pub async fn lock(
    broker: &Broker,
    store: &Arc<VaultStore>,
    patience: Patience,
) -> Result<(), Failure> {
    let (engine, store) = (Arc::clone(broker.engine()), Arc::clone(store));
    // A task of its own: a caller who hangs up must not leave the store locked and the tokens in memory.
    let task = tokio::spawn(lock_all(engine, store, patience));
    let locked = task.await.unwrap_or(Err(Error::Bug("a lock died").into()));
    if locked.is_ok() {
        broker.forget_keys();
        broker.consent().forget();
    }
    locked
}

/// The same of what is one user's, who is one of several: nobody else waits, or notices.
///
/// # Errors
/// As [`lock`].
pub async fn lock_user(
    api: &Arc<Api>,
    user: &Partition,
    patience: Patience,
) -> Result<(), Failure> {
    let (api, user) = (Arc::clone(api), user.clone());
    let task = tokio::spawn(async move {
        let quiet = api.broker.engine().quiet_down_for(&user, patience).await?;
        quiet.lock_user().await;
        api.broker.consent().forget_user(&user);
        Ok(())
    });
    task.await.unwrap_or(Err(Error::Bug("a lock died").into()))
}

async fn lock_all(
    engine: Arc<Engine>,
    store: Arc<VaultStore>,
    patience: Patience,
) -> Result<(), Failure> {
    let quiet = engine.quiet_down(patience).await?;
    store.lock().await?;
    quiet.forget_users();
    Ok(())
}

/// What locks and unlocks without being asked.
#[derive(Clone)]
pub struct AutoLock(pub Arc<Api>);

impl AutoLock {
    /// Locks, unless it is locked, and puts that on record. False when it could not be.
    pub async fn lock(&self, cause: Cause, whose: &Whose) -> bool {
        let patience = cause.patience();
        let locked = match whose {
            _ if self.0.store.report().locked => return true,
            Whose::Everybodys => lock(&self.0.broker, &self.0.store, patience).await,
            Whose::Users(user) if self.0.broker.engine().is_locked_by(user) => return true,
            Whose::Users(user) => lock_user(&self.0, user, patience).await,
        };
        let because = cause.describe();
        match locked {
            Ok(()) => {
                tracing::info!(because, ?whose, "locked");
                let mut known = self.0.locking.known();
                known.by_session.remove(whose);
                known.by_session.extend((cause != Cause::Idle).then(|| whose.clone()));
                drop(known);
                self.note(whose, AuditAct::Locked, because);
                true
            }
            Err(error) => {
                tracing::warn!(%error, because, ?whose, "not locked");
                false
            }
        }
    }

    /// The screen of a user was unlocked: unlocks what was locked with it, or for sleep, if nobody is needed for it. Of several
    /// users the first one to come back unlocks the store, and each one what is theirs.
    pub async fn unlock(&self, user: &Partition) {
        let (engine, own) = (self.0.broker.engine(), Whose::Users(user.clone()));
        let locked_by_session = |whose: &Whose| self.0.locking.known().by_session.remove(whose);
        if locked_by_session(&own) {
            engine.unlock_user(user);
            self.note_unlocked(own);
        }
        if !locked_by_session(&Whose::Everybodys) {
            return;
        }
        if let Err(error) = self.0.store.reopen().await {
            tracing::warn!(%error, "the store could not be unlocked with the screen");
        } else if !self.0.store.report().locked {
            self.note_unlocked(Whose::Everybodys);
        }
    }

    fn note_unlocked(&self, whose: Whose) {
        self.0.broker.engine().tell_unlocked(match &whose {
            Whose::Users(user) => Some(user),
            Whose::Everybodys => None,
        });
        self.note(&whose, AuditAct::Unlocked, "the screen was unlocked");
        self.0.locking.note_use(whose, self.0.broker.engine().now());
    }

    /// Where users have no numbers, what is the daemon's own is in the log alone.
    fn note(&self, whose: &Whose, act: AuditAct, why: &str) {
        let (audit, now) = (self.0.broker.audit(), self.0.broker.engine().now());
        match whose {
            Whose::Users(user) => audit.note_for(user, act, why, now),
            #[cfg(unix)]
            Whose::Everybodys => audit.note_own(act, why, now),
            #[cfg(not(unix))]
            Whose::Everybodys => {}
        }
    }

    /// Locks when nobody has used a token for as long as the configuration says: of several users each one's for itself.
    pub async fn watch_idleness(&self, clock: &dyn Clock) {
        if !self.0.broker.serves_several() {
            self.0.locking.note_use(Whose::Everybodys, clock.now());
        }
        let configuration = self.0.broker.configuration();
        let limit = || configuration.in_force().config().vault.lock_after_idle;
        let lock = |whose| {
            let auto = self.clone();
            async move { auto.lock(Cause::Idle, &whose).await }
        };
        watch_idleness(clock, &self.0.locking, limit, lock).await;
    }
}

/// Calls `lock` each time that `limit` seconds have passed without use; 0 is never.
async fn watch_idleness<L: Future<Output = bool>>(
    clock: &dyn Clock,
    locking: &Locking,
    limit: impl Fn() -> u64,
    lock: impl Fn(Whose) -> L,
) {
    loop {
        let limit = limit();
        let (idle, mut pause) = locking.find_idle(limit, clock.now());
        // At once: nobody's provider that takes its time keeps others unlocked.
        let locked = join_all(idle.iter().cloned().map(&lock)).await;
        for (whose, is_locked) in idle.into_iter().zip(locked) {
            match is_locked {
                // Not again until somebody has used it.
                true => locking.note_use(whose, clock.now()),
                false => pause = pause.min(TRY_AGAIN),
            }
            pause = pause.min(limit);
        }
        clock.sleep(Duration::from_secs(pause)).await;
    }
}

/// Seconds after which a changed setting is noticed.
const LOOK_AGAIN: u64 = 60;

/// Seconds to leave a disk that takes nothing.
const TRY_AGAIN: u64 = 5;

#[cfg(test)]
mod tests;
