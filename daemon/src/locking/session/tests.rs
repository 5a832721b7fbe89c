//! What is told when, and what is locked when, by a clock that waits for nobody.

use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::sync::Mutex;

use futures_util::stream;
use tokio::sync::watch;
use tokio::time::{Duration, Instant, sleep, sleep_until, timeout};

use valetkey_engine::ports::BoxFuture;
use valetkey_model::UnixTime;

use super::*;

/// The runtime's clock, which goes to the next thing to happen as soon as there is nothing to do.
struct Paused;

impl Clock for Paused {
    fn now(&self) -> UnixTime {
        UnixTime::default()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        // sleep: by the paused clock.
        Box::pin(sleep(duration))
    }
}

/// Takes down what is done. A lock waits for a provider as long as it may; one that is done ends the others' waiting, too.
struct Notes {
    start: Instant,
    /// Until then no lock can be done.
    full_until: u64,
    /// How long a provider keeps a lock waiting.
    slow: bool,
    locked: watch::Sender<bool>,
    /// The other end of what puts off sleep.
    inhibitor: UnixStream,
    taken: Mutex<Vec<String>>,
}

impl Notes {
    fn take(&self, what: &str) {
        let held = match (&self.inhibitor).read(&mut [0]) {
            Ok(_) => "",
            Err(_) => ", sleep put off",
        };
        let at = self.start.elapsed().as_secs();
        self.taken.lock().unwrap().push(format!("{at} {what}{held}"));
    }
}

impl Locks for Notes {
    async fn lock(&self, cause: Cause, _whose: &Whose) -> bool {
        let wait = match cause {
            Cause::Sleep => 3,
            _ => 30,
        };
        if self.start.elapsed().as_secs() < self.full_until {
            self.take(&format!("{cause:?} failed"));
            return false;
        }
        if self.slow {
            let mut locked = self.locked.subscribe();
            let _ = timeout(Duration::from_secs(wait), locked.wait_for(|locked| *locked)).await;
        }
        self.locked.send_replace(true);
        self.take(&format!("{cause:?} locked"));
        true
    }

    async fn unlock(&self, _user: &Partition) {
        self.locked.send_replace(false);
        self.take("unlocked");
    }
}

#[derive(Clone, Copy)]
enum Told {
    Locked,
    Unlocked,
    Sleeps,
    Awake,
}

/// What is done within a minute when this is told at these seconds.
async fn check(full_until: u64, slow: bool, told: &[(f64, Told)], expected: &[&str]) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    let mut delay = Some(Delay::of(theirs.into()));
    let start = Instant::now();
    let at = |second| start + Duration::from_secs_f64(second);
    let notices = told.iter().map(|(second, told)| {
        let notice = match told {
            Told::Locked => Notice::ScreenLocked(1),
            Told::Unlocked => Notice::ScreenUnlocked(1),
            Told::Sleeps => Notice::AboutToSleep(delay.take().expect("the machine sleeps once")),
            Told::Awake => Notice::Awake,
        };
        (at(*second), notice)
    });
    let notices: Vec<_> = notices.collect();
    drop(delay);
    let notices = stream::iter(notices).then(async |(at, notice)| {
        sleep_until(at).await;
        notice
    });
    let notices = notices.chain(stream::pending()).boxed();
    let (locked, taken) = (watch::Sender::default(), Mutex::default());
    let notes = Notes { start, full_until, slow, locked, inhibitor: ours, taken };
    let on = [LockOn::Screen, LockOn::Sleep];
    let session = Session::new(&on, false, notices, &notes, &Paused);
    tokio::select! {
        () = session.follow() => unreachable!("logind is not gone"),
        // sleep: by the paused clock.
        () = sleep(Duration::from_secs(60)) => {}
    }
    assert_eq!(*notes.taken.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_lock_that_fails_is_tried_again_until_it_is_done_or_not_wanted_any_more() {
    let failed = ["0 Screen failed", "5 Screen failed", "10 Screen failed", "15 Screen locked"];
    check(12, false, &[(0.0, Told::Locked)], &failed).await;
    let unlocked = ["0 Screen failed", "5 Screen failed", "7 unlocked"];
    check(12, false, &[(0.0, Told::Locked), (7.0, Told::Unlocked)], &unlocked).await;
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_is_about_to_sleep_hurries_the_lock_of_the_screen() {
    let told = [(0.0, Told::Locked), (10.0, Told::Sleeps), (40.0, Told::Unlocked)];
    let expected = [
        "13 Sleep locked, sleep put off",
        "13 Screen locked, sleep put off",
        "13 Sleep locked, sleep put off",
        "40 unlocked",
    ];
    check(0, true, &told, &expected).await;
}

#[tokio::test(start_paused = true)]
async fn sleep_is_put_off_while_the_lock_fails() {
    let told = [(0.0, Told::Sleeps), (2.5, Told::Awake)];
    let expected = [
        "0 Sleep failed, sleep put off",
        "1 Sleep failed, sleep put off",
        "2 Sleep failed, sleep put off",
        "7 Sleep locked",
    ];
    check(6, false, &told, &expected).await;
}

#[tokio::test(start_paused = true)]
async fn a_screen_that_is_unlocked_while_it_locks_is_unlocked_afterwards() {
    let told = [(0.0, Told::Locked), (1.0, Told::Unlocked)];
    check(0, true, &told, &["30 Screen locked", "30 unlocked"]).await;
}
