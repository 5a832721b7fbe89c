//! The sealed records in redb, an embedded B-tree database.
//!
//! One save is one redb transaction with one flush, and touches the pages of what changed. redb
//! verifies the checksum of every page after an unclean end, or when it is told to check; a plain
//! open may panic on a file that was altered, so it is used only for a file that nobody wrote to
//! since it was closed (module `last_seen`). After an I/O error redb refuses all work until
//! it is opened anew, so a failed call drops the connection and the next call opens it again.

mod anew;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use redb::backends::FileBackend;
use redb::{
    ReadOnlyTable, ReadableDatabase, ReadableTable, ReadableTableMetadata, Table, TableDefinition,
};

use zeroize::Zeroizing;

use crate::data_keys::DataKey;
use crate::error::VaultError;
use crate::fault::{Fault, no_panic};
use crate::last_seen::{LastSeen, Note, Stamp};
use crate::loaded::{Loaded, Loader, Record};
use crate::record::{RecordKeys, Row, RowPrefix, key_id, prefix_of};
use crate::state_dir::StateDir;
pub(crate) use anew::Batch;

pub(crate) const DATABASE_NAME: &str = "vault.redb";
/// Of a database that is being made.
const NEW_NAME: &str = "vault.redb.new";

const RECORDS: TableDefinition<'_, Row, &[u8]> = TableDefinition::new("records");
/// How many rows each partition has, so that a load notices when the tree leads past some.
const COUNTS: TableDefinition<'_, RowPrefix, u64> = TableDefinition::new("counts");
/// `proof`: shows whose database it is. `saves`: how many saves it has seen.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");

/// The daemon reads everything once and then writes; the kernel's page cache does the rest.
const CACHE_BYTES: usize = 512 * 1024;

/// From here on the decryption of a partition is worth more than one thread.
const RECORDS_FOR_THREADS: u64 = 500;
const MOST_THREADS: usize = 2;

/// The database of one store.
pub(crate) struct Database {
    dir: StateDir,
    state: Mutex<State>,
}

struct State {
    /// `None` after a failure: the next call opens it again.
    connection: Option<redb::Database>,
    last_seen: LastSeen,
    saves: u64,
}

/// What was found where the database should be.
pub(crate) enum Found {
    Missing,
    Damaged(String),
    Sound { database: Database, saves_lost: u64 },
}

/// A row to write, or to remove.
pub(crate) type SealedChange = (Row, Option<Vec<u8>>);

impl Database {
    /// Opens the database, and checks the whole of it unless nobody wrote to it since.
    pub(crate) fn open(dir: &StateDir, proof: &[u8; 32]) -> Result<Found, VaultError> {
        if !dir.exists(DATABASE_NAME) {
            return Ok(Found::Missing);
        }
        let mut last_seen = LastSeen::open(dir)?;
        let note = last_seen.read();
        let attempt = |trusted| {
            no_panic(|| {
                let connection = connect(dir, trusted)?;
                let saves = check_proof(&connection, proof)?;
                Ok((connection, saves))
            })
        };
        let (connection, saves) = match attempt(note.stamp).or_else(|fault| match fault {
            Fault::Damaged(_) => attempt(Stamp::NONE),
            other => Err(other),
        }) {
            Ok(opened) => opened,
            Err(Fault::Damaged(detail)) => return Ok(Found::Damaged(detail)),
            Err(fault) => return Err(fault.into_error("open", &dir.path(DATABASE_NAME))),
        };
        last_seen.write(Note { saves, stamp: Stamp::NONE });
        let state = Mutex::new(State { connection: Some(connection), last_seen, saves });
        let database = Self { dir: dir.clone(), state };
        Ok(Found::Sound { database, saves_lost: note.saves.saturating_sub(saves) })
    }

    /// Creates an empty database under a temporary name, so that a database cut off while it is
    /// born is never taken for a damaged one.
    pub(crate) fn create(dir: &StateDir, proof: &[u8; 32]) -> Result<(), VaultError> {
        dir.remove(NEW_NAME)?;
        let file = dir.create(NEW_NAME)?;
        no_panic(|| {
            let connection = builder().create_with_backend(FileBackend::new(file)?)?;
            let transaction = connection.begin_write()?;
            transaction.open_table(RECORDS)?;
            transaction.open_table(COUNTS)?;
            let mut about = transaction.open_table(ABOUT)?;
            about.insert("proof", proof.as_slice())?;
            about.insert("saves", 0u64.to_le_bytes().as_slice())?;
            drop(about);
            transaction.commit()?;
            Ok(connection.close()?)
        })
        .map_err(|fault| fault.into_error("create", &dir.path(NEW_NAME)))?;
        LastSeen::open(dir)?.write(Note::default());
        dir.rename(NEW_NAME, DATABASE_NAME)
    }

    /// The records of a partition that these keys open, as `reader` reads them: it is asked for a reader by each thread
    /// that takes part.
    pub(crate) fn load<T: Send, R: FnMut(Record<'_>) -> T>(
        &self,
        keys: &[Arc<DataKey>],
        partition: &str,
        reader: &(impl Fn() -> R + Sync),
    ) -> Result<Loaded<T>, VaultError> {
        self.with_connection("load records from", |_, connection| {
            let transaction = connection.begin_read()?;
            let (counts, records) =
                (transaction.open_table(COUNTS)?, transaction.open_table(RECORDS)?);
            let mut loaded = Loaded { records: Vec::new(), damaged: 0 };
            for key in keys {
                let prefix = key.records.prefix(partition);
                let expected = counts.get(prefix)?.map_or(0, |n| n.value());
                loaded.extend(load_rows(&records, &key.records, prefix, expected, reader)?);
            }
            Ok(loaded)
        })
    }

    /// The names of the partitions that have a record that opens; reads one record of each.
    pub(crate) fn partitions(
        &self,
        mut find_key: impl FnMut(u32) -> Option<Arc<DataKey>>,
    ) -> Result<BTreeSet<String>, VaultError> {
        self.with_connection("list partitions of", |_, connection| {
            let records = connection.begin_read()?.open_table(RECORDS)?;
            let mut names = BTreeSet::new();
            let mut from = Some([0x00; 32]);
            while let Some(first) = from.take() {
                for entry in records.range(first..)? {
                    let (row, stored) = entry?;
                    let Some(key) = key_id(stored.value()).and_then(&mut find_key) else {
                        continue;
                    };
                    let mut buffer = Zeroizing::new(Vec::with_capacity(stored.value().len()));
                    let opened = key.records.open(&row.value(), stored.value(), &mut buffer);
                    if let Ok(record) = opened {
                        names.insert(record.partition.to_owned());
                        from = after_partition(row.value());
                        break;
                    }
                }
            }
            Ok(names)
        })
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> Result<u64, VaultError> {
        self.with_connection("count records of", |_, connection| {
            Ok(connection.begin_read()?.open_table(RECORDS)?.len()?)
        })
    }

    /// Writes all changes, in order, in one durable transaction.
    pub(crate) fn save(&self, changes: Vec<SealedChange>) -> Result<(), VaultError> {
        self.with_connection("save records in", |state, connection| {
            let transaction = connection.begin_write()?;
            let grown = apply(&mut transaction.open_table(RECORDS)?, changes)?;
            count(&mut transaction.open_table(COUNTS)?, grown)?;
            let mut about = transaction.open_table(ABOUT)?;
            let saves = read_saves(&about)? + 1;
            about.insert("saves", saves.to_le_bytes().as_slice())?;
            drop(about);
            transaction.commit()?;
            state.saves = saves;
            state.last_seen.write(Note { saves, stamp: Stamp::NONE });
            Ok(())
        })
    }

    /// Runs `work` with the connection, which is opened if an earlier failure closed it, and closed
    /// if this call fails.
    fn with_connection<T>(
        &self,
        doing: &'static str,
        work: impl FnOnce(&mut State, &redb::Database) -> Result<T, Fault>,
    ) -> Result<T, VaultError> {
        let mut state: MutexGuard<'_, State> =
            self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = no_panic(|| {
            let connection = match state.connection.take() {
                Some(connection) => connection,
                None => connect(&self.dir, Stamp::NONE)?,
            };
            let done = work(&mut state, &connection)?;
            state.connection = Some(connection);
            Ok(done)
        });
        result.map_err(|fault| fault.into_error(doing, &self.dir.path(DATABASE_NAME)))
    }
}

impl Drop for Database {
    /// Closes the file and notes its state, so that the next open need not check it.
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(connection) = state.connection.take() else { return };
        let closed = no_panic(|| {
            connection.close()?;
            let metadata = self.dir.metadata(DATABASE_NAME)?;
            Ok(Stamp::of(&metadata))
        });
        if let Ok(stamp) = closed {
            state.last_seen.write(Note { saves: state.saves, stamp });
        }
    }
}

/// Loads the rows with this prefix, of which there should be so many: a part on this thread, and others on threads of their own.
fn load_rows<T: Send, R: FnMut(Record<'_>) -> T>(
    records: &ReadOnlyTable<Row, &'static [u8]>,
    keys: &RecordKeys,
    prefix: RowPrefix,
    expected: u64,
    reader: &(impl Fn() -> R + Sync),
) -> Result<Loaded<T>, Fault> {
    let threads = match expected {
        RECORDS_FOR_THREADS.. => thread::available_parallelism().map_or(1, usize::from),
        _ => 1,
    };
    let load = |range| load_range(records, keys, range, Loader::new(reader()));
    let loaded = thread::scope(|scope| {
        let mut ranges = split_partition(prefix, threads.min(MOST_THREADS) as u8).into_iter();
        let own = ranges.next();
        let workers: Vec<_> = ranges.map(|range| scope.spawn(move || load(range))).collect();
        let mut loaded = own.map_or_else(|| Ok(Loader::new(reader()).finish()), load)?;
        for worker in workers {
            loaded.extend(worker.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok::<_, Fault>(loaded)
    })?;
    match loaded.records.len() + loaded.damaged {
        found if found as u64 == expected => Ok(loaded),
        found => Err(Fault::Damaged(format!("{found} of {expected} records found"))),
    }
}

fn load_range<T, R: FnMut(Record<'_>) -> T>(
    records: &ReadOnlyTable<Row, &'static [u8]>,
    keys: &RecordKeys,
    range: RangeInclusive<Row>,
    mut loader: Loader<T, R>,
) -> Result<Loaded<T>, Fault> {
    for entry in records.range(range)? {
        let (row, stored) = entry?;
        loader.add(keys, &row.value(), stored.value());
    }
    Ok(loader.finish())
}

/// Applies changes, and answers by how many rows each partition has grown.
fn apply(
    records: &mut Table<'_, Row, &'static [u8]>,
    changes: Vec<SealedChange>,
) -> Result<BTreeMap<RowPrefix, i64>, Fault> {
    let mut grown = BTreeMap::new();
    for (row, sealed) in changes {
        let growth = match sealed {
            Some(sealed) => i64::from(records.insert(row, sealed.as_slice())?.is_none()),
            None => -i64::from(records.remove(row)?.is_some()),
        };
        *grown.entry(prefix_of(&row)).or_default() += growth;
    }
    Ok(grown)
}

fn count(
    counts: &mut Table<'_, RowPrefix, u64>,
    grown: BTreeMap<RowPrefix, i64>,
) -> Result<(), Fault> {
    for (prefix, growth) in grown.into_iter().filter(|(_, growth)| *growth != 0) {
        let before = counts.get(prefix)?.map_or(0, |n| n.value());
        match before.saturating_add_signed(growth) {
            0 => counts.remove(prefix)?,
            n => counts.insert(prefix, n)?,
        };
    }
    Ok(())
}

fn builder() -> redb::Builder {
    let mut builder = redb::Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Opens the file; leaves out the check if its stamp is the trusted one.
fn connect(dir: &StateDir, trusted: Stamp) -> Result<redb::Database, Fault> {
    let Some(file) = dir.open(DATABASE_NAME)? else {
        return Err(Fault::Damaged("the file is gone".into()));
    };
    let metadata = file.metadata()?;
    // redb takes an empty file for a new database; here it is what is left of one.
    if metadata.len() == 0 {
        return Err(Fault::Damaged("the file is empty".into()));
    }
    let check = Stamp::of(&metadata) != trusted;
    Ok(builder().set_check_integrity_on_open(check).create_with_backend(FileBackend::new(file)?)?)
}

/// Checks that the database is of the store with this proof, and answers how many saves it has seen.
fn check_proof(connection: &redb::Database, expected: &[u8; 32]) -> Result<u64, Fault> {
    let transaction = connection.begin_read()?;
    transaction.open_table(RECORDS)?;
    let about = transaction.open_table(ABOUT)?;
    match about.get("proof")? {
        Some(proof) if proof.value() == expected.as_slice() => read_saves(&about),
        _ => Err(Fault::Damaged("it belongs to another store".into())),
    }
}

fn read_saves(about: &impl ReadableTable<&'static str, &'static [u8]>) -> Result<u64, Fault> {
    about
        .get("saves")?
        .and_then(|number| number.value().try_into().ok().map(u64::from_le_bytes))
        .ok_or_else(|| Fault::Damaged("it does not say how many saves it has seen".into()))
}

/// The rows of a partition in `parts` ranges of about the same size: what follows the prefix is a
/// hash, so its first byte is as good as random.
fn split_partition(prefix: RowPrefix, parts: u8) -> Vec<RangeInclusive<Row>> {
    let row = |first: u8, rest: u8| {
        let mut row = [rest; 32];
        row[..16].copy_from_slice(&prefix);
        row[16] = first;
        row
    };
    let border = |part: u8| (256 * u16::from(part) / u16::from(parts.max(1))) as u8;
    (0..parts.max(1))
        .map(|part| row(border(part), 0x00)..=row(border(part + 1).wrapping_sub(1), 0xff))
        .collect()
}

/// The first row that can belong to the next partition.
fn after_partition(row: Row) -> Option<Row> {
    let next = u128::from_be_bytes(prefix_of(&row)).checked_add(1)?;
    let mut first = [0x00; 32];
    first[..16].copy_from_slice(&next.to_be_bytes());
    Some(first)
}

#[cfg(test)]
mod tests;
