//! Reading many records: each is opened into the same buffer, read there, and wiped.
//!
//! Nothing is kept of the plain text but what the reader makes of it, so that thousands of records cost the memory of one,
//! and what is being read is still in the processor's cache.

use zeroize::Zeroizing;

use crate::record::{RecordKeys, Row};

/// What a partition holds.
#[derive(Debug)]
pub struct Loaded<T> {
    /// What the readers made of the records, in no particular order.
    pub records: Vec<T>,
    /// How many records are there but were altered since they were saved. They stay in the file.
    pub damaged: usize,
}

/// A stored record while it is read.
#[derive(Clone, Copy)]
pub struct Record<'a> {
    /// What it was saved under.
    pub key: &'a str,
    /// Its bytes.
    pub value: &'a [u8],
}

/// Opens records, and hands them to a reader.
pub(crate) struct Loader<T, R> {
    loaded: Loaded<T>,
    read: R,
    buffer: Zeroizing<Vec<u8>>,
}

impl<T, R: FnMut(Record<'_>) -> T> Loader<T, R> {
    pub(crate) fn new(read: R) -> Self {
        let loaded = Loaded { records: Vec::new(), damaged: 0 };
        Self { loaded, read, buffer: Zeroizing::default() }
    }

    /// Opens what is stored under `row`, or counts it as damaged.
    pub(crate) fn add(&mut self, keys: &RecordKeys, row: &Row, stored: &[u8]) {
        // Never grown, since growth would leave a copy of the plain text behind.
        if self.buffer.capacity() < stored.len() {
            self.buffer = Zeroizing::new(Vec::with_capacity(stored.len().next_power_of_two()));
        }
        self.buffer.clear();
        match keys.open(row, stored, &mut self.buffer) {
            Ok(record) => {
                let record = Record { key: record.key, value: record.value };
                self.loaded.records.push((self.read)(record));
            }
            Err(_) => self.loaded.damaged += 1,
        }
    }

    pub(crate) fn finish(self) -> Loaded<T> {
        self.loaded
    }
}

impl<T> Loaded<T> {
    /// Takes over what another thread has read.
    pub(crate) fn extend(&mut self, more: Self) {
        self.records.extend(more.records);
        self.damaged += more.damaged;
    }
}

impl std::fmt::Debug for Record<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Record")
    }
}
