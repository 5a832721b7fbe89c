//! One file for each user, a record to a line, as JSON. A full one makes room for a new one; some are kept.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use valetkey_model::Partition;
use valetkey_proto::v1::AuditRecord;
use valetkey_safe_path::{create_folder, open_to_append};

/// The files of a folder, one of them open.
pub(super) struct Files {
    folder: PathBuf,
    open: Option<Open>,
}

struct Open {
    user: Partition,
    file: File,
    length: u64,
}

impl Files {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, open: None }
    }

    pub(super) fn append(&mut self, user: &Partition, record: &AuditRecord) -> io::Result<()> {
        let mut line = serde_json::to_vec(record).map_err(io::Error::other)?;
        line.push(b'\n');
        let mut open = match self.open.take() {
            Some(open) if open.user == *user => open,
            _ => self.open(user)?,
        };
        if open.length + line.len() as u64 > MOST_BYTES {
            drop(open);
            self.make_room(user)?;
            open = self.open(user)?;
        }
        open.file.write_all(&line)?;
        open.length += line.len() as u64;
        // After a failure it is opened anew, since nobody knows how much of a line was written.
        self.open = Some(open);
        Ok(())
    }

    fn open(&self, user: &Partition) -> io::Result<Open> {
        create_folder(&self.folder).map_err(io::Error::other)?;
        let mut file = open_to_append(&path(&self.folder, user, 0)).map_err(io::Error::other)?;
        let length = file.metadata()?.len();
        if length > 0 {
            // The last line may have been broken off by a full disk or a power cut.
            file.write_all(b"\n")?;
        }
        Ok(Open { user: user.clone(), file, length: length + 1 })
    }

    /// Each file takes the name of the next older one; the oldest is gone.
    fn make_room(&self, user: &Partition) -> io::Result<()> {
        for age in (0..MOST_FILES - 1).rev() {
            let (from, to) = (path(&self.folder, user, age), path(&self.folder, user, age + 1));
            match fs::rename(from, to) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// The last records, the newest last. A line that is none is passed over.
pub(super) fn read_last(
    folder: &Path,
    user: &Partition,
    limit: usize,
) -> io::Result<Vec<AuditRecord>> {
    let mut records = Vec::new();
    for age in 0..MOST_FILES {
        let content = match fs::read(path(folder, user, age)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            content => content?,
        };
        let lines = content.rsplit(|byte| *byte == b'\n');
        let found = lines.filter_map(|line| serde_json::from_slice(line).ok());
        records.extend(found.take(limit - records.len()));
        if records.len() == limit {
            break;
        }
    }
    records.reverse();
    Ok(records)
}

/// `uid-1000.jsonl`, and `uid-1000.1.jsonl` for the one before.
fn path(folder: &Path, user: &Partition, age: u32) -> PathBuf {
    let user = user.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    folder.join(match age {
        0 => format!("{user}.jsonl"),
        _ => format!("{user}.{age}.jsonl"),
    })
}

const MOST_BYTES: u64 = 1024 * 1024;

const MOST_FILES: u32 = 8;
