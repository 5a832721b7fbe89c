//! A store that an older version wrote.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use valetkey_vault::{KeyProblem, Opened, Vault, VaultError, open};

use common::{
    copy_store, file_options, finish, map, memory_dir, open_file_store, put, ready, records,
    remove, sealed_by, write_file,
};

/// A store that valetkey wrote in format 1, unpacked: a file of which only the blocks that are not empty are kept.
fn format_1(dir: &Path) -> PathBuf {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format-1");
    let state = dir.join("state");
    drop(open_file_store(&state));
    fs::remove_file(state.join("vault.seen")).unwrap();
    let old_key = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().path());
    old_key.filter(|path| path.to_string_lossy().contains("/key-")).for_each(|path| {
        fs::rename(path, state.join("key-383dd5f5ef60b4c651d8d7247096d1c5")).unwrap();
    });
    let write = |name: &str, content: Vec<u8>| write_file(&state.join(name), &content);
    write("vault.header", fs::read(fixture.join("vault.header")).unwrap());
    write("key-383dd5f5ef60b4c651d8d7247096d1c5", fs::read(fixture.join("key")).unwrap());
    let packed = fs::read(fixture.join("vault.redb.blocks")).unwrap();
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().unwrap()) as usize;
    let mut database = vec![0; 512 * number(&packed[..4])];
    for block in packed[4..].chunks(4 + 512) {
        let at = 512 * number(&block[..4]);
        database[at..at + 512].copy_from_slice(&block[4..]);
    }
    write("vault.redb", database);
    state
}

fn check_carried_over(vault: &Vault, moment: &str) {
    let expected: HashMap<_, _> =
        (0..30).map(|n| (format!("record {n}"), format!("value {n}").into_bytes())).collect();
    assert_eq!(records(vault, "uid:1000"), expected, "{moment}");
    let of_application = records(vault, "uid:1000/app:beef");
    assert_eq!(of_application, map([("token", "of an application")]), "{moment}");
    assert_eq!(records(vault, "uid:1001"), map([("record 0", "of another user")]), "{moment}");
    assert_eq!(records(vault, "secrets"), map([("mail", "s3cret")]), "{moment}");
    assert_eq!(vault.mark(b"credential")[..4], [93, 255, 159, 98], "{moment}");
    assert_eq!(vault.count().unwrap(), 33, "{moment}");
}

#[test]
fn a_store_of_format_1_is_carried_over_without_loss() {
    let dir = memory_dir();
    let state = format_1(dir.path());
    let options = file_options(&state);
    let mut vault = ready(&options).unwrap();
    assert_eq!(vault.incidents(), []);
    let header = fs::read_to_string(state.join("vault.header")).unwrap();
    assert!(header.starts_with(r#"{"format":2,"#), "an older version must refuse it: {header}");
    check_carried_over(&vault, "when opened");
    let killed = dir.path().join("killed");
    copy_store(&state, &killed);
    assert!(vault.is_sealing_anew());
    vault.save("uid:1000", &[put("record 0", "value 0"), remove("record 1")]).unwrap();
    vault.save("uid:1000", &[put("record 1", "value 1")]).unwrap();
    check_carried_over(&vault, "while carried over");
    finish(&mut vault, &options);
    check_carried_over(&vault, "when carried over");
    drop(vault);
    check_carried_over(&ready(&options).unwrap(), "when opened again");
    assert_eq!(sealed_by(&state).len(), 3);
    assert!(!sealed_by(&state).contains(&[0; 4]));

    let options = file_options(&killed);
    let mut vault = ready(&options).unwrap();
    check_carried_over(&vault, "after a kill");
    finish(&mut vault, &options);
    check_carried_over(&vault, "carried over after a kill");
}

#[test]
fn a_store_of_format_1_with_the_wrong_key_is_left_as_it_is() {
    let dir = memory_dir();
    let state = format_1(dir.path());
    write_file(&state.join("key-383dd5f5ef60b4c651d8d7247096d1c5"), &[9; 32]);
    let before = fs::read(state.join("vault.header")).unwrap();
    let refused = open(&file_options(&state));
    assert!(
        matches!(&refused, Err(VaultError::KeyUnavailable { reason: KeyProblem::WrongKey, .. })),
        "{:?}",
        refused.map(|opened| matches!(opened, Opened::Ready(_)))
    );
    assert_eq!(fs::read(state.join("vault.header")).unwrap(), before);
}
