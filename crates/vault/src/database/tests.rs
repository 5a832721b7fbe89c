//! How rows are divided, and a medium that rots behind the kernel's back.

use std::io::{Seek, SeekFrom, Write};

use tempfile::TempDir;
use zeroize::Zeroizing;

use super::*;
use crate::data_keys::DataKeys;

#[test]
fn the_ranges_of_a_partition_follow_each_other_without_a_gap() {
    for parts in 1..=MOST_THREADS as u8 {
        let ranges = split_partition([7; 16], parts);
        assert_eq!(ranges[0].start()[16..], [0x00; 16]);
        assert_eq!(ranges[usize::from(parts) - 1].end()[16..], [0xff; 16]);
        for pair in ranges.windows(2) {
            assert_eq!(pair[0].end()[16] + 1, pair[1].start()[16], "{parts} parts");
        }
    }
}

#[test]
fn the_next_partition_begins_after_every_row_of_this_one() {
    assert_eq!(after_partition([0xff; 32]), None);
    let next = after_partition([0x41; 32]).unwrap();
    assert!(next > *split_partition([0x41; 16], 1)[0].end());
    assert_eq!(next[15], 0x42);
}

const RECORDS_SAVED: usize = 60;

fn keys() -> DataKeys {
    DataKeys::of_format_1(Zeroizing::new([1; 32]).into())
}

fn open(dir: &StateDir) -> Option<Database> {
    match Database::open(dir, &keys().proof()).unwrap() {
        Found::Sound { database, .. } => Some(database),
        Found::Damaged(_) | Found::Missing => None,
    }
}

fn save(
    database: &Database,
    numbers: impl Iterator<Item = usize>,
    value: impl Fn(usize) -> Vec<u8>,
) {
    let keys = &keys().opening("p").unwrap()[0].records;
    let seal = |n: usize| {
        let key = format!("record {n}");
        let row = keys.row("p", &key);
        (row, Some(keys.seal(&row, ("p", &key), &value(n), &[n as u8; 32]).unwrap()))
    };
    database.save(numbers.map(seal).collect()).unwrap();
}

fn owned() -> impl FnMut(Record<'_>) -> (String, Vec<u8>) {
    |record| (record.key.to_owned(), record.value.to_vec())
}

fn value(n: usize) -> Vec<u8> {
    format!("value {n} ").repeat(90).into_bytes()
}

fn closed_store() -> (TempDir, StateDir, Vec<u8>) {
    // In memory where the system has such a folder: the test opens the store 400 times.
    let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let state = StateDir::prepare(dir.path()).unwrap();
    Database::create(&state, &keys().proof()).unwrap();
    let database = open(&state).unwrap();
    save(&database, 0..RECORDS_SAVED, |_| vec![0; 900]);
    (0..RECORDS_SAVED).for_each(|n| save(&database, n..=n, value));
    drop(database);
    let mut content = Vec::new();
    std::io::Read::read_to_end(&mut state.open(DATABASE_NAME).unwrap().unwrap(), &mut content)
        .unwrap();
    (dir, state, content)
}

/// Puts the content there and notes the stamp that it has then: nobody seems to have written.
fn put_back(state: &StateDir, content: &[u8]) {
    let mut file = state.open(DATABASE_NAME).unwrap().unwrap();
    file.set_len(0).unwrap();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.write_all(content).unwrap();
    let mut last_seen = LastSeen::open(state).unwrap();
    let stamp = Stamp::of(&file.metadata().unwrap());
    last_seen.write(Note { saves: RECORDS_SAVED as u64 + 1, stamp });
}

#[test]
fn a_bit_that_rots_unnoticed_by_the_kernel_is_noticed_all_the_same() {
    let (_dir, state, sound) = closed_store();
    let (mut intact, mut reported, mut refused) = (0, 0, 0);
    let mut random = 7_u64;
    for flip in 0..400 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        // The header, on whose bits most depends, and then anywhere.
        let bit = match flip {
            0..100 => flip * 25,
            _ => (random >> 20) as usize % (sound.len() * 8),
        };
        let mut rotten = sound.clone();
        rotten[bit / 8] ^= 1 << (bit % 8);
        put_back(&state, &rotten);
        match open(&state).map(|database| database.load(&keys().opening("p").unwrap(), "p", &owned))
        {
            None | Some(Err(VaultError::Damaged { .. })) => refused += 1,
            Some(Err(other)) => panic!("bit {bit}: {other}"),
            Some(Ok(Loaded { records, damaged })) => {
                assert_eq!(records.len() + damaged, RECORDS_SAVED, "bit {bit}");
                for (key, found) in &records {
                    let n: usize = key["record ".len()..].parse().unwrap();
                    assert!(*found == value(n), "bit {bit}: {key} is wrong");
                }
                if damaged == 0 { intact += 1 } else { reported += 1 }
            }
        }
    }
    println!("{intact} intact, {reported} reported, {refused} refused");
    assert!(intact > 0 && reported > 0 && refused > 0);
}
