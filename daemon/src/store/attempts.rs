//! Passphrases, one at a time and ever more slowly: each guess costs this computer some memory and a good part of a second.
//! Whoever goes on guessing waits the longer; the others wait for that a few seconds at most.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use valetkey_model::ProcessId;

/// The longest pause after a wrong passphrase, in seconds.
const LONGEST_PAUSE: u64 = 60;
/// The same for who has said no wrong one: whoever guesses for fun must not keep the owner out for long.
const LONGEST_PAUSE_OF_OTHERS: u64 = 5;
/// So many who guess are known at once, of those who did so last.
const MOST_GUESSERS: usize = 64;

/// Who may try a passphrase now.
#[derive(Default)]
pub(super) struct Attempts(Mutex<State>);

#[derive(Default)]
struct State {
    is_under_way: bool,
    /// Of all.
    all: Wrong,
    of: VecDeque<(Option<ProcessId>, Wrong)>,
}

#[derive(Clone, Copy, Default)]
struct Wrong {
    /// In a row.
    count: u64,
    /// When the last one turned out to be wrong, in Unix seconds.
    at: u64,
}

/// Leave for one try of a process, given back by dropping it.
pub(super) struct Attempt(Arc<Attempts>, Option<ProcessId>);

impl Wrong {
    /// Seconds to wait. The first wrong passphrase costs no pause, since people mistype; each further one the square of their
    /// number.
    fn pause(self, now: u64, longest: u64) -> u64 {
        let pause = self.count.saturating_sub(1).saturating_pow(2).min(longest);
        // A clock that was set back must not lengthen the pause.
        now.checked_sub(self.at).map_or(0, |passed| pause.saturating_sub(passed))
    }

    fn one_more(self, now: u64) -> Self {
        Self { count: self.count + 1, at: now }
    }
}

impl Attempts {
    /// Leave for this process to try, or how many seconds to wait for it.
    pub(super) fn begin(
        self: &Arc<Self>,
        process: Option<ProcessId>,
        now: u64,
    ) -> Result<Attempt, u64> {
        let mut state = self.lock();
        if state.is_under_way {
            return Err(1);
        }
        let of_others = state.all.pause(now, LONGEST_PAUSE_OF_OTHERS);
        let pause = of_others.max(state.of(process).pause(now, LONGEST_PAUSE));
        if pause > 0 {
            return Err(pause);
        }
        state.is_under_way = true;
        Ok(Attempt(Arc::clone(self), process))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn of(&self, process: Option<ProcessId>) -> Wrong {
        let own = self.of.iter().find(|(guesser, _)| *guesser == process);
        own.map(|(_, wrong)| *wrong).unwrap_or_default()
    }
}

impl Attempt {
    /// It was not the passphrase.
    pub(super) fn was_wrong(&self, now: u64) {
        let mut state = self.0.lock();
        let own = state.of(self.1).one_more(now);
        state.all = state.all.one_more(now);
        state.of.retain(|(guesser, _)| *guesser != self.1);
        state.of.push_back((self.1, own));
        if state.of.len() > MOST_GUESSERS {
            state.of.pop_front();
        }
    }

    /// It was.
    pub(super) fn was_right(&self) {
        let mut state = self.0.lock();
        (state.all, state.of) = Default::default();
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

    const ONE: Option<ProcessId> = Some(ProcessId { number: 1, started: 1 });
    const OTHER: Option<ProcessId> = Some(ProcessId { number: 2, started: 1 });

    #[test]
    fn wrong_passphrases_take_ever_longer_and_the_right_one_ends_it() {
        let attempts = Arc::new(Attempts::default());
        let mut now = 1000;
        for pause in [0, 0, 1, 4, 9, 16, 25, 36, 49, 60, 60] {
            if pause > 0 {
                assert_eq!(attempts.begin(ONE, now).err(), Some(pause));
                assert_eq!(attempts.begin(ONE, now + pause - 1).err(), Some(1));
                let of_others = pause.min(LONGEST_PAUSE_OF_OTHERS);
                assert_eq!(attempts.begin(OTHER, now).err(), Some(of_others));
                assert!(attempts.begin(OTHER, now + of_others).is_ok());
            }
            now += pause;
            attempts.begin(ONE, now).unwrap().was_wrong(now);
        }
        assert!(attempts.begin(ONE, 500).is_ok(), "a clock that was set back");
        now += 60;
        attempts.begin(ONE, now).unwrap().was_right();
        attempts.begin(ONE, now).unwrap().was_wrong(now);
        assert!(attempts.begin(ONE, now).is_ok());
    }

    #[test]
    fn who_guesses_by_ever_new_processes_gets_one_guess_in_some_seconds() {
        let attempts = Arc::new(Attempts::default());
        let mut now = 1000;
        for number in 0..1000 {
            let process = Some(ProcessId { number, started: 0 });
            while let Err(pause) = attempts.begin(process, now).map(|it| it.was_wrong(now)) {
                now += pause;
            }
        }
        assert_eq!(now, 1000 + 1 + 4 + 5 * 996);
    }

    #[test]
    fn one_passphrase_is_tried_at_a_time() {
        let attempts = Arc::new(Attempts::default());
        let first = attempts.begin(ONE, 1000).unwrap();
        assert_eq!(attempts.begin(OTHER, 1000).err(), Some(1));
        drop(first);
        assert!(attempts.begin(OTHER, 1000).is_ok());
    }
}
