//! What a rotation needs of the database: the stored records, some at a time, and a new file.

use super::*;
use crate::record::row_after;

/// How much is looked at and taken at once, so that a save that comes meanwhile need not wait long.
const MOST_ROWS: usize = 4096;
const MOST_BYTES: usize = 512 * 1024;

/// Some stored records.
pub(crate) struct Batch {
    pub(crate) stored: Vec<(Row, Vec<u8>)>,
    /// Where to go on; `None` at the end.
    pub(crate) next: Option<Row>,
}

impl Database {
    /// The next stored records, from this row on, that were sealed with keys of these ids.
    pub(crate) fn read_some(
        &self,
        from: Row,
        is_wanted: impl Fn(u32) -> bool,
    ) -> Result<Batch, VaultError> {
        self.with_connection("read records of", |_, connection| {
            let records = connection.begin_read()?.open_table(RECORDS)?;
            let mut batch = Batch { stored: Vec::new(), next: None };
            let mut bytes = 0;
            for (number, entry) in records.range(from..)?.enumerate() {
                let (row, stored) = entry?;
                if key_id(stored.value()).is_some_and(&is_wanted) {
                    bytes += stored.value().len();
                    batch.stored.push((row.value(), stored.value().to_vec()));
                }
                if number >= MOST_ROWS || bytes >= MOST_BYTES {
                    batch.next = row_after(row.value());
                    break;
                }
            }
            Ok(batch)
        })
    }

    /// Copies all records into a new file, which takes the place of this one: the file of a database keeps in its free pages
    /// what was there before.
    pub(crate) fn rebuild(&self) -> Result<(), VaultError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let rebuilt = no_panic(|| {
            let old = match state.connection.take() {
                Some(connection) => connection,
                None => connect(&self.dir, Stamp::NONE)?,
            };
            self.dir.remove(NEW_NAME)?;
            let new =
                builder().create_with_backend(FileBackend::new(self.dir.create(NEW_NAME)?)?)?;
            copy(&old, &new)?;
            new.close()?;
            // Closed before it is replaced, as Windows wants it.
            drop(old);
            self.dir.rename(NEW_NAME, DATABASE_NAME)?;
            let written = Stamp::of(&self.dir.metadata(DATABASE_NAME)?);
            state.connection = Some(connect(&self.dir, written)?);
            Ok(())
        });
        if rebuilt.is_err() {
            // What was written of it is in the way of nobody but the disk's other users.
            let _ = self.dir.remove(NEW_NAME);
        }
        rebuilt.map_err(|fault| fault.into_error("write anew", &self.dir.path(DATABASE_NAME)))
    }
}

fn copy(from: &redb::Database, to: &redb::Database) -> Result<(), Fault> {
    let (reading, writing) = (from.begin_read()?, to.begin_write()?);
    {
        let mut records = writing.open_table(RECORDS)?;
        for entry in reading.open_table(RECORDS)?.iter()? {
            let (row, stored) = entry?;
            records.insert(row.value(), stored.value())?;
        }
        let mut counts = writing.open_table(COUNTS)?;
        for entry in reading.open_table(COUNTS)?.iter()? {
            let (prefix, count) = entry?;
            counts.insert(prefix.value(), count.value())?;
        }
        let mut about = writing.open_table(ABOUT)?;
        for entry in reading.open_table(ABOUT)?.iter()? {
            let (name, value) = entry?;
            about.insert(name.value(), value.value())?;
        }
    }
    writing.commit()?;
    Ok(())
}
