//! What a store keeps, what its files show, and what becomes of files that are not as they should be.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use tempfile::tempdir;
use valetkey_vault::{Incident, KeyProvider, VaultError};

use common::{NOW, load, map, only, open_file_store, options, put, ready, records, remove};

const RECORDS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("records");

#[test]
fn saved_records_are_there_after_a_restart() {
    let dir = tempdir().unwrap();
    let vault = open_file_store(&dir.path().join("state"));
    vault.save("user 1000", &[put("a", "1"), put("b", "2"), put("c", "3")]).unwrap();
    vault.save("user 1000", &[put("a", "one"), remove("b"), remove("never there")]).unwrap();
    vault.save("user 1001", &[put("a", "")]).unwrap();
    drop(vault);

    let vault = open_file_store(&dir.path().join("state"));
    assert_eq!(records(&vault, "user 1000"), map([("a", "one"), ("c", "3")]));
    assert_eq!(records(&vault, "user 1001"), map([("a", "")]));
    assert_eq!(records(&vault, "user 1002"), map([]));
    assert_eq!(vault.incidents(), []);
}

#[test]
fn a_partition_is_listed_as_long_as_it_has_a_record() {
    let dir = tempdir().unwrap();
    let vault = open_file_store(dir.path());
    let names: Vec<String> = (0..40).map(|uid| format!("user {uid}")).collect();
    for name in &names {
        vault.save(name, &[put("a", "1"), put("b", "2")]).unwrap();
    }
    vault.save("user 7", &[remove("a"), remove("b")]).unwrap();
    let mut listed = vault.partitions().unwrap();
    let mut expected: Vec<String> = names.into_iter().filter(|name| name != "user 7").collect();
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn a_batch_is_saved_for_all_partitions_in_order() {
    let dir = tempdir().unwrap();
    let vault = open_file_store(dir.path());
    let (first, second) = ([put("a", "1"), put("b", "1")], [put("a", "2"), remove("b")]);
    vault.save_all(&[("p", &first), ("q", &first), ("p", &second)]).unwrap();
    assert_eq!(records(&vault, "p"), map([("a", "2")]));
    assert_eq!(records(&vault, "q"), map([("a", "1"), ("b", "1")]));
}

#[test]
fn a_large_partition_is_loaded_whole() {
    let dir = tempdir().unwrap();
    let vault = open_file_store(dir.path());
    let all: Vec<_> = (0..2000).map(|n| put(&format!("key {n}"), format!("value {n}"))).collect();
    vault.save("p", &all).unwrap();
    vault.save("q", &[put("key 1", "another")]).unwrap();
    let loaded = records(&vault, "p");
    assert_eq!(loaded.len(), 2000);
    assert!((0..2000).all(|n| loaded[&format!("key {n}")] == format!("value {n}").as_bytes()));
}

#[test]
fn no_file_shows_a_key_a_partition_or_a_value() {
    let dir = tempdir().unwrap();
    let vault = open_file_store(dir.path());
    let shown = ["alice@contoso.example", "user-1000-partition", "refresh-token-secret"];
    vault.save(shown[1], &[put(shown[0], shown[2])]).unwrap();
    vault.save(shown[1], &[put("kept", "kept"), remove(shown[0])]).unwrap();
    drop(vault);
    let mut looked_at = 0;
    for entry in fs::read_dir(dir.path()).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap();
        looked_at += content.len();
        for text in shown {
            // Eight bytes in a row are never there by chance.
            let found = text
                .as_bytes()
                .windows(8)
                .any(|part| content.windows(8).any(|window| window == part));
            assert!(!found, "{text}");
        }
    }
    assert!(looked_at > 4096, "the database was not among the files");
}

#[test]
fn a_second_opener_is_told_that_the_store_is_in_use() {
    let dir = tempdir().unwrap();
    let first = open_file_store(dir.path());
    let second = ready(&options(dir.path(), only(KeyProvider::File)));
    assert!(matches!(second, Err(VaultError::InUse { .. })), "{second:?}");
    drop(first);
    assert!(ready(&options(dir.path(), only(KeyProvider::File))).is_ok());
}

#[test]
fn a_record_that_was_moved_to_another_row_is_reported_and_skipped() {
    let dir = tempdir().unwrap();
    let vault = open_file_store(dir.path());
    vault.save("p", &[put("a", "1"), put("b", "2"), put("c", "3")]).unwrap();
    drop(vault);
    swap_two_rows(&dir.path().join("vault.redb"));

    let vault = open_file_store(dir.path());
    let loaded = load(&vault, "p").unwrap();
    assert_eq!((loaded.records.len(), loaded.damaged), (1, 2));
    assert_eq!(vault.incidents(), []);
    vault.save("p", &[put("d", "4")]).unwrap();
    let loaded = load(&vault, "p").unwrap();
    assert_eq!((loaded.records.len(), loaded.damaged), (2, 2), "they stay in the file");
    vault.save("p", &[put("a", "1"), put("b", "2"), put("c", "3")]).unwrap();
    assert_eq!(records(&vault, "p").len(), 4, "a new value takes the place of a damaged one");
}

/// Exchanges the values of the first two rows, through the database, so that its checksums hold.
fn swap_two_rows(path: &Path) {
    let database = redb::Database::open(path).unwrap();
    let rows: Vec<([u8; 32], Vec<u8>)> = {
        let table = database.begin_read().unwrap().open_table(RECORDS).unwrap();
        let entries = table.iter().unwrap().take(2).map(|entry| entry.unwrap());
        entries.map(|(row, value)| (row.value(), value.value().to_vec())).collect()
    };
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(RECORDS).unwrap();
        table.insert(rows[0].0, rows[1].1.as_slice()).unwrap();
        table.insert(rows[1].0, rows[0].1.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn a_newer_format_is_refused_and_left_untouched() {
    let dir = tempdir().unwrap();
    drop(open_file_store(dir.path()));
    let path = dir.path().join("vault.header");
    let newer = br#"{"format":9,"what":"nobody knows yet"}"#;
    let digest = ring::digest::digest(&ring::digest::SHA256, newer);
    let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let newer = [newer.as_slice(), b"\n", hex.as_bytes(), b"\n"].concat();
    // Truncates and writes, so the mode stays 0600.
    overwrite(&path, &newer);
    let before = all_files(dir.path());
    let refused = ready(&options(dir.path(), only(KeyProvider::File)));
    assert!(
        matches!(refused, Err(VaultError::NewerFormat { found: 9, supported: 2 })),
        "{refused:?}"
    );
    assert_eq!(all_files(dir.path()), before);
}

#[test]
fn what_cannot_be_used_is_set_aside_and_the_store_begins_anew() {
    // What is done to a store with one record, which files are set aside, and whether a mere report
    // is expected instead.
    type Harm = fn(&Path);
    let cases: [(&str, Harm, &[&str]); 6] = [
        (
            "a header of garbage",
            |d| overwrite(&d.join("vault.header"), b"?"),
            &["vault.header", "vault.redb"],
        ),
        (
            "an empty header",
            |d| overwrite(&d.join("vault.header"), b""),
            &["vault.header", "vault.redb"],
        ),
        ("no header", |d| fs::remove_file(d.join("vault.header")).unwrap(), &["vault.redb"]),
        (
            "a database of garbage",
            |d| overwrite(&d.join("vault.redb"), &[7; 5000]),
            &["vault.redb"],
        ),
        ("an empty database", |d| overwrite(&d.join("vault.redb"), b""), &["vault.redb"]),
        ("no database", |d| fs::remove_file(d.join("vault.redb")).unwrap(), &[]),
    ];
    for (what, harm, set_aside) in cases {
        let dir = tempdir().unwrap();
        let vault = open_file_store(dir.path());
        vault.save("p", &[put("a", "1")]).unwrap();
        drop(vault);
        harm(dir.path());

        let vault = open_file_store(dir.path());
        let expected: Vec<_> =
            set_aside.iter().map(|name| dir.path().join(format!("{name}.damaged-{NOW}"))).collect();
        let found: Vec<_> = vault
            .incidents()
            .iter()
            .filter_map(|incident| match incident {
                Incident::SetAside { path, .. } => Some(path.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(found, expected, "{what}");
        assert!(found.iter().all(|path| path.exists()), "{what}");
        assert!(!vault.incidents().is_empty(), "{what}");
        assert_eq!(records(&vault, "p"), map([]), "{what}");
        vault.save("p", &[put("a", "2")]).unwrap();
        drop(vault);
        let vault = open_file_store(dir.path());
        assert_eq!(records(&vault, "p"), map([("a", "2")]), "{what}");
        assert_eq!(vault.incidents(), [], "{what}");
    }
}

#[test]
fn an_older_damaged_file_is_not_overwritten_by_a_newer_one() {
    let dir = tempdir().unwrap();
    for expected in 1..=3 {
        drop(open_file_store(dir.path()));
        overwrite(&dir.path().join("vault.redb"), b"damaged");
        drop(open_file_store(dir.path()));
        let kept =
            all_files(dir.path()).iter().filter(|(name, _)| name.contains("damaged")).count();
        assert_eq!(kept, expected);
    }
}

#[test]
fn a_database_of_another_store_is_set_aside() {
    let (ours, theirs) = (tempdir().unwrap(), tempdir().unwrap());
    for dir in [&ours, &theirs] {
        open_file_store(dir.path()).save("p", &[put("a", "1")]).unwrap();
    }
    fs::copy(theirs.path().join("vault.redb"), ours.path().join("vault.redb")).unwrap();
    let vault = open_file_store(ours.path());
    assert!(matches!(vault.incidents(), [Incident::SetAside { .. }]), "{:?}", vault.incidents());
    assert_eq!(records(&vault, "p"), map([]));
}

#[test]
fn saves_that_the_disk_lost_are_reported() {
    let dir = tempdir().unwrap();
    let vault = open_file_store(dir.path());
    vault.save("p", &[put("a", "1")]).unwrap();
    drop(vault);
    let database = dir.path().join("vault.redb");
    let older = fs::read(&database).unwrap();
    let vault = open_file_store(dir.path());
    vault.save("p", &[put("a", "2")]).unwrap();
    vault.save("p", &[put("a", "3")]).unwrap();
    drop(vault);
    overwrite(&database, &older);

    let vault = open_file_store(dir.path());
    assert_eq!(vault.incidents(), [Incident::SavesLost { count: 2 }]);
    drop(vault);
    assert_eq!(open_file_store(dir.path()).incidents(), [], "reported once");
}

#[cfg(unix)]
#[test]
fn every_file_is_for_the_owner_alone() {
    use std::os::unix::fs::MetadataExt;
    let dir = tempdir().unwrap();
    let state = dir.path().join("new/state");
    let vault = open_file_store(&state);
    vault.save("p", &[put("a", "1")]).unwrap();
    assert_eq!(fs::metadata(&state).unwrap().mode() & 0o777, 0o700);
    let names: Vec<_> = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(names.len(), 5, "{names:?}");
    for entry in names {
        assert_eq!(entry.metadata().unwrap().mode() & 0o777, 0o600, "{entry:?}");
    }
}

fn overwrite(path: &Path, content: &[u8]) {
    use std::io::Write;
    let mut file = fs::File::options().write(true).truncate(true).open(path).unwrap();
    file.write_all(content).unwrap();
}

fn all_files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}
