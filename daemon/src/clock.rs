//! The one place that reads the clock.
#![expect(clippy::disallowed_methods, reason = "this is where the bans of clippy.toml point to")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use valetkey_engine::ports::{BoxFuture, Clock};
use valetkey_model::UnixTime;

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        // A clock before 1970 is as good as one at 1970: everything was issued after it.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        UnixTime::from_seconds(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'_, ()> {
        Box::pin(sleep(duration))
    }
}

/// Sleeps until `duration` has passed by either clock. The runtime's timers stand still while the machine is suspended and
/// the wall clock does not, but it may be set back; so both are looked at, in slices.
async fn sleep(duration: Duration) {
    let (by_wall, by_timer) = (SystemTime::now(), Instant::now());
    loop {
        let passed = by_wall.elapsed().unwrap_or_default().max(by_timer.elapsed());
        let Some(left) = duration.checked_sub(passed).filter(|left| !left.is_zero()) else {
            return;
        };
        tokio::time::sleep(left.min(SLICE)).await;
    }
}

/// How late a sleep may end after the machine has woken up.
const SLICE: Duration = Duration::from_secs(15);

/// A moment, by both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    wall: SystemTime,
    timer: Instant,
}

impl Moment {
    /// This one.
    pub fn now() -> Self {
        Self { wall: SystemTime::now(), timer: Instant::now() }
    }

    /// Whether the machine may have been asleep between this moment and `later`: the wall clock went on, the timers did
    /// not. A wall clock that somebody set ahead looks the same. Where timers go on in a sleep, as on Windows, nothing does.
    pub fn is_before_a_sleep(self, later: Self) -> bool {
        let by_wall = later.wall.duration_since(self.wall).unwrap_or_default();
        by_wall.saturating_sub(later.timer.duration_since(self.timer)) >= SHORTEST_SLEEP
    }

    /// This moment after a sleep of `duration`.
    #[cfg(test)]
    pub fn after_a_sleep(self, duration: Duration) -> Self {
        Self { wall: self.wall + duration, ..self }
    }
}

/// What the clocks are apart by less may be a clock that is being corrected.
const SHORTEST_SLEEP: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_is_where_the_wall_clock_went_on_alone() {
        let start = Moment::now();
        let busy = |seconds| Moment {
            wall: start.wall + Duration::from_secs(seconds),
            timer: start.timer + Duration::from_secs(seconds),
        };
        let slept = |seconds| start.after_a_sleep(Duration::from_secs(seconds));
        let set_back = Moment { wall: start.wall - Duration::from_secs(3600), ..start };
        for (later, is) in [
            (start, false),
            (busy(86_400), false),
            (slept(4), false),
            (slept(5), true),
            (busy(60).after_a_sleep(Duration::from_secs(60)), true),
            (set_back, false),
        ] {
            assert_eq!(start.is_before_a_sleep(later), is, "{later:?}");
        }
    }
}
