//! Locking the store: when somebody asks for it, when nobody has used a token for a while, when the screen is locked or the
//! machine is about to sleep.

#[cfg(target_os = "linux")]
pub mod session;

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use valetkey_engine::ports::Clock;
use valetkey_engine::{Engine, Error};
use valetkey_model::UnixTime;
use valetkey_proto::v1::AuditAct;

use crate::api::Api;
use crate::broker::Broker;
use crate::failure::Failure;
use crate::store::VaultStore;

/// What is known for locking by itself.
#[derive(Debug, Default)]
pub struct Locking {
    /// When a token was last asked for, or the store unlocked.
    last_use: AtomicI64,
    /// Locked because of the screen or of sleep, and so unlocked with the screen if nobody is needed for it.
    by_session: AtomicBool,
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
    pub fn note_use(&self, now: UnixTime) {
        self.last_use.store(now.seconds(), Ordering::Relaxed);
    }

    /// Somebody has locked or unlocked the store, and wants it as it is.
    pub fn note_decision(&self, now: UnixTime) {
        self.note_use(now);
        self.by_session.store(false, Ordering::Relaxed);
    }

    /// For how many seconds nobody has used a token.
    fn idle_for(&self, now: UnixTime) -> u64 {
        u64::try_from(now.seconds() - self.last_use.load(Ordering::Relaxed)).unwrap_or_default()
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
/// When a provider is being asked and takes too long, or what it said cannot be saved. Then nothing is locked.
pub async fn lock(broker: &Broker, store: &Arc<VaultStore>) -> Result<(), Failure> {
    let (engine, store) = (Arc::clone(broker.engine()), Arc::clone(store));
    // A task of its own: a caller who hangs up must not leave the store locked and the tokens in memory.
    let task = tokio::spawn(lock_all(engine, store));
    let locked = task.await.unwrap_or(Err(Error::Bug("a lock died").into()));
    if locked.is_ok() {
        broker.forget_keys();
        broker.consent().forget();
    }
    locked
}

async fn lock_all(engine: Arc<Engine>, store: Arc<VaultStore>) -> Result<(), Failure> {
    let quiet = engine.quiet_down().await?;
    store.lock().await?;
    quiet.forget_users();
    Ok(())
}

/// What locks and unlocks without being asked.
#[derive(Clone)]
pub struct AutoLock(pub Arc<Api>);

impl AutoLock {
    /// Locks, unless it is locked, and puts that on record. False when it could not be.
    pub async fn lock(&self, cause: Cause) -> bool {
        if self.0.store.report().locked {
            return true;
        }
        match lock(&self.0.broker, &self.0.store).await {
            Ok(()) => {
                tracing::info!(because = cause.describe(), "locked");
                self.0.locking.by_session.store(cause != Cause::Idle, Ordering::Relaxed);
                self.note(AuditAct::Locked, cause.describe());
                true
            }
            Err(error) => {
                tracing::warn!(%error, because = cause.describe(), "the store could not be locked");
                false
            }
        }
    }

    /// Unlocks what was locked with the screen, or for sleep, if nobody is needed for it.
    pub async fn unlock(&self) {
        if !self.0.locking.by_session.swap(false, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.0.store.reopen().await {
            tracing::warn!(%error, "the store could not be unlocked with the screen");
        } else if !self.0.store.report().locked {
            self.0.locking.note_use(self.0.broker.engine().now());
            self.note(AuditAct::Unlocked, "the screen was unlocked");
        }
    }

    /// Where users have no numbers it is in the log alone.
    #[cfg_attr(
        not(unix),
        expect(unused_variables, reason = "whose record it would be is not known")
    )]
    fn note(&self, act: AuditAct, why: &str) {
        #[cfg(unix)]
        self.0.broker.audit().note_own(act, why, self.0.broker.engine().now());
    }

    /// Locks when nobody has used a token for as long as the configuration says.
    pub async fn watch_idleness(&self, clock: &dyn Clock) {
        let configuration = self.0.broker.configuration();
        let limit = || configuration.in_force().config().vault.lock_after_idle;
        let lock = || {
            let auto = self.clone();
            async move { auto.lock(Cause::Idle).await }
        };
        watch_idleness(clock, &self.0.locking, limit, lock).await;
    }
}

/// Calls `lock` each time that `limit` seconds have passed without use; 0 is never.
async fn watch_idleness<L: Future<Output = bool>>(
    clock: &dyn Clock,
    locking: &Locking,
    limit: impl Fn() -> u64,
    lock: impl Fn() -> L,
) {
    locking.note_use(clock.now());
    loop {
        let pause = match (limit(), locking.idle_for(clock.now())) {
            (0, _) => LOOK_AGAIN,
            (limit, idle) if idle < limit => LOOK_AGAIN.min(limit - idle),
            (limit, _) if lock().await => {
                // Not again until somebody has used it.
                locking.note_use(clock.now());
                LOOK_AGAIN.min(limit)
            }
            _ => TRY_AGAIN,
        };
        clock.sleep(Duration::from_secs(pause)).await;
    }
}

/// Seconds after which a changed setting is noticed.
const LOOK_AGAIN: u64 = 60;

/// Seconds to leave a provider that is being asked.
const TRY_AGAIN: u64 = 5;

#[cfg(test)]
mod tests;
