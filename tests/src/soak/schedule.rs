//! What goes wrong, and when: a seed's own order of faults.

use valetkey_testkit::entra::Effect;

use super::{APPS, PEOPLE};
use crate::random::Random;

/// One thing that happens to the daemon and those around it.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Nothing.
    Calm { millis: u64 },
    /// SIGKILL, and a start.
    Kill { after_millis: u64 },
    /// SIGTERM, and a start.
    Stop { after_millis: u64 },
    /// Programs that hang up in the middle of a request, or before its answer.
    HangUp { programs: u64 },
    /// The next token requests meet this.
    Trouble { effect: Effect, times: u32 },
    /// The provider holds the next token requests back.
    Slow { requests: u32, millis: u64 },
    /// No file of the daemon's may grow.
    FullDisk { millis: u64 },
    /// The store is locked, and unlocked.
    Lock { millis: u64 },
    /// Another configuration: a good one, or none at all.
    Configure { good: bool, number: u64 },
    /// A person signs out of an application, and in again.
    SignOut { person: usize, app: usize },
    /// An administrator ends all of a person's sign-ins.
    Revoke { person: usize },
}

/// Steps without end.
pub(super) struct Schedule {
    random: Random,
    number: u64,
}

/// Of so many steps the last ones leave the daemon alive, so that what it loses by and by shows.
const ROUND: u64 = 60;
const GENTLE: u64 = 20;
/// Each such round is gentle as a whole.
const GENTLE_ROUND: u64 = 5;

/// True in the steps that leave the daemon alive.
pub(super) fn is_gentle(number: u64) -> bool {
    number % ROUND >= ROUND - GENTLE || (number / ROUND) % GENTLE_ROUND == GENTLE_ROUND - 1
}

impl Schedule {
    pub(super) fn of(seed: u64) -> Self {
        Self { random: Random::from_seed(seed), number: 0 }
    }

    fn trouble(&mut self) -> Step {
        let random = &mut self.random;
        let effects = [
            // Without a time the daemon would leave the provider alone for a minute.
            Effect::retry_after(429, 1),
            Effect::retry_after(500, 1),
            Effect::retry_after(503, 1),
            Effect::Html { status: 200 },
            Effect::NonsenseJson,
            Effect::without_access_token(),
            Effect::DropRequest,
            Effect::DropAnswer,
        ];
        let effect = random.choose(&effects).clone();
        Step::Trouble { effect, times: 1 + u32::try_from(random.below(4)).unwrap() }
    }
}

impl Iterator for Schedule {
    type Item = (u64, Step);

    fn next(&mut self) -> Option<Self::Item> {
        let number = self.number;
        self.number += 1;
        // Drawn in any case, so that a step depends on the seed and its number alone.
        let (dice, millis) = (self.random.below(100), 50 + self.random.below(400));
        let person = usize::try_from(self.random.below(PEOPLE as u64)).unwrap();
        let app = usize::try_from(self.random.below(APPS.len() as u64)).unwrap();
        let few = 1 + self.random.below(6);
        let step = match dice {
            0..=24 if is_gentle(number) => Step::Calm { millis },
            0..=17 => Step::Kill { after_millis: millis },
            18..=24 => Step::Stop { after_millis: millis },
            25..=34 => Step::HangUp { programs: few },
            35..=59 => self.trouble(),
            60..=67 => Step::Slow { requests: u32::try_from(few).unwrap(), millis },
            68..=73 => Step::FullDisk { millis },
            74..=78 => Step::Lock { millis },
            79..=84 => Step::Configure { good: few > 2, number },
            85..=91 => Step::SignOut { person, app },
            92..=94 => Step::Revoke { person },
            _ => Step::Calm { millis },
        };
        Some((number, step))
    }
}
