//! A store whose database was cut short or altered anywhere: every outcome is one of all records
//! intact, some reported, or the store set aside; never a panic, never a wrong value.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use valetkey_vault::{Incident, KeyProvider, Vault};

use common::{
    NOW, Seeded, copy_store, load, memory_dir, only, open_file_store, options, put, ready,
};

const RECORDS: usize = 120;

/// How the store ended.
#[derive(Clone, Copy, Debug)]
enum End {
    Closed,
    Killed,
    /// Killed while records were sealed anew.
    Rotating,
}

/// What became of a harmed store.
#[derive(Debug, Default)]
struct Outcomes {
    intact: usize,
    reported: usize,
    set_aside: usize,
}

/// A folder with a store in it, of several pages and several saves, the last of which replaced
/// records: a save that is silently lost shows as a wrong value.
fn store(end: End) -> (TempDir, PathBuf) {
    let dir = memory_dir();
    let state = dir.path().join("state");
    let vault = open_file_store(&state);
    let all: Vec<_> = (0..RECORDS).map(|n| put(&name(n), [0; 700])).collect();
    vault.save("p", &all).unwrap();
    for n in (0..RECORDS).chain(0..10) {
        vault.save("p", &[put(&name(n), value(n))]).unwrap();
    }
    let copy = dir.path().join("copy");
    match end {
        // A copy of the files of an open store is what a kill leaves.
        End::Killed => copy_store(&state, &copy),
        End::Rotating => {
            let mut vault = vault;
            vault.rotate_data_keys(None, NOW).unwrap();
            for n in 0..RECORDS / 2 {
                vault.save("p", &[put(&name(n), value(n))]).unwrap();
            }
            copy_store(&state, &copy);
        }
        End::Closed => {
            drop(vault);
            copy_store(&state, &copy);
        }
    }
    (dir, copy)
}

fn name(n: usize) -> String {
    format!("record {n}")
}

fn value(n: usize) -> Vec<u8> {
    format!("value {n} ").repeat(60).into_bytes()
}

/// Harms a copy of the store, opens it twice, and counts what became of it.
fn check(store: &Path, what: &str, harm: impl FnOnce(&Path), outcomes: &mut Outcomes) {
    let dir = memory_dir();
    let state = dir.path().join("state");
    copy_store(store, &state);
    harm(&state);
    let vault = ready(&options(&state, only(KeyProvider::File)))
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    match outcome(&vault) {
        Ok(Outcome::Intact) => outcomes.intact += 1,
        Ok(Outcome::Reported) => outcomes.reported += 1,
        Ok(Outcome::SetAside) => outcomes.set_aside += 1,
        Err(wrong) => panic!("{what}: {wrong}"),
    }
    vault.save("p", &[put("after", "1")]).unwrap_or_else(|error| panic!("{what}: {error}"));
    drop(vault);
    let vault = ready(&options(&state, only(KeyProvider::File))).unwrap();
    assert_eq!(vault.incidents(), [], "{what}: after it was dealt with");
    let found = load(&vault, "p").unwrap().records.into_iter().any(|(key, _)| key == "after");
    assert!(found, "{what}: the store does not work afterwards");
}

enum Outcome {
    Intact,
    Reported,
    SetAside,
}

fn outcome(vault: &Vault) -> Result<Outcome, String> {
    let incidents = vault.incidents();
    let loaded = load(vault, "p").map_err(|error| error.to_string())?;
    if incidents.iter().any(|incident| matches!(incident, Incident::SetAside { .. })) {
        return match loaded.records.len() {
            0 => Ok(Outcome::SetAside),
            n => Err(format!("{n} records in a fresh store")),
        };
    }
    let reported = !incidents.is_empty();
    for (key, found) in &loaded.records {
        let right = (0..RECORDS).any(|n| name(n) == *key && value(n) == **found);
        if !right && !reported {
            return Err(format!("{key} has a wrong value and nothing is reported"));
        }
    }
    match loaded.records.len() + loaded.damaged {
        RECORDS if loaded.damaged == 0 && !reported => Ok(Outcome::Intact),
        RECORDS => Ok(Outcome::Reported),
        _ if reported => Ok(Outcome::Reported),
        n => Err(format!("{n} of {RECORDS} records and nothing is reported")),
    }
}

fn flip(path: &Path, bit: usize) {
    let mut content = fs::read(path).unwrap();
    content[bit / 8] ^= 1 << (bit % 8);
    let mut file = File::options().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(bit as u64 / 8)).unwrap();
    file.write_all(&content[bit / 8..=bit / 8]).unwrap();
}

fn length(store: &Path, file: &str) -> usize {
    fs::metadata(store.join(file)).unwrap().len() as usize
}

/// Panics that redb is saved from are part of the test and not of its output.
fn without_panic_messages() {
    std::panic::set_hook(Box::new(|info| {
        let ours = info.location().is_some_and(|at| at.file().contains("tests/"));
        if ours {
            eprintln!("{info}");
        }
    }));
}

#[test]
fn a_flipped_bit_in_the_database_never_yields_a_wrong_value() {
    without_panic_messages();
    for end in [End::Closed, End::Killed, End::Rotating] {
        let (_dir, store) = store(end);
        let length = length(&store, "vault.redb");
        let random = Seeded::new(1);
        // The super-header and both commit slots byte by byte; then anywhere.
        let header = (0..320).map(|byte| byte * 8 + random.below(8));
        let anywhere = (0..300).map(|_| random.below(length * 8));
        let mut outcomes = Outcomes::default();
        for bit in header.chain(anywhere) {
            let harm = |state: &Path| flip(&state.join("vault.redb"), bit);
            check(&store, &format!("{end:?}, bit {bit}"), harm, &mut outcomes);
        }
        println!("{end:?}: {outcomes:?}");
        assert!(outcomes.intact > 0 && outcomes.set_aside > 0, "{outcomes:?}");
    }
}

#[test]
fn a_truncated_database_never_yields_a_wrong_value() {
    without_panic_messages();
    for end in [End::Closed, End::Killed, End::Rotating] {
        let (_dir, store) = store(end);
        let whole = length(&store, "vault.redb");
        let random = Seeded::new(2);
        let edges = [0, 1, 9, 63, 64, 319, 320, 4095, 4096, 8192, whole - 4096, whole - 1];
        let mut outcomes = Outcomes::default();
        for length in edges.into_iter().chain((0..30).map(|_| random.below(whole))) {
            let harm = |state: &Path| {
                let file = File::options().write(true).open(state.join("vault.redb")).unwrap();
                file.set_len(length as u64).unwrap();
            };
            check(&store, &format!("{end:?}, length {length}"), harm, &mut outcomes);
        }
        println!("{end:?}: {outcomes:?}");
        assert!(outcomes.set_aside > 0, "{outcomes:?}");
    }
}

#[test]
fn overwritten_stretches_of_the_database_never_yield_a_wrong_value() {
    without_panic_messages();
    let (_dir, store) = store(End::Closed);
    let whole = length(&store, "vault.redb");
    let random = Seeded::new(3);
    let mut outcomes = Outcomes::default();
    for _ in 0..60 {
        let at = random.below(whole - 4096);
        let fill = random.next() as u8;
        let harm = |state: &Path| {
            let mut file = File::options().write(true).open(state.join("vault.redb")).unwrap();
            file.seek(SeekFrom::Start(at as u64)).unwrap();
            file.write_all(&[fill; 4096]).unwrap();
        };
        check(&store, &format!("4 KiB of {fill} at {at}"), harm, &mut outcomes);
    }
    println!("{outcomes:?}");
    assert!(outcomes.set_aside > 0, "{outcomes:?}");
}

#[test]
fn a_damaged_header_sets_the_store_aside_and_a_damaged_note_costs_nothing() {
    without_panic_messages();
    let (_dir, store) = store(End::Closed);
    let random = Seeded::new(4);
    let (mut header, mut note) = (Outcomes::default(), Outcomes::default());
    for _ in 0..40 {
        let bit = random.below(length(&store, "vault.header") * 8);
        check(&store, &format!("bit {bit}"), |s| flip(&s.join("vault.header"), bit), &mut header);
        let bit = random.below(length(&store, "vault.seen") * 8);
        check(&store, &format!("bit {bit}"), |s| flip(&s.join("vault.seen"), bit), &mut note);
    }
    assert_eq!((header.set_aside, note.intact), (40, 40), "{header:?} {note:?}");
}
