//! What a load answers: thousands of values in a few large buffers.
//!
//! A buffer for each value would cost more than reading and opening it: on a thread other than the
//! first, glibc grows its heap one page and one system call at a time. The large ones go back to
//! the system as a whole, too, so a daemon that has read its store is as small as before.

use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::record::{RecordKeys, Row};

const CHUNK_BYTES: usize = 1024 * 1024;

/// What a partition holds.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The records, in no particular order.
    pub records: Vec<Record>,
    /// How many records are there but were altered since they were saved. They stay in the file.
    pub damaged: usize,
}

/// A stored record.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it was saved under.
    pub key: String,
    /// Its bytes.
    pub value: Value,
}

/// The bytes of a record. They share a buffer with other records of the same load; the buffer is
/// wiped when the last of them is dropped.
#[derive(Clone)]
pub struct Value {
    chunk: Arc<Zeroizing<Vec<u8>>>,
    range: Range<usize>,
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.chunk[self.range.clone()]
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value")
    }
}

/// Opens records into chunks.
#[derive(Default)]
pub(crate) struct Loader {
    loaded: Loaded,
    chunk: Zeroizing<Vec<u8>>,
    /// The keys of the records in the chunk, and where their values are.
    in_chunk: Vec<(String, Range<usize>)>,
}

impl Loader {
    /// Opens what is stored under `row`, or counts it as damaged.
    pub(crate) fn add(&mut self, keys: &RecordKeys, row: &Row, stored: &[u8]) {
        // Never grown, since growth would leave a copy of the plain text behind.
        if self.chunk.capacity() - self.chunk.len() < stored.len() {
            self.finish_chunk();
            self.chunk = Zeroizing::new(Vec::with_capacity(CHUNK_BYTES.max(stored.len())));
        }
        let start = self.chunk.len();
        let end = match keys.open(row, stored, &mut self.chunk) {
            Ok(record) => {
                let range = start..start + record.value.len();
                self.in_chunk.push((record.key.to_owned(), range.clone()));
                range.end
            }
            Err(_) => {
                self.loaded.damaged += 1;
                start
            }
        };
        self.chunk.truncate(end);
    }

    pub(crate) fn finish(mut self) -> Loaded {
        self.finish_chunk();
        self.loaded
    }

    fn finish_chunk(&mut self) {
        let chunk = Arc::new(std::mem::take(&mut self.chunk));
        self.loaded.records.extend(self.in_chunk.drain(..).map(|(key, range)| {
            let chunk = chunk.clone();
            Record { key, value: Value { chunk, range } }
        }));
    }
}
