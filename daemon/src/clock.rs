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
