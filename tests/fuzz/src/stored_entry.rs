//! Stored entries: whatever bytes a disk gives back, an entry that is read is written as it was, and what is removed is gone.

use valetkey_cache::{
    Change, Counts, DecodeError, Entry, EntryDecoder, FORMAT_VERSION, TokenCache,
};

use crate::input::{Input, assert_error_silent};

/// Entries, each after its length in two bytes.
pub fn run(data: &[u8]) {
    let mut decoder = EntryDecoder::default();
    let mut entries = Vec::new();
    let mut rest = data;
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_le_bytes(*length)).min(tail.len());
        let (bytes, tail) = tail.split_at(length);
        rest = tail;
        match decoder.decode(bytes) {
            Ok(entry) => {
                check_round_trip(&entry);
                entries.push(entry);
            }
            Err(error) => check_refusal(bytes, &error),
        }
    }
    check_cache(&entries);
}

/// What is written is read as the same, and written alike again.
pub(crate) fn check_round_trip(entry: &Entry) {
    let bytes = entry.encode();
    let again = Entry::decode(&bytes).expect("what was written can be read");
    assert_eq!(again.key(), entry.key());
    assert_eq!(*again.encode(), *bytes, "{} is written otherwise", entry.key());
}

fn check_refusal(bytes: &[u8], error: &DecodeError) {
    let is_newer = Input::new(bytes).byte() > FORMAT_VERSION;
    assert_eq!(matches!(error, DecodeError::Newer { .. }), is_newer, "{error}");
    assert_error_silent(error);
}

/// Of two entries under one key the later one counts, and a removal removes.
fn check_cache(entries: &[Entry]) {
    let puts: Vec<_> = entries.iter().cloned().map(Change::Put).collect();
    let mut cache = TokenCache::new();
    cache.apply(&puts);
    let held: Vec<_> = cache.entries().collect();
    for entry in &held {
        let last = entries.iter().rev().find(|it| it.key() == entry.key());
        let last = last.expect("nothing is there that was not put");
        assert_eq!(*last.encode(), *entry.encode(), "an earlier {} is held", entry.key());
    }
    for entry in entries.iter().filter(|it| !matches!(it, Entry::Answer(_))) {
        assert!(held.iter().any(|it| it.key() == entry.key()), "{} is not held", entry.key());
    }
    let removals: Vec<_> = held.into_iter().map(Change::Remove).collect();
    cache.apply(&removals);
    assert_eq!(cache.entries().count(), 0, "a removal left something");
    assert_eq!(cache.counts(), Counts::default());
}
