//! When an idle store is locked, by a clock that the test moves.

use std::sync::Mutex;

use valetkey_engine::ports::BoxFuture;

use super::*;

/// A clock on which sleeping takes no time, and which ends the watch at a time.
struct Hurried {
    now: Mutex<i64>,
    end: i64,
}

impl Clock for Hurried {
    fn now(&self) -> UnixTime {
        UnixTime::from_seconds(*self.now.lock().unwrap())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        let mut now = self.now.lock().unwrap();
        *now += i64::try_from(duration.as_secs()).unwrap();
        match *now > self.end {
            true => Box::pin(std::future::pending()),
            false => Box::pin(std::future::ready(())),
        }
    }
}

/// When the store is locked within an hour, with a limit, with tokens used at some times, and when locking fails at others.
async fn locked_at(limit: u64, used_at: &[i64], busy_until: i64) -> Vec<i64> {
    let clock = Hurried { now: Mutex::new(0), end: 3600 };
    let locking = Locking::default();
    let locked = Mutex::new(Vec::new());
    let limit_now = || {
        let now = clock.now();
        let used = used_at.iter().rfind(|at| **at <= now.seconds());
        if let Some(used) = used.filter(|used| locking.last_use.load(Ordering::Relaxed) < **used) {
            locking.note_use(UnixTime::from_seconds(*used));
        }
        limit
    };
    let lock = || async {
        let now = clock.now().seconds();
        if now >= busy_until {
            locked.lock().unwrap().push(now);
        }
        now >= busy_until
    };
    let watch = watch_idleness(&clock, &locking, limit_now, lock);
    // It never ends: the clock stops.
    assert!(futures_util::FutureExt::now_or_never(watch).is_none());
    locked.into_inner().unwrap()
}

#[tokio::test]
async fn a_store_is_locked_after_its_last_use() {
    assert_eq!(locked_at(0, &[], 0).await, [0; 0]);
    assert_eq!(locked_at(3000, &[], 0).await, [3000]);
    assert_eq!(locked_at(900, &[100, 700, 1500], 0).await, [2400, 3300]);
    assert_eq!(locked_at(10_000, &[], 0).await, [0; 0]);
    assert_eq!(locked_at(3000, &[], 3012).await, [3015]);
}

#[test]
fn a_clock_that_was_set_back_is_no_idleness() {
    let locking = Locking::default();
    locking.note_use(UnixTime::from_seconds(1000));
    assert_eq!(locking.idle_for(UnixTime::from_seconds(400)), 0);
    assert_eq!(locking.idle_for(UnixTime::from_seconds(1007)), 7);
}
