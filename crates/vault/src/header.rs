//! The header of a store: everything that must be known before its key is.
//!
//! A file of its own, and not a row of the database, for two reasons. The format version can be
//! read whatever becomes of the database's own format, so that an old build refuses a newer store
//! instead of taking it for damaged. And when the database is damaged, the provider and the key
//! live on: nothing falls back to a weaker provider because of a bad disk block.
//!
//! The file is one line of JSON and one line with its SHA-256 in hex. The digest tells damage from
//! a wrong passphrase. All formats to come keep these two lines and `"format"`; a provider or key
//! derivation that this build does not know comes with a higher format.
//!
//! The file is written before the first record, and replaced whole whenever a key comes or goes: an
//! owner's first save, a rotation. What is new in it is durable before anything depends on it, and
//! what it does not name any more nothing depends on. Each time its keys are wrapped anew,
//! those that are not in use straight from the header before.
//!
//! | format | |
//! |---|---|
//! | 1 | one data key, id 0, for all records |
//! | 2 | a data key for each owner, with whose it is and since when (module `data_keys`); wrapping keys have a generation |

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::data_keys::{DataKeys, FORMAT_1_ID, KeyEntry};
use crate::error::VaultError;
use crate::key::{KeyProvider, KeyRecord};
use crate::locked::Key;
use crate::options::{Randomness, RandomnessUnavailable, random};
use crate::seal::{digest, open_small, seal_small};
use crate::state_dir::StateDir;

pub(crate) const HEADER_NAME: &str = "vault.header";

/// The newest format that this build reads, and the one that it writes.
const FORMAT: u32 = 2;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    format: u32,
    /// 128 random bits in hex: tells the keys of two stores apart within one keyring.
    pub(crate) store_id: String,
    pub(crate) key: KeyRecord,
    /// When the wrapping key was made, in Unix seconds; format 1 does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) made_at: Option<u64>,
    /// Wrapping keys that were replaced, or were to take the place of this one: of no use, and yet to be discarded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) discarded: Vec<KeyRecord>,
    data_keys: Vec<WrappedKey>,
}

/// A key under the wrapping key: base64 of salt, ciphertext and tag.
#[derive(Clone, Serialize, Deserialize)]
struct WrappedKey {
    id: u32,
    wrapped: String,
}

impl std::fmt::Debug for WrappedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WrappedKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// What was found where the header should be.
#[derive(Debug)]
pub(crate) enum HeaderFile {
    Missing,
    /// With the provider that it names, as far as that can still be read.
    Damaged(Option<KeyProvider>),
    Sound(Header),
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

impl Header {
    /// A header that holds no keys yet.
    pub(crate) fn new(store_id: String, key: KeyRecord, made_at: u64) -> Self {
        let (made_at, discarded, data_keys) = (Some(made_at), Vec::new(), Vec::new());
        Self { format: FORMAT, store_id, key, made_at, discarded, data_keys }
    }

    /// Reads the header; refuses a newer format.
    pub(crate) fn read(dir: &StateDir) -> Result<HeaderFile, VaultError> {
        match dir.read(HEADER_NAME)? {
            None => Ok(HeaderFile::Missing),
            Some(content) => Self::parse(&content),
        }
    }

    fn parse(content: &[u8]) -> Result<HeaderFile, VaultError> {
        let damaged = || HeaderFile::Damaged(find_provider(content));
        let Some(json) = checked_line(content) else { return Ok(damaged()) };
        match serde_json::from_slice::<FormatOnly>(json) {
            Ok(FormatOnly { format: found }) if found > FORMAT => {
                return Err(VaultError::NewerFormat { found, supported: FORMAT });
            }
            Ok(_) => {}
            Err(_) => return Ok(damaged()),
        }
        Ok(serde_json::from_slice(json).map_or_else(|_| damaged(), HeaderFile::Sound))
    }

    pub(crate) fn write(&self, dir: &StateDir) -> Result<(), VaultError> {
        dir.replace(HEADER_NAME, &with_digest(&self.to_json()))
    }

    /// This header with these entries of keys in it.
    pub(crate) fn wrap(
        mut self,
        entries: &[KeyEntry],
        wrapping_key: &Key,
        randomness: &dyn Randomness,
    ) -> Result<Self, RandomnessUnavailable> {
        self.format = FORMAT;
        self.data_keys = Vec::new();
        let bound = self.bound();
        let mut data_keys = Vec::with_capacity(entries.len());
        for (id, content) in entries {
            let bound = bound_to(*id, &bound);
            let wrapped = seal_small(wrapping_key, random(randomness)?, &bound, content);
            data_keys.push(WrappedKey { id: *id, wrapped: BASE64.encode(wrapped) });
        }
        Ok(Self { data_keys, ..self })
    }

    /// Whose keys there are, without a key of any owner's in memory; `None` if the wrapping key is not the one that they were
    /// wrapped with.
    pub(crate) fn unwrap(&self, wrapping_key: &Key) -> Option<DataKeys> {
        let mut entries = Vec::new();
        let bound = self.bound();
        for key in &self.data_keys {
            entries.push((key.id, key.open(wrapping_key, &bound)?));
        }
        if self.format == 1 {
            let (_, key) = entries.into_iter().find(|(id, _)| *id == FORMAT_1_ID)?;
            return Some(DataKeys::of_format_1(Key::from_slice(&key)?));
        }
        DataKeys::from_entries(entries.iter().map(|(id, content)| (*id, content.as_slice())))
    }

    /// What it keeps of one key.
    pub(crate) fn entry(&self, id: u32, wrapping_key: &Key) -> Option<Zeroizing<Vec<u8>>> {
        let key = self.data_keys.iter().find(|key| key.id == id)?;
        key.open(wrapping_key, &self.bound())
    }

    /// Whether an older version wrote it.
    pub(crate) fn is_of_older_format(&self) -> bool {
        self.format < FORMAT
    }

    /// What the associated data of all of its keys has in common: nobody can give a key to another store, or lower the cost of
    /// the passphrase, without the wrapping key.
    fn bound(&self) -> Vec<u8> {
        let Self { format, made_at, .. } = *self;
        let (store_id, key) = (self.store_id.clone(), self.key.clone());
        let (discarded, data_keys) = (self.discarded.clone(), Vec::new());
        Self { format, store_id, key, made_at, discarded, data_keys }.to_json()
    }

    fn to_json(&self) -> Vec<u8> {
        #[expect(clippy::expect_used, reason = "strings and numbers alone, no map with odd keys")]
        serde_json::to_vec(self).expect("plain data serializes")
    }
}

impl WrappedKey {
    fn open(&self, wrapping_key: &Key, bound: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = BASE64.decode(&self.wrapped).ok()?;
        open_small(wrapping_key, &bound_to(self.id, bound), &sealed).ok()
    }
}

/// The associated data of a wrapped key.
fn bound_to(id: u32, bound: &[u8]) -> Vec<u8> {
    [b"valetkey data key".as_slice(), &id.to_le_bytes(), bound].concat()
}

fn with_digest(json: &[u8]) -> Vec<u8> {
    [json, b"\n", hex(&digest(json)).as_bytes(), b"\n"].concat()
}

/// The provider that a damaged header names. No few flipped bits make one name of another.
fn find_provider(content: &[u8]) -> Option<KeyProvider> {
    let is_named = |provider: &KeyProvider| {
        let member = format!("\"provider\":\"{provider}\"");
        content.windows(member.len()).any(|window| window == member.as_bytes())
    };
    KeyProvider::ALL.into_iter().find(is_named)
}

/// The first line, if the second is its digest.
fn checked_line(content: &[u8]) -> Option<&[u8]> {
    let end = content.iter().position(|byte| *byte == b'\n')?;
    let json = &content[..end];
    (with_digest(json) == content).then_some(json)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::Generation;
    use crate::options::SystemRandomness;

    fn wrapping_key(seed: u8) -> Key {
        Zeroizing::new([seed; 32]).into()
    }

    fn header() -> (Header, DataKeys) {
        let mut keys = DataKeys::create(&SystemRandomness).unwrap();
        keys.add("uid:1000", 1_700_000_000, &SystemRandomness).unwrap();
        let key = KeyRecord::File(Generation::default());
        let empty = Header::new("5703e1d".into(), key, 1_700_000_000);
        let entries = keys.entries(|_| None).unwrap();
        (empty.wrap(&entries, &wrapping_key(1), &SystemRandomness).unwrap(), keys)
    }

    #[test]
    fn the_keys_come_back_with_the_right_wrapping_key_only() {
        let (header, keys) = header();
        let again = header.unwrap(&wrapping_key(1)).unwrap();
        assert_eq!(again.proof(), keys.proof());
        assert_eq!(again.owners(), keys.owners());
        assert!(header.unwrap(&wrapping_key(2)).is_none());
    }

    #[test]
    fn a_wrapped_key_opens_in_its_own_header_only() {
        type Change = fn(&mut Header);
        let changes: [Change; 4] = [
            |header| header.store_id = "0ther".into(),
            |header| header.key = KeyRecord::Keyring(Generation::default()),
            |header| header.discarded.push(KeyRecord::File(Generation::default())),
            |header| header.data_keys[1].id += 1,
        ];
        for change in changes {
            let (mut header, _) = header();
            change(&mut header);
            assert!(header.unwrap(&wrapping_key(1)).is_none());
        }
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_noticed() {
        let sound = with_digest(&header().0.to_json());
        assert!(matches!(Header::parse(&sound), Ok(HeaderFile::Sound(_))));
        for bit in 0..sound.len() * 8 {
            let mut flipped = sound.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(Header::parse(&flipped), Ok(HeaderFile::Damaged(_))), "bit {bit}");
        }
        for length in 0..sound.len() {
            let parsed = Header::parse(&sound[..length]);
            assert!(matches!(parsed, Ok(HeaderFile::Damaged(_))), "{length}");
        }
    }

    #[test]
    fn a_damaged_header_names_its_provider_or_none_and_never_another() {
        let sound = with_digest(&header().0.to_json());
        let mut unreadable = 0;
        for bit in 0..sound.len() * 8 {
            let mut flipped = sound.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            match Header::parse(&flipped) {
                Ok(HeaderFile::Damaged(Some(KeyProvider::File))) => {}
                Ok(HeaderFile::Damaged(None)) => unreadable += 1,
                other => panic!("bit {bit}: {other:?}"),
            }
        }
        assert_eq!(unreadable, r#""provider":"file""#.len() * 8);
    }

    #[test]
    fn a_newer_format_is_refused_whatever_else_it_says() {
        let newer = with_digest(br#"{"format":3,"key":{"provider":"tpm"},"surprise":true}"#);
        assert!(matches!(
            Header::parse(&newer),
            Err(VaultError::NewerFormat { found: 3, supported: 2 })
        ));
    }

    #[test]
    fn the_debug_text_shows_no_wrapped_key() {
        let (header, _) = header();
        assert!(!format!("{header:?}").contains(&header.data_keys[0].wrapped));
    }
}
