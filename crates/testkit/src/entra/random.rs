//! Randomness: a SHA-256 counter generator, seeded by a number for reproducible runs or by the operating system.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// A stream of bytes that one seed determines.
pub(crate) struct Random {
    seed: [u8; 32],
    counter: u64,
}

impl Random {
    /// The same seed gives the same bytes in the same order.
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self { seed: Sha256::digest(seed.to_be_bytes()).into(), counter: 0 }
    }

    /// Seeded by the operating system.
    pub(crate) fn from_os() -> std::io::Result<Self> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
        Ok(Self { seed, counter: 0 })
    }

    /// The next 32 bytes.
    pub(crate) fn next_block(&mut self) -> [u8; 32] {
        self.counter += 1;
        let digest = Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes());
        digest.finalize().into()
    }

    /// `blocks` times 32 bytes as base64url without padding.
    pub(crate) fn next_text(&mut self, blocks: usize) -> String {
        let bytes: Vec<u8> = (0..blocks).flat_map(|_| self.next_block()).collect();
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// A version 4 UUID in lower case.
    pub(crate) fn next_uuid(&mut self) -> String {
        let mut hex: Vec<char> = self.next_block()[..16]
            .iter()
            .flat_map(|byte| format!("{byte:02x}").into_bytes())
            .map(char::from)
            .collect();
        hex[12] = '4';
        hex[16] = '8';
        let group = |range: std::ops::Range<usize>| hex[range].iter().collect::<String>();
        [group(0..8), group(8..12), group(12..16), group(16..20), group(20..32)].join("-")
    }

    /// A code that a person types: capital letters and digits that cannot be mistaken for one another.
    pub(crate) fn next_user_code(&mut self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        self.next_block()[..9]
            .iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte % 32)]))
            .collect()
    }
}

/// A UUID that these texts determine.
pub(crate) fn derive_uuid(parts: &[&str]) -> String {
    Random { seed: Sha256::digest(parts.join("|")).into(), counter: 0 }.next_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_determines_the_stream() {
        let (mut one, mut other) = (Random::from_seed(7), Random::from_seed(7));
        assert_eq!(one.next_uuid(), other.next_uuid());
        assert_eq!(one.next_user_code(), other.next_user_code());
        assert_ne!(one.next_text(2), one.next_text(2));
        assert_ne!(Random::from_seed(8).next_text(1), Random::from_seed(9).next_text(1));
    }

    #[test]
    fn a_uuid_has_its_shape() {
        let uuid = Random::from_seed(1).next_uuid();
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert_eq!(&uuid[14..15], "4");
    }
}
