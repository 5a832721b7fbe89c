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

/// Who is locked when within an hour, with a limit, with tokens used by users at some times, and when locking fails until a
/// time.
async fn locked_at(limit: u64, used_at: &[(u32, i64)], busy_until: i64) -> Vec<(u32, i64)> {
    let clock = Hurried { now: Mutex::new(0), end: 3600 };
    let locking = Locking::default();
    let locked = Mutex::new(Vec::new());
    let user = |uid| Whose::Users(Partition::of_uid(uid));
    let noted = Mutex::new(HashSet::new());
    let limit_now = || {
        let now = clock.now().seconds();
        for (uid, at) in used_at.iter().filter(|(_, at)| *at <= now) {
            if noted.lock().unwrap().insert((*uid, *at)) {
                locking.note_use(user(*uid), UnixTime::from_seconds(*at));
            }
        }
        limit
    };
    let lock = |whose| {
        let now = clock.now().seconds();
        let Whose::Users(user) = whose else { panic!("nobody uses what is everybody's") };
        if now >= busy_until {
            locked.lock().unwrap().push((user.uid().unwrap(), now));
        }
        std::future::ready(now >= busy_until)
    };
    let watch = watch_idleness(&clock, &locking, limit_now, lock);
    // It never ends: the clock stops.
    assert!(futures_util::FutureExt::now_or_never(watch).is_none());
    let mut locked = locked.into_inner().unwrap();
    locked.sort_by_key(|(uid, at)| (*at, *uid));
    locked
}

#[tokio::test]
async fn what_is_somebodys_is_locked_after_its_last_use() {
    assert_eq!(locked_at(0, &[(1, 0)], 0).await, []);
    assert_eq!(locked_at(3000, &[(1, 0)], 0).await, [(1, 3000)]);
    let used = [(1, 0), (1, 100), (1, 700), (1, 1500)];
    assert_eq!(locked_at(900, &used, 0).await, [(1, 2400), (1, 3300)]);
    assert_eq!(locked_at(10_000, &[(1, 0)], 0).await, []);
    assert_eq!(locked_at(3000, &[(1, 0)], 3012).await, [(1, 3015)]);
}

#[tokio::test]
async fn each_user_is_idle_for_themselves_and_who_was_never_there_is_not() {
    let used = [(1, 0), (2, 0), (2, 1200), (3, 2000)];
    assert_eq!(locked_at(1500, &used, 0).await, [(1, 1500), (2, 2700), (1, 3000), (3, 3500)]);
}

#[test]
fn a_clock_that_was_set_back_is_no_idleness() {
    let locking = Locking::default();
    locking.note_use(Whose::Everybodys, UnixTime::from_seconds(1000));
    for (now, expected) in
        [(400, (vec![], 10)), (1007, (vec![], 3)), (1010, (vec![Whose::Everybodys], LOOK_AGAIN))]
    {
        assert_eq!(locking.find_idle(10, UnixTime::from_seconds(now)), expected, "{now}");
    }
}
