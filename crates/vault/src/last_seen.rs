//! What was last seen of the database, noted outside it.
//!
//! Two things, for two questions that the database cannot answer about itself:
//!
//! - **How many saves has it seen?** The database makes a save durable with one flush. The price:
//!   after a kill it cannot tell a save that was cut off from one that was complete and has rotted
//!   since, and silently goes back to the save before. An older refresh token must not come back
//!   silently. The number is noted after each save and not flushed: it survives a kill of the
//!   process, and after a power cut it is at most too old. If it is ever ahead of the database,
//!   that many saves are gone.
//! - **Did anyone write to the file since we closed it?** Checking every page of 10,000 records
//!   takes longer than loading them. The file's identity, length and times of change are noted
//!   when it is closed; while they are the same, the check is left out. What the kernel does not
//!   count as a write, a medium that rots, the seals of the records notice.
//!
//! The note is a hint: without it, or with a wrong digest, the database is checked and the count
//! begins at what the database says.

use std::fs::{File, Metadata};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::UNIX_EPOCH;

use crate::error::VaultError;
use crate::seal::digest;
use crate::state_dir::StateDir;

const NOTE_NAME: &str = "vault.seen";

/// The note: number of saves, stamp, and the start of the SHA-256 of both.
const NOTE_LENGTH: usize = 8 + 16 + 8;

pub(crate) struct LastSeen {
    file: File,
}

/// What was noted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) saves: u64,
    /// [`Stamp::NONE`] while the database is open.
    pub(crate) stamp: Stamp,
}

/// A digest of what the kernel says of a file; the same as long as nobody writes to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp([u8; 16]);

impl Stamp {
    /// The stamp of no file.
    pub(crate) const NONE: Self = Self([0; 16]);

    pub(crate) fn of(metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
        let mut facts = vec![i128::from(metadata.len())];
        facts.push(modified.unwrap_or_default().as_nanos().cast_signed());
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            facts.extend([metadata.ctime(), metadata.ctime_nsec()].map(i128::from));
            facts.extend([metadata.dev(), metadata.ino()].map(i128::from));
        }
        let facts: Vec<u8> = facts.into_iter().flat_map(i128::to_le_bytes).collect();
        let mut stamp = [0; 16];
        stamp.copy_from_slice(&digest(&facts)[..16]);
        Self(stamp)
    }
}

impl LastSeen {
    pub(crate) fn open(dir: &StateDir) -> Result<Self, VaultError> {
        let file = match dir.open(NOTE_NAME)? {
            Some(file) => file,
            None => dir.create(NOTE_NAME)?,
        };
        Ok(Self { file })
    }

    /// The note; an empty one if there is none yet or its digest is wrong.
    pub(crate) fn read(&mut self) -> Note {
        let mut content = [0; NOTE_LENGTH];
        let read =
            self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.read_exact(&mut content));
        match read {
            Ok(()) => Note::decode(&content).unwrap_or_default(),
            Err(_) => Note::default(),
        }
    }

    /// Writes the note. What it is about is on the disk already, so a failure must not fail that.
    pub(crate) fn write(&mut self, note: Note) {
        let written =
            self.file.seek(SeekFrom::Start(0)).and_then(|_| self.file.write_all(&note.encode()));
        if let Err(error) = written {
            tracing::debug!(%error, "the state of the database was not noted");
        }
    }
}

impl Note {
    fn encode(&self) -> [u8; NOTE_LENGTH] {
        let mut content = [0; NOTE_LENGTH];
        content[..8].copy_from_slice(&self.saves.to_le_bytes());
        content[8..24].copy_from_slice(&self.stamp.0);
        let check = digest(&content[..24]);
        content[24..].copy_from_slice(&check[..8]);
        content
    }

    fn decode(content: &[u8; NOTE_LENGTH]) -> Option<Self> {
        let (saves, rest) = content.split_first_chunk::<8>()?;
        let (stamp, _) = rest.split_first_chunk::<16>()?;
        let note = Self { saves: u64::from_le_bytes(*saves), stamp: Stamp(*stamp) };
        (note.encode() == *content).then_some(note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_with_a_flipped_bit_counts_for_nothing() {
        let note = Note { saves: 7, stamp: Stamp([9; 16]) };
        assert_eq!(Note::decode(&note.encode()), Some(note));
        for bit in 0..NOTE_LENGTH * 8 {
            let mut flipped = note.encode();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Note::decode(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn a_write_changes_the_stamp() {
        let mut file = tempfile::tempfile().unwrap();
        let before = Stamp::of(&file.metadata().unwrap());
        assert_eq!(Stamp::of(&file.metadata().unwrap()), before);
        file.write_all(b"x").unwrap();
        assert_ne!(Stamp::of(&file.metadata().unwrap()), before);
    }
}
