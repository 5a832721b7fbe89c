//! Sealing bytes: the only place that touches cryptography.
//!
//! ```text
//! sealed = salt: 32 random bytes || AES-256-GCM(key = HMAC-SHA256(sealing key, salt), nonce = 0)
//! ```
//!
//! Each seal has a key of its own, derived from a random salt (HKDF's expand step, RFC 5869), and
//! uses it once; so the nonce can be fixed, and no counter has to survive crashes and restored
//! backups, as AES-GCM's 12 byte nonce would need sooner or later. XChaCha20-Poly1305 solves the
//! same with a 24 byte nonce. It is not used because this is three to four times faster on records
//! of 2 KiB, which decides how fast the daemon starts, and because ring, which the daemon carries
//! for TLS in any case, has AES and SHA-256 in assembly for every processor that matters.
//!
//! ring does not wipe its keys. They live on the stack for one call, as the keys of one seal do; what is kept is [`Key`].

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use ring::{digest, hmac};
use zeroize::Zeroizing;

use crate::locked::Key;

/// What makes the key of one seal.
pub(crate) type Salt = [u8; SALT_LENGTH];

pub(crate) const SALT_LENGTH: usize = 32;
pub(crate) const TAG_LENGTH: usize = 16;

/// The bytes are not what was sealed with this key for this purpose.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Altered;

/// Encrypts `plain` where it is and answers the tag; `bound` is authenticated with it.
pub(crate) fn seal_in_place(
    key: &Key,
    salt: &Salt,
    bound: &[u8],
    plain: &mut [u8],
) -> [u8; TAG_LENGTH] {
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    #[expect(clippy::expect_used, reason = "fails only beyond 64 GiB; a redb value ends at 3 GiB")]
    let tag = key_of(key, salt)
        .seal_in_place_separate_tag(nonce, Aad::from(bound), plain)
        .expect("shorter than 64 GiB");
    let mut bytes = [0; TAG_LENGTH];
    bytes.copy_from_slice(tag.as_ref());
    bytes
}

/// The reverse of [`seal_in_place`].
pub(crate) fn open_in_place(
    key: &Key,
    salt: &Salt,
    bound: &[u8],
    sealed: &mut [u8],
    tag: &[u8; TAG_LENGTH],
) -> Result<(), Altered> {
    let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
    key_of(key, salt)
        .open_in_place_separate_tag(nonce, Aad::from(bound), Tag::from(*tag), sealed, 0..)
        .map_or(Err(Altered), |_| Ok(()))
}

/// Seals a small secret by itself: `salt || ciphertext || tag`.
pub(crate) fn seal_small(key: &Key, salt: Salt, bound: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut secret = Zeroizing::new(secret.to_vec());
    let tag = seal_in_place(key, &salt, bound, &mut secret);
    [salt.as_slice(), &secret, &tag].concat()
}

/// The reverse of [`seal_small`].
pub(crate) fn open_small(
    key: &Key,
    bound: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Altered> {
    let (salt, rest) = sealed.split_first_chunk::<SALT_LENGTH>().ok_or(Altered)?;
    let (secret, tag) = rest.split_last_chunk::<TAG_LENGTH>().ok_or(Altered)?;
    let mut secret = Zeroizing::new(secret.to_vec());
    open_in_place(key, salt, bound, &mut secret, tag)?;
    Ok(secret)
}

/// HMAC-SHA256 over parts that cannot run into each other: each is preceded by its length.
pub(crate) fn keyed_hash(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut mac = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    let mut hash = Zeroizing::new([0; 32]);
    hash.copy_from_slice(mac.sign().as_ref());
    hash
}

/// SHA-256.
pub(crate) fn digest(content: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, content).as_ref());
    hash
}

fn key_of(key: &Key, salt: &Salt) -> LessSafeKey {
    let once = keyed_hash(key, &[b"seal", salt]);
    #[expect(clippy::expect_used, reason = "AES-256 takes 32 bytes, and a `Key` has 32")]
    let unbound = UnboundKey::new(&AES_256_GCM, once.as_slice()).expect("32 bytes");
    LessSafeKey::new(unbound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_secret_opens_with_its_key_and_purpose_only() {
        let key = |seed| Key::from(Zeroizing::new([seed; 32]));
        let sealed = seal_small(&key(1), [3; SALT_LENGTH], b"purpose", b"secret");
        assert_eq!(open_small(&key(1), b"purpose", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(open_small(&key(2), b"purpose", &sealed), Err(Altered));
        assert_eq!(open_small(&key(1), b"another", &sealed), Err(Altered));
    }

    #[test]
    fn hashed_parts_cannot_run_into_each_other() {
        let key = [1; 32];
        assert_ne!(keyed_hash(&key, &[b"ab", b"c"]), keyed_hash(&key, &[b"a", b"bc"]));
        assert_ne!(keyed_hash(&key, &[b"ab"]), keyed_hash(&key, &[b"ab", b""]));
    }
}
