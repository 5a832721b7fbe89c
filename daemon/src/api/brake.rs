//! How much callers can have the log say: a program that goes on asking for what it does not get must not fill the disk.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Of what is told of requests that came to nothing.
pub(super) static COMPLAINTS: Brake = Brake(Mutex::new(None));

/// Lets through so many lines a minute.
pub(super) struct Brake(Mutex<Option<Window>>);

struct Window {
    since: Instant,
    lines: u32,
    left_out: u64,
}

impl Brake {
    /// Whether one more line may be written; if so, how many were left out since the last one.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        // Nothing under this lock can panic half-way.
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let window = window.get_or_insert(Window { since: now, lines: 0, left_out: 0 });
        if now.saturating_duration_since(window.since) >= MINUTE {
            (window.since, window.lines) = (now, 0);
        }
        if window.lines >= LINES_A_MINUTE {
            window.left_out += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.left_out))
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// More than a person reads, and some ten megabytes a day.
const LINES_A_MINUTE: u32 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_counted_and_told_with_the_next_line() {
        let (brake, start) = (Brake(Mutex::default()), Instant::now());
        let at = |seconds| brake.admit(start + Duration::from_secs(seconds));
        for _ in 0..LINES_A_MINUTE {
            assert_eq!(at(0), Some(0));
        }
        assert_eq!((at(1), at(59)), (None, None));
        assert_eq!((at(60), at(60)), (Some(2), Some(0)));
    }
}
