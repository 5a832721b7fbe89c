//! The operating system's randomness.

use valetkey_engine::ports::Rng;

/// `getrandom(2)` and its like.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn fill(&self, bytes: &mut [u8]) {
        if let Err(error) = getrandom::fill(bytes) {
            // It cannot fail once the machine is up. If it does, a guessable `state` would be worse than no answer.
            panic!("the operating system gives no random bytes: {error}");
        }
    }
}
