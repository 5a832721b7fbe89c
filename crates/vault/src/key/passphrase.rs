//! The wrapping key derived from a passphrase with Argon2id (RFC 9106).

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::{Zeroize, Zeroizing};

use crate::locked::Key;

/// How much memory and time one guess costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "CostRecord")]
pub struct PassphraseCost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl PassphraseCost {
    /// `None` for what Argon2 cannot do, or what is far above what is ever written: a header that
    /// someone tampered with must not take the memory and the processor of whoever reads it.
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Option<Self> {
        let bounded = memory_kib <= 256 * 1024 && passes <= 8 && lanes <= 4;
        let possible = Params::new(memory_kib, passes, lanes, Some(32)).is_ok();
        (bounded && possible).then_some(Self { memory_kib, passes, lanes })
    }
}

impl Default for PassphraseCost {
    /// 64 MiB and three passes, the second choice of RFC 9106 section 4, in one lane: the daemon
    /// unlocks once, and stays within small machines.
    fn default() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 }
    }
}

/// The costs as a header states them, before they are found to be sane.
#[derive(Deserialize)]
struct CostRecord {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl TryFrom<CostRecord> for PassphraseCost {
    type Error = &'static str;

    fn try_from(record: CostRecord) -> Result<Self, Self::Error> {
        Self::new(record.memory_kib, record.passes, record.lanes).ok_or("cost out of bounds")
    }
}

/// How the key of one store comes from its passphrase; recorded in the header.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Derivation {
    function: Function,
    #[serde(flatten)]
    cost: PassphraseCost,
    salt: Salt,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Function {
    Argon2id,
}

#[derive(Clone, Debug, PartialEq)]
struct Salt([u8; 16]);

impl Derivation {
    pub(super) fn new(cost: PassphraseCost, salt: [u8; 16]) -> Self {
        Self { function: Function::Argon2id, cost, salt: Salt(salt) }
    }

    pub(super) fn derive(&self, passphrase: &str) -> Key {
        let PassphraseCost { memory_kib, passes, lanes } = self.cost;
        let mut key = Zeroizing::new([0; 32]);
        #[expect(clippy::expect_used, reason = "`PassphraseCost::new` tried the same parameters")]
        let params = Params::new(memory_kib, passes, lanes, Some(32)).expect("tried before");
        let mut memory = vec![Block::default(); params.block_count()];
        #[expect(
            clippy::expect_used,
            reason = "fails for a passphrase over 4 GiB, a salt under 8 \
            bytes or too little memory; the memory and the salt's length are given right here"
        )]
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(
                passphrase.as_bytes(),
                &self.salt.0,
                key.as_mut_slice(),
                &mut memory,
            )
            .expect("lengths within Argon2's bounds");
        memory.iter_mut().for_each(Zeroize::zeroize);
        key.into()
    }
}

impl fmt::Display for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PassphraseCost { memory_kib, passes, lanes } = self.cost;
        let (passes, lanes) = (count(passes, "pass", "passes"), count(lanes, "lane", "lanes"));
        write!(f, "Argon2id, {} MiB, {passes}, {lanes}", memory_kib / 1024)
    }
}

fn count(number: u32, one: &str, several: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { several })
}

impl Serialize for Salt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Salt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = BASE64.decode(String::deserialize(deserializer)?).map_err(de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| de::Error::custom("a salt has 16 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_out_of_bounds_is_refused() {
        for (memory_kib, passes, lanes, sane) in [
            (64 * 1024, 3, 1, true),
            (4, 3, 1, false),
            (256 * 1024, 8, 4, true),
            (256 * 1024 + 1, 3, 1, false),
            (64 * 1024, 0, 1, false),
            (64 * 1024, 9, 1, false),
            (64 * 1024, 3, 5, false),
        ] {
            let cost = PassphraseCost::new(memory_kib, passes, lanes);
            assert_eq!(cost.is_some(), sane, "{memory_kib} {passes} {lanes}");
        }
    }

    #[test]
    fn the_cost_is_told_in_words() {
        for (passes, lanes, told) in [(3, 1, "3 passes, 1 lane"), (1, 2, "1 pass, 2 lanes")] {
            let cost = PassphraseCost::new(64 * 1024, passes, lanes).unwrap();
            let derivation = Derivation::new(cost, [0; 16]);
            assert_eq!(derivation.to_string(), format!("Argon2id, 64 MiB, {told}"));
        }
    }

    #[test]
    fn the_key_depends_on_passphrase_salt_and_cost() {
        let derive = |passphrase, salt, passes| {
            let cost = PassphraseCost::new(64, passes, 1).unwrap();
            Derivation::new(cost, [salt; 16]).derive(passphrase)
        };
        let key = derive("open sesame", 1, 1);
        assert_eq!(key, derive("open sesame", 1, 1));
        assert_ne!(key, derive("open sesamE", 1, 1));
        assert_ne!(key, derive("open sesame", 2, 1));
        assert_ne!(key, derive("open sesame", 1, 2));
    }
}
