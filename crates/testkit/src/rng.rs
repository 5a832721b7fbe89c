//! Randomness that a seed determines.

use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};
use valetkey_engine::ports::Rng;

/// The same seed gives the same bytes in the same order: SHA-256 of the seed and a counter.
pub struct SeededRng {
    seed: u64,
    counter: Mutex<u64>,
}

impl SeededRng {
    /// Randomness from `seed`.
    pub fn from_seed(seed: u64) -> Self {
        Self { seed, counter: Mutex::new(0) }
    }
}

impl Rng for SeededRng {
    fn fill(&self, bytes: &mut [u8]) {
        let mut counter = self.counter.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            *counter += 1;
            let input = [self.seed.to_be_bytes(), counter.to_be_bytes()].concat();
            chunk.copy_from_slice(&Sha256::digest(input)[..chunk.len()]);
        }
    }
}
