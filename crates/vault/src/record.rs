//! One record, sealed: what is written, and what its place in the database is called.
//!
//! ```text
//! row    = HMAC(index key, partition)[..16] || HMAC(index key, partition, key)[..16]
//! stored = format: u8 || data key id: u32 || sealed(plain)
//! plain  = value || partition || key || partition length: u32 || key length: u32
//! ```
//!
//! The row is a keyed hash, so that no user name or client id shows in the file, yet the records of
//! a partition lie together. It is bound into the seal together with format and data key id: a
//! stored record that is moved to another row, partition or store no longer opens. The data key id
//! tells whose key it is, and which one while they are being replaced (module `data_keys`). The value
//! comes first so that the names can be cut off the decrypted buffer without a copy.

use crate::error::VaultError;
use crate::locked::Key;
use crate::seal::{
    Altered, SALT_LENGTH, Salt, TAG_LENGTH, keyed_hash, open_in_place, seal_in_place,
};

/// The name of a record in the database.
pub(crate) type Row = [u8; 32];

/// No row comes before it.
pub(crate) const FIRST_ROW: Row = [0x00; 32];

/// The part of a [`Row`] that all records of a partition share.
pub(crate) type RowPrefix = [u8; 16];

const RECORD_FORMAT: u8 = 1;
/// Format and data key id.
const HEAD_LENGTH: usize = 1 + 4;
const LENGTHS: usize = 4 + 4;

/// The keys that a data key yields: one to seal records, one to name them.
pub(crate) struct RecordKeys {
    /// The data key's.
    id: u32,
    seal: Key,
    index: Key,
}

/// A record that opened.
pub(crate) struct OpenedRecord<'a> {
    pub(crate) partition: &'a str,
    pub(crate) key: &'a str,
    pub(crate) value: &'a [u8],
}

impl RecordKeys {
    pub(crate) fn derive(id: u32, data_key: &Key) -> Self {
        let seal = keyed_hash(data_key, &[b"valetkey record seal"]).into();
        Self { id, seal, index: Self::index_key(data_key) }
    }

    /// The part of a data key that names records.
    pub(crate) fn index_key(data_key: &Key) -> Key {
        keyed_hash(data_key, &[b"valetkey record index"]).into()
    }

    /// What the rows of all records of `partition` begin with.
    pub(crate) fn prefix(&self, partition: &str) -> RowPrefix {
        prefix_of(&keyed_hash(&self.index, &[b"partition", partition.as_bytes()]))
    }

    pub(crate) fn row(&self, partition: &str, key: &str) -> Row {
        let name = keyed_hash(&self.index, &[b"record", partition.as_bytes(), key.as_bytes()]);
        let mut row = [0; 32];
        row[..16].copy_from_slice(&self.prefix(partition));
        row[16..].copy_from_slice(&name[..16]);
        row
    }

    /// What to store under `row`.
    pub(crate) fn seal(
        &self,
        row: &Row,
        (partition, key): (&str, &str),
        value: &[u8],
        salt: &Salt,
    ) -> Result<Vec<u8>, VaultError> {
        let length = |text: &str| u32::try_from(text.len()).map_err(|_| VaultError::NameTooLong);
        let (partition_length, key_length) = (length(partition)?, length(key)?);
        let plain_length = value.len() + partition.len() + key.len() + LENGTHS;
        // The final capacity from the start: growth would leave copies of the plain text behind.
        let mut stored = Vec::with_capacity(HEAD_LENGTH + SALT_LENGTH + plain_length + TAG_LENGTH);
        stored.push(RECORD_FORMAT);
        stored.extend(self.id.to_le_bytes());
        stored.extend(salt);
        stored.extend(value);
        stored.extend(partition.as_bytes());
        stored.extend(key.as_bytes());
        stored.extend(partition_length.to_le_bytes());
        stored.extend(key_length.to_le_bytes());
        let (head, plain) = stored.split_at_mut(HEAD_LENGTH + SALT_LENGTH);
        let bound = bound_to(&head[..HEAD_LENGTH], row);
        let tag = seal_in_place(&self.seal, salt, &bound, plain);
        stored.extend(tag);
        Ok(stored)
    }

    /// Opens what is stored under `row` at the end of `buffer`, which should have room for as many
    /// bytes as are stored.
    pub(crate) fn open<'a>(
        &self,
        row: &Row,
        stored: &[u8],
        buffer: &'a mut Vec<u8>,
    ) -> Result<OpenedRecord<'a>, Altered> {
        let (head, rest) = stored.split_first_chunk::<HEAD_LENGTH>().ok_or(Altered)?;
        let (salt, rest) = rest.split_first_chunk::<SALT_LENGTH>().ok_or(Altered)?;
        let (sealed, tag) = rest.split_last_chunk::<TAG_LENGTH>().ok_or(Altered)?;
        let start = buffer.len();
        buffer.extend_from_slice(sealed);
        let plain = &mut buffer[start..];
        open_in_place(&self.seal, salt, &bound_to(head, row), plain, tag)?;
        if head[0] != RECORD_FORMAT {
            return Err(Altered);
        }
        split(plain).ok_or(Altered)
    }
}

/// Which data key sealed what is stored.
pub(crate) fn key_id(stored: &[u8]) -> Option<u32> {
    let (head, _) = stored.split_first_chunk::<HEAD_LENGTH>()?;
    Some(u32::from_le_bytes([head[1], head[2], head[3], head[4]]))
}

/// What the seal of a record binds beside its content.
fn bound_to(head: &[u8], row: &Row) -> [u8; HEAD_LENGTH + 32] {
    let mut bound = [0; HEAD_LENGTH + 32];
    bound[..HEAD_LENGTH].copy_from_slice(head);
    bound[HEAD_LENGTH..].copy_from_slice(row);
    bound
}

fn split(plain: &[u8]) -> Option<OpenedRecord<'_>> {
    let (rest, key_length) = plain.split_last_chunk::<4>()?;
    let (rest, partition_length) = rest.split_last_chunk::<4>()?;
    let before_last = |bytes: &[u8], length: &[u8; 4]| {
        bytes.len().checked_sub(u32::from_le_bytes(*length) as usize)
    };
    let (rest, key) = rest.split_at(before_last(rest, key_length)?);
    let (value, partition) = rest.split_at(before_last(rest, partition_length)?);
    let (partition, key) = (str::from_utf8(partition).ok()?, str::from_utf8(key).ok()?);
    Some(OpenedRecord { partition, key, value })
}

/// The first row that can follow this one.
pub(crate) fn row_after(mut row: Row) -> Option<Row> {
    for byte in row.iter_mut().rev() {
        let (next, overflows) = byte.overflowing_add(1);
        *byte = next;
        if !overflows {
            return Some(row);
        }
    }
    None
}

/// The partition that a row is in.
pub(crate) fn prefix_of(row: &Row) -> RowPrefix {
    let mut prefix = [0; 16];
    prefix.copy_from_slice(&row[..16]);
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    const NAMES: [(&str, &str); 3] = [("user 1000", "k"), ("user 1000", "l"), ("user 1001", "k")];

    fn keys(seed: u8) -> RecordKeys {
        RecordKeys::derive(u32::from(seed), &Zeroizing::new([seed; 32]).into())
    }

    fn stored() -> (Row, Vec<u8>) {
        let row = keys(1).row("user 1000", "k");
        let stored = keys(1).seal(&row, ("user 1000", "k"), b"value", &[7; SALT_LENGTH]);
        (row, stored.unwrap())
    }

    fn opens(seed: u8, row: &Row, stored: &[u8]) -> bool {
        keys(seed).open(row, stored, &mut Vec::new()).is_ok()
    }

    #[test]
    fn a_record_opens_with_its_names_and_value() {
        let (row, stored) = stored();
        let mut buffer = b"before".to_vec();
        let opened = keys(1).open(&row, &stored, &mut buffer).ok().unwrap();
        assert_eq!((opened.partition, opened.key), ("user 1000", "k"));
        assert_eq!(opened.value, b"value");
        assert!(buffer.starts_with(b"beforevalue"));
    }

    #[test]
    fn a_record_opens_in_its_own_row_only() {
        let (_, stored) = stored();
        for (at, (partition, key)) in NAMES.into_iter().enumerate() {
            let row = keys(1).row(partition, key);
            assert_eq!(opens(1, &row, &stored), at == 0, "{partition} {key}");
        }
    }

    #[test]
    fn a_record_does_not_open_with_another_data_key() {
        let (row, stored) = stored();
        assert_eq!(key_id(&stored), Some(1));
        assert!(!opens(2, &row, &stored));
    }

    #[test]
    fn every_flipped_bit_and_every_missing_byte_is_noticed() {
        let (row, stored) = stored();
        for bit in 0..stored.len() * 8 {
            let mut flipped = stored.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!opens(1, &row, &flipped), "bit {bit}");
        }
        for length in 0..stored.len() {
            assert!(!opens(1, &row, &stored[..length]), "length {length}");
        }
    }

    #[test]
    fn the_row_after_the_last_one_is_none() {
        let mut row = [0xff; 32];
        assert_eq!(row_after(row), None);
        row[3] = 0x41;
        let mut next = [0x00; 32];
        next[..4].copy_from_slice(&[0xff, 0xff, 0xff, 0x42]);
        assert_eq!(row_after(row), Some(next));
    }

    #[test]
    fn the_rows_of_a_partition_share_its_prefix() {
        assert_eq!(keys(1).row("ab", "c")[..16], keys(1).prefix("ab"));
        assert_ne!(keys(1).prefix("ab"), keys(1).prefix("abc"));
        assert_ne!(keys(1).prefix("ab"), keys(2).prefix("ab"));
    }
}
