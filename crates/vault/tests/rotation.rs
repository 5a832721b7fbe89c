//! Keys that are replaced while the store is in use.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tempfile::tempdir;
use valetkey_vault::{
    KeyChoice, KeyProblem, KeyProvider, Keyring, KeyringRefusal, OpenOptions, Upkeep, Vault,
    VaultError, is_passphrase,
};
use zeroize::Zeroizing;

use common::{
    MemoryKeyring, NOW, copy_store, file_options, finish, map, memory_dir, only, open_file_store,
    options, put, ready, records, remove, sealed_by, write_file,
};

const LATER: u64 = NOW + 1000;

/// Whether a record sealed by this key is anywhere in the folder, in what is free of a file as well.
fn has_traces(dir: &Path, id: [u8; 4]) -> bool {
    let head = [&[1], id.as_slice()].concat();
    let files = fs::read_dir(dir).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.into_iter().any(|content| content.windows(head.len()).any(|bytes| bytes == head))
}

/// Many records of several owners, so that sealing them anew takes several steps.
fn fill(vault: &Vault) -> HashMap<String, Vec<u8>> {
    let value = |n: usize| format!("value {n} ").repeat(100);
    for partition in ["uid:1", "uid:1/app:x", "uid:2", "secrets"] {
        let all: Vec<_> = (0..700).map(|n| put(&format!("record {n}"), value(n))).collect();
        vault.save(partition, &all).unwrap();
    }
    records(vault, "uid:1")
}

#[test]
fn each_owner_has_a_key_of_its_own() {
    let dir = memory_dir();
    let vault = open_file_store(dir.path());
    for (partition, owners) in [("uid:1", 1), ("uid:1/app:x", 1), ("uid:2", 2), ("secrets", 3)] {
        vault.save(partition, &[put("a", partition)]).unwrap();
        vault.save("never saved", &[remove("a")]).unwrap();
        let copy = dir.path().with_extension(format!("{}", partition.len()));
        copy_store(dir.path(), &copy);
        drop(open_file_store(&copy));
        assert_eq!(sealed_by(&copy).len(), owners, "{partition}");
        fs::remove_dir_all(copy).unwrap();
    }
    assert_eq!(vault.count().unwrap(), 4);
    assert_eq!(vault.data_key_made_at(), Some(NOW));
}

#[test]
fn records_are_sealed_anew_while_they_are_read_and_saved() {
    let dir = memory_dir();
    let options = file_options(dir.path());
    let mut vault = ready(&options).unwrap();
    let mut expected = fill(&vault);
    drop(vault);
    let old = sealed_by(dir.path());
    vault = ready(&options).unwrap();
    vault.rotate_data_keys(None, LATER).unwrap();
    let mut steps = 0;
    while vault.upkeep(&options).unwrap() == Upkeep::More {
        let [changed, removed] = [steps, 300 + steps].map(|n| format!("record {n}"));
        let changes = [put(&changed, "changed"), remove(&removed), put("new", "new")];
        vault.save("uid:1", &changes).unwrap();
        expected.extend([(changed, b"changed".to_vec()), ("new".into(), b"new".to_vec())]);
        expected.remove(&removed);
        assert_eq!(records(&vault, "uid:1"), expected, "after {steps} steps");
        assert_eq!(records(&vault, "uid:2").len(), 700);
        steps += 1;
        assert!(vault.is_sealing_anew());
    }
    assert!(steps > 3, "{steps} steps");
    assert_eq!(vault.data_key_made_at(), Some(LATER));
    let mut partitions = vault.partitions().unwrap();
    partitions.sort();
    assert_eq!(partitions, ["secrets", "uid:1", "uid:1/app:x", "uid:2"]);
    drop(vault);
    let vault = ready(&options).unwrap();
    assert_eq!(vault.incidents(), []);
    assert_eq!(records(&vault, "uid:1"), expected);
    assert_eq!(records(&vault, "secrets").len(), 700);
    drop(vault);
    assert!(sealed_by(dir.path()).is_disjoint(&old));
    assert!(old.into_iter().all(|id| !has_traces(dir.path(), id)));
}

#[test]
fn an_old_data_key_opens_nothing_any_more() {
    let dir = memory_dir();
    let options = file_options(dir.path());
    let mut vault = ready(&options).unwrap();
    fill(&vault);
    let old = fs::read(dir.path().join("vault.header")).unwrap();
    vault.rotate_data_keys(None, LATER).unwrap();
    finish(&mut vault, &options);
    vault.save("uid:1", &[put("since", "1")]).unwrap();
    drop(vault);
    write_file(&dir.path().join("vault.header"), &old);
    let vault = ready(&options).unwrap();
    assert_eq!(vault.count().unwrap(), 2801);
    for partition in ["uid:1", "uid:1/app:x", "uid:2", "secrets"] {
        assert_eq!(records(&vault, partition), map([]), "{partition}");
    }
}

#[test]
fn a_rotation_goes_on_after_an_end_at_any_step() {
    let dir = memory_dir();
    let state = dir.path().join("state");
    let mut vault = open_file_store(&state);
    let expected = fill(&vault);
    vault.rotate_data_keys(None, LATER).unwrap();
    for step in 0.. {
        let copy = dir.path().join(format!("copy {step}"));
        copy_store(&state, &copy);
        let options = file_options(&copy);
        let mut copied = ready(&options).unwrap();
        assert_eq!(copied.incidents(), [], "step {step}");
        assert_eq!(records(&copied, "uid:1"), expected, "step {step}");
        finish(&mut copied, &options);
        assert_eq!(records(&copied, "uid:1"), expected, "step {step}");
        assert_eq!(copied.count().unwrap(), 2800);
        drop(copied);
        fs::remove_dir_all(copy).unwrap();
        if vault.upkeep(&file_options(&state)).unwrap() == Upkeep::Done {
            assert!(step > 3);
            break;
        }
    }
}

#[test]
fn one_owners_key_is_replaced_or_destroyed_without_the_others() {
    let dir = memory_dir();
    let options = file_options(dir.path());
    let mut vault = ready(&options).unwrap();
    let expected = fill(&vault);
    drop(vault);
    let first = sealed_by(dir.path());
    vault = ready(&options).unwrap();
    vault.rotate_data_keys(Some("uid:1"), LATER).unwrap();
    finish(&mut vault, &options);
    assert_eq!(records(&vault, "uid:1"), expected);
    drop(vault);
    let second = sealed_by(dir.path());
    assert_eq!((second.len(), second.difference(&first).count()), (3, 1));

    vault = ready(&options).unwrap();
    vault.destroy("uid:2").unwrap();
    assert_eq!(records(&vault, "uid:2"), map([]));
    assert_eq!(records(&vault, "uid:1/app:x"), expected);
    vault.save("uid:2", &[put("a", "anew")]).unwrap();
    assert_eq!(records(&vault, "uid:2"), map([("a", "anew")]));
    drop(vault);
    let third = sealed_by(dir.path());
    let gone: Vec<_> = second.difference(&third).collect();
    assert_eq!((third.len(), gone.len()), (3, 1));
    assert!(!has_traces(dir.path(), *gone[0]));
}

/// Options with a keyring, a credential and a passphrase that work.
fn with_everything(dir: &Path, key: KeyChoice, passphrase: &str) -> OpenOptions {
    let credentials = dir.with_extension("credentials");
    fs::create_dir_all(&credentials).unwrap();
    write_file(&credentials.join("valetkey-key"), &[5; 32]);
    OpenOptions {
        passphrase: Some(Zeroizing::new(passphrase.into())),
        credentials_directory: Some(credentials),
        ..options(dir, key)
    }
}

fn key_files(dir: &Path) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_string_lossy().starts_with("key-")).count()
}

#[test]
fn a_wrapping_key_is_replaced_at_its_provider_or_at_another() {
    for from in KeyProvider::ALL {
        for to in KeyProvider::ALL {
            let dir = tempdir().unwrap();
            let state = dir.path().join("state");
            let keyring = Arc::new(MemoryKeyring::default());
            let of = |key, passphrase| OpenOptions {
                keyring: keyring.clone(),
                ..with_everything(&state, key, passphrase)
            };
            let mut vault = ready(&of(only(from), "first")).unwrap();
            vault.save("p", &[put("a", "1")]).unwrap();
            let old_header = fs::read(state.join("vault.header")).unwrap();
            let mark = vault.mark(b"secret");
            let rotating = OpenOptions { now: LATER, ..of(KeyChoice::Auto, "second") };
            vault.rotate_wrapping_key(to, &rotating).unwrap();
            finish(&mut vault, &rotating);
            let report = vault.key_report();
            assert_eq!((report.provider, report.made_at), (to, Some(LATER)), "{from} to {to}");
            vault.save("p", &[put("b", "2")]).unwrap();
            vault.save("q", &[put("c", "3")]).unwrap();
            drop(vault);

            let vault = ready(&of(KeyChoice::Auto, "second")).unwrap();
            assert_eq!(vault.key_report().provider, to);
            assert_eq!(vault.mark(b"secret"), mark);
            assert_eq!(records(&vault, "p"), map([("a", "1"), ("b", "2")]), "{from} to {to}");
            assert_eq!(records(&vault, "q"), map([("c", "3")]), "{from} to {to}");
            drop(vault);
            let kept = |provider| usize::from(to == provider);
            assert_eq!(keyring.items.lock().unwrap().len(), kept(KeyProvider::Keyring));
            assert_eq!(key_files(&state), kept(KeyProvider::File));
            if to == KeyProvider::Passphrase {
                let wrong = ready(&of(KeyChoice::Auto, "first"));
                assert!(matches!(wrong, Err(VaultError::WrongPassphrase)), "{wrong:?}");
                for (text, expected) in [("first", false), ("second", true)] {
                    let text = Zeroizing::new(text.to_owned());
                    assert_eq!(is_passphrase(&rotating, text).unwrap(), expected);
                }
            }
            write_file(&state.join("vault.header"), &old_header);
            let old = ready(&of(KeyChoice::Auto, "second"));
            assert_eq!(old.is_ok(), from == KeyProvider::Credential, "{from} to {to}");
        }
    }
}

#[test]
fn a_provider_that_refuses_leaves_the_key_as_it_was() {
    let dir = tempdir().unwrap();
    let good = file_options(dir.path());
    let mut vault = ready(&good).unwrap();
    vault.save("p", &[put("a", "1")]).unwrap();
    let locked = MemoryKeyring::refusing(KeyringRefusal::Locked("prompt dismissed".into()));
    let refusing = OpenOptions { keyring: locked, ..good.clone() };
    for (provider, reason) in [
        (KeyProvider::Keyring, KeyProblem::Locked("prompt dismissed".into())),
        (KeyProvider::Credential, KeyProblem::NoCredential),
        (KeyProvider::Passphrase, KeyProblem::NoPassphrase),
    ] {
        match vault.rotate_wrapping_key(provider, &refusing) {
            Err(VaultError::KeyUnavailable { provider: p, reason: r }) => {
                assert_eq!((p, r), (provider, reason));
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(vault.key_report().provider, KeyProvider::File);
        finish(&mut vault, &refusing);
    }
    vault.save("q", &[put("b", "2")]).unwrap();
    drop(vault);
    let vault = ready(&good).unwrap();
    assert_eq!(records(&vault, "p"), map([("a", "1")]));
    assert_eq!(records(&vault, "q"), map([("b", "2")]));
}

/// A copy of the store, and what the keyring had then.
type Moment = (PathBuf, HashMap<String, Vec<u8>>);

/// A keyring that copies the store whenever it is asked to change something: what a kill in that moment would leave.
struct Copying {
    keyring: MemoryKeyring,
    state: PathBuf,
    copies: PathBuf,
    taken: Mutex<Vec<Moment>>,
}

impl Copying {
    fn copy(&self) {
        let mut taken = self.taken.lock().unwrap();
        let copy = self.copies.join(format!("copy {}", taken.len()));
        copy_store(&self.state, &copy);
        taken.push((copy, self.keyring.items.lock().unwrap().clone()));
    }
}

impl Keyring for Copying {
    fn get(&self, account: &str) -> Result<Zeroizing<Vec<u8>>, KeyringRefusal> {
        self.keyring.get(account)
    }

    fn set(&self, account: &str, secret: &Zeroizing<Vec<u8>>) -> Result<(), KeyringRefusal> {
        self.copy();
        self.keyring.set(account, secret)?;
        self.copy();
        Ok(())
    }

    fn remove(&self, account: &str) -> Result<(), KeyringRefusal> {
        self.copy();
        self.keyring.remove(account)?;
        self.copy();
        Ok(())
    }
}

#[test]
fn a_kill_between_the_steps_of_a_rotation_leaves_one_key_that_opens_the_store() {
    use KeyProvider::{File, Keyring as InKeyring};
    for (from, to) in [(InKeyring, InKeyring), (File, InKeyring), (InKeyring, File)] {
        let dir = memory_dir();
        let state = dir.path().join("state");
        let keyring = Arc::new(Copying {
            keyring: MemoryKeyring::default(),
            state: state.clone(),
            copies: dir.path().to_owned(),
            taken: Mutex::default(),
        });
        fs::create_dir(&state).unwrap();
        let of = |key| OpenOptions { keyring: keyring.clone(), ..options(&state, key) };
        make_private(&state);
        let mut vault = ready(&of(only(from))).unwrap();
        vault.save("p", &[put("a", "1")]).unwrap();
        keyring.taken.lock().unwrap().clear();
        for entry in fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()) {
            if entry != state {
                fs::remove_dir_all(entry).unwrap();
            }
        }
        vault.rotate_wrapping_key(to, &of(KeyChoice::Auto)).unwrap();
        finish(&mut vault, &of(KeyChoice::Auto));
        keyring.copy();
        let taken = keyring.taken.lock().unwrap();
        assert!(taken.len() >= 3, "{} moments", taken.len());
        for (copy, items) in taken.iter() {
            let then = Arc::new(MemoryKeyring::default());
            then.items.lock().unwrap().clone_from(items);
            let options = OpenOptions { keyring: then.clone(), ..options(copy, KeyChoice::Auto) };
            let mut vault = ready(&options).unwrap();
            assert_eq!(records(&vault, "p"), map([("a", "1")]), "{from} to {to}");
            finish(&mut vault, &options);
            let in_use = vault.key_report().provider;
            let kept = (then.items.lock().unwrap().len(), key_files(copy));
            let expected = if in_use == File { (0, 1) } else { (1, 0) };
            assert_eq!(kept, expected, "{from} to {to}: {}", copy.display());
        }
    }
}

#[cfg(unix)]
fn make_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).unwrap();
}

#[cfg(not(unix))]
fn make_private(_path: &Path) {}
