//! Passphrases, one at a time and ever more slowly: each guess costs this computer some memory and a good part of a second.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest pause after a wrong passphrase, in seconds: whoever guesses for fun must not keep its owner out for long.
const LONGEST_PAUSE: u64 = 60;

/// Who may try a passphrase now.
#[derive(Default)]
pub(super) struct Attempts(Mutex<State>);

#[derive(Default)]
struct State {
    is_under_way: bool,
    /// In a row.
    wrong: u64,
    /// When the last one turned out to be wrong, in Unix seconds.
    failed_at: u64,
}

/// Leave for one try, given back by dropping it.
pub(super) struct Attempt(Arc<Attempts>);

impl Attempts {
    /// Leave to try, or how many seconds to wait for it. The first wrong passphrase costs no pause, since people mistype;
    /// each further one the square of their number.
    pub(super) fn begin(self: &Arc<Self>, now: u64) -> Result<Attempt, u64> {
        let mut state = self.lock();
        if state.is_under_way {
            return Err(1);
        }
        let pause = state.wrong.saturating_sub(1).saturating_pow(2).min(LONGEST_PAUSE);
        let passed = now.saturating_sub(state.failed_at);
        // A clock that was set back must not lengthen the pause.
        if now >= state.failed_at && passed < pause {
            return Err(pause - passed);
        }
        state.is_under_way = true;
        Ok(Attempt(Arc::clone(self)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Attempt {
    /// It was not the passphrase.
    pub(super) fn was_wrong(&self, now: u64) {
        let mut state = self.0.lock();
        state.wrong += 1;
        state.failed_at = now;
    }

    /// It was.
    pub(super) fn was_right(&self) {
        self.0.lock().wrong = 0;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.lock().is_under_way = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passphrases_take_ever_longer_and_the_right_one_ends_it() {
        let attempts = Arc::new(Attempts::default());
        let mut now = 1000;
        for pause in [0, 0, 1, 4, 9, 16, 25, 36, 49, 60, 60] {
            if pause > 0 {
                assert_eq!(attempts.begin(now).err(), Some(pause));
                assert_eq!(attempts.begin(now + pause - 1).err(), Some(1));
            }
            now += pause;
            attempts.begin(now).unwrap().was_wrong(now);
        }
        assert!(attempts.begin(500).is_ok(), "a clock that was set back");
        now += 60;
        attempts.begin(now).unwrap().was_right();
        attempts.begin(now).unwrap().was_wrong(now);
        assert!(attempts.begin(now).is_ok());
    }

    #[test]
    fn one_passphrase_is_tried_at_a_time() {
        let attempts = Arc::new(Attempts::default());
        let first = attempts.begin(1000).unwrap();
        assert_eq!(attempts.begin(1000).err(), Some(1));
        drop(first);
        assert!(attempts.begin(1000).is_ok());
    }
}
