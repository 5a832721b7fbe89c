//! Entries as bytes to store: a version, the kind, then named members.
//!
//! Binary instead of JSON because a start reads every entry: a token is copied, not scanned for escapes. All numbers are
//! little-endian. A member is a name (u16 length), a tag, and a value (u32 length); a null member is left out.

use std::borrow::Cow;

use valetkey_model::UnixTime;
use zeroize::Zeroizing;

use crate::Entry;
use crate::members::{Given, Member, MemberError, Members};
use crate::shared::Shared;

/// The version that [`Entry::encode`] writes.
pub const FORMAT_VERSION: u8 = 1;

const TAG_TEXT: u8 = 0;
const TAG_TIME: u8 = 1;
const TAG_JSON: u8 = 2;

/// Why stored bytes are no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Written by a newer version; this one must not touch it.
    #[error("entry has format version {version}, newer than {FORMAT_VERSION}")]
    Newer {
        /// The version found.
        version: u8,
    },
    /// Not what any version wrote.
    #[error("entry is damaged: {0}")]
    Damaged(&'static str),
    /// A member is not what it must be.
    #[error("entry is damaged: {0}")]
    Member(#[from] MemberError),
}

impl Entry {
    /// The bytes to store.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let members: Vec<(&str, u8, Cow<'_, [u8]>)> =
            self.members().into_iter().filter_map(|(name, it)| encode_member(name, it)).collect();
        let section = self.section();
        let length: usize =
            members.iter().map(|(name, _, value)| 7 + name.len() + value.len()).sum();
        // Reserved in one piece: a buffer that grows leaves copies of the secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(3 + section.len() + length));
        bytes.push(FORMAT_VERSION);
        put_name(&mut bytes, section);
        for (name, tag, value) in members {
            put_name(&mut bytes, name);
            bytes.push(tag);
            bytes.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(&value);
        }
        bytes
    }

    /// The entry that was stored. For more than one there is [`EntryDecoder`].
    ///
    /// # Errors
    /// When the bytes are of a newer version, or damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        EntryDecoder::default().decode(bytes)
    }
}

/// Reads the entries of a store, so that what they have in common (hosts, tenants, ids, scopes) is in memory once.
#[derive(Default)]
pub struct EntryDecoder(Shared);

impl EntryDecoder {
    /// The entry that was stored.
    ///
    /// # Errors
    /// When the bytes are of a newer version, or damaged.
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Entry, DecodeError> {
        let mut reader = Reader(bytes);
        match reader.take(1)?[0] {
            FORMAT_VERSION => {}
            0 => return Err(DecodeError::Damaged("format version is 0")),
            version => return Err(DecodeError::Newer { version }),
        }
        let section = reader.take_name()?;
        let mut members = Vec::with_capacity(16);
        while !reader.0.is_empty() {
            let name = reader.take_name()?;
            // The second one would be taken for a member that this version does not know.
            if members.iter().any(|(known, _)| *known == name) {
                return Err(DecodeError::Damaged("a member is there twice"));
            }
            members.push((Cow::Borrowed(name), reader.take_value()?));
        }
        let entry = Members::new(members, &mut self.0).into_entry(section);
        Ok(entry.ok_or(DecodeError::Damaged("kind is unknown"))??)
    }
}

/// `None` for what is not written: nulls, and what no length field could hold.
fn encode_member<'a>(name: &'a str, member: Member<'a>) -> Option<(&'a str, u8, Cow<'a, [u8]>)> {
    let (tag, value) = match member {
        Member::Null => return None,
        Member::Text(text) => (TAG_TEXT, Cow::Borrowed(text.as_bytes())),
        Member::Time(time) => (TAG_TIME, Cow::Owned(time.seconds().to_le_bytes().to_vec())),
        Member::Json(value) => (TAG_JSON, Cow::Owned(value.to_string().into_bytes())),
    };
    let fits = u16::try_from(name.len()).is_ok() && u32::try_from(value.len()).is_ok();
    fits.then_some((name, tag, value))
}

fn put_name(bytes: &mut Vec<u8>, name: &str) {
    bytes.extend_from_slice(&u16::try_from(name.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(name.as_bytes());
}

/// What is still to be read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, left) =
            self.0.split_at_checked(count).ok_or(DecodeError::Damaged("ends too early"))?;
        self.0 = left;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, left) =
            self.0.split_first_chunk().ok_or(DecodeError::Damaged("ends too early"))?;
        self.0 = left;
        Ok(*taken)
    }

    fn take_text(&mut self, length: usize) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.take(length)?)
            .map_err(|_| DecodeError::Damaged("text is not UTF-8"))
    }

    fn take_name(&mut self) -> Result<&'a str, DecodeError> {
        let length = u16::from_le_bytes(self.take_array()?);
        self.take_text(length.into())
    }

    fn take_value(&mut self) -> Result<Given<'a>, DecodeError> {
        let tag = self.take(1)?[0];
        let length = u32::from_le_bytes(self.take_array()?);
        let length = usize::try_from(length).map_err(|_| DecodeError::Damaged("is too long"))?;
        match tag {
            TAG_TEXT => Ok(Given::Text(Cow::Borrowed(self.take_text(length)?))),
            TAG_TIME if length == 8 => {
                Ok(Given::Time(UnixTime::from_seconds(i64::from_le_bytes(self.take_array()?))))
            }
            TAG_JSON => serde_json::from_slice(self.take(length)?)
                .map(Given::Json)
                .map_err(|_| DecodeError::Damaged("member is no JSON")),
            _ => Err(DecodeError::Damaged("tag of a member is unknown")),
        }
    }
}
