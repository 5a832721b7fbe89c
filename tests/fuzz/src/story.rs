//! What people, programs, providers, clocks, disks and kills do, in any order: no token goes astray, what is removed is
//! gone, nothing is asked twice at once, and what is in memory is on the disk.
//!
//! The world is the testkit's. A kill between a provider's answer and its save, and an answer that is lost on the way, lose
//! the successor of a refresh token, and no broker can do anything about that; what a provider then takes for theft is
//! counted against them.

mod step;
mod teller;

use arbitrary::{Arbitrary as _, Unstructured};
use valetkey_testkit::world::run as run_story;

use self::step::Step;
use self::teller::Teller;

/// Longer ones are slow, and find nothing that shorter ones do not.
const MOST_STEPS: usize = 48;

/// Steps, one after another.
pub fn run(data: &[u8]) {
    let mut input = Unstructured::new(data);
    run_story(async {
        let mut teller = Teller::new();
        for _ in 0..MOST_STEPS {
            match Step::arbitrary(&mut input) {
                Ok(step) if !input.is_empty() => teller.take(step).await,
                _ => break,
            }
        }
    });
}
