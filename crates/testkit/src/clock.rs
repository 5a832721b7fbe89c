//! A clock that moves when a test says so.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use valetkey_engine::ports::{BoxFuture, Clock};
use valetkey_model::UnixTime;

use crate::idle::settle;

/// Stands still between two calls of [`FakeClock::advance`].
pub struct FakeClock(Mutex<State>);

struct State {
    now: UnixTime,
    /// By when they wake, then by who came first.
    sleepers: BTreeMap<(UnixTime, u64), oneshot::Sender<()>>,
    next: u64,
}

impl FakeClock {
    /// A clock that shows `now`.
    pub fn at(now: UnixTime) -> Self {
        Self(Mutex::new(State { now, sleepers: BTreeMap::new(), next: 0 }))
    }

    /// Lets time pass. Sleepers wake one after another, each at its own time, and what they do is done before the next one
    /// wakes. All is quiet when this returns.
    pub async fn advance(&self, seconds: i64) {
        settle().await;
        let target = self.now().plus_seconds(seconds);
        while let Some(sleeper) = self.next_until(target) {
            // One that gave up waiting wakes nobody.
            let _ = sleeper.send(());
            settle().await;
        }
        self.lock().now = target;
    }

    /// Sets the clock, back too, as a person does. It wakes nobody.
    pub fn set(&self, now: UnixTime) {
        self.lock().now = now;
    }

    /// How many wait for time to pass.
    pub fn sleepers(&self) -> usize {
        self.lock().sleepers.values().filter(|sleeper| !sleeper.is_closed()).count()
    }

    fn next_until(&self, target: UnixTime) -> Option<oneshot::Sender<()>> {
        let mut state = self.lock();
        let first = state.sleepers.first_entry().filter(|first| first.key().0 <= target)?;
        let ((time, _), sleeper) = first.remove_entry();
        state.now = state.now.max(time);
        Some(sleeper)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for FakeClock {
    fn now(&self) -> UnixTime {
        self.lock().now
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
            if seconds == 0 {
                return;
            }
            let (sender, woken) = oneshot::channel();
            {
                let mut state = self.lock();
                let until = state.now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX));
                let order = state.next;
                state.next += 1;
                state.sleepers.insert((until, order), sender);
            }
            // The clock lives as long as this borrow, and drops a sender only to wake its sleeper.
            let _ = woken.await;
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::idle::run;

    #[test]
    fn sleepers_wake_in_order_each_at_its_own_time() {
        run(async {
            let clock = Arc::new(FakeClock::at(UnixTime::from_seconds(100)));
            let log = Arc::new(Mutex::new(Vec::new()));
            for seconds in [7, 3, 5] {
                let (clock, log) = (Arc::clone(&clock), Arc::clone(&log));
                tokio::spawn(async move {
                    for _ in 0..2 {
                        clock.sleep(Duration::from_secs(seconds)).await;
                        log.lock().unwrap().push((seconds, clock.now().seconds()));
                    }
                });
            }
            clock.advance(9).await;
            assert_eq!(*log.lock().unwrap(), [(3, 103), (5, 105), (3, 106), (7, 107)]);
            assert_eq!((clock.now().seconds(), clock.sleepers()), (109, 2));
        });
    }
}
