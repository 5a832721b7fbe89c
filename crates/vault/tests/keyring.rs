//! The wrapping key in a real Secret Service.
//!
//! `tests/with-keyring.sh` starts one and runs this file several times, each time with the keyring
//! in another state, named by `VALETKEY_TEST_SECRET_SERVICE`: `unlocked`, `locked` or `absent`.
//! The store lives in `VALETKEY_TEST_STATE_DIR`, so that the locked keyring meets the store that
//! the unlocked one made. Without these variables the tests say so and do nothing, since a test
//! must not write to the keyring of the person who runs it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use valetkey_vault::{
    KeyChoice, KeyProblem, KeyProvider, KeyringRefusal, OpenOptions, SystemKeyring, Vault,
    VaultError,
};

use common::{finish, map, only, options, put, ready, records};

/// The folder of the store, if the keyring is in this state.
fn state_dir(state: &str) -> Option<PathBuf> {
    match std::env::var("VALETKEY_TEST_SECRET_SERVICE") {
        Ok(actual) if actual == state => {
            Some(std::env::var_os("VALETKEY_TEST_STATE_DIR").unwrap().into())
        }
        Ok(_) => None,
        Err(_) => {
            println!("skipped: no keyring of its own; run crates/vault/tests/with-keyring.sh");
            None
        }
    }
}

fn with_system_keyring(dir: &Path, key: KeyChoice) -> OpenOptions {
    let keyring = SystemKeyring { patience: Duration::from_secs(20) };
    OpenOptions { keyring: Arc::new(keyring), ..options(dir, key) }
}

#[test]
fn an_unlocked_keyring_keeps_the_key() {
    let Some(dir) = state_dir("unlocked") else { return };
    let auto = with_system_keyring(&dir, KeyChoice::Auto);
    let vault = ready(&auto).unwrap();
    assert_eq!(vault.key_report().provider, KeyProvider::Keyring, "{:?}", vault.key_report());
    vault.save("p", &[put("a", "1")]).unwrap();
    drop(vault);
    for key in [KeyChoice::Auto, only(KeyProvider::Keyring)] {
        let vault = ready(&with_system_keyring(&dir, key)).unwrap();
        assert_eq!(records(&vault, "p"), map([("a", "1")]));
    }
}

#[test]
fn an_unlocked_keyring_keeps_the_next_key_and_forgets_the_one_before() {
    let Some(dir) = state_dir("unlocked") else { return };
    let options = with_system_keyring(&dir.with_extension("rotated"), KeyChoice::Auto);
    let entry = |vault: &Vault| {
        let location = vault.key_report().location.clone();
        location.split('`').nth(1).unwrap().to_owned()
    };
    let mut vault = ready(&options).unwrap();
    vault.save("p", &[put("a", "1")]).unwrap();
    let before = entry(&vault);
    vault.rotate_wrapping_key(KeyProvider::Keyring, &options).unwrap();
    finish(&mut vault, &options);
    let after = entry(&vault);
    drop(vault);
    assert_eq!(options.keyring.get(&before).err(), Some(KeyringRefusal::NoEntry));
    assert_eq!(options.keyring.get(&after).unwrap().len(), 32);
    assert_eq!(records(&ready(&options).unwrap(), "p"), map([("a", "1")]));
    options.keyring.remove(&after).unwrap();
    std::fs::remove_dir_all(&options.state_dir).unwrap();
}

#[test]
fn a_locked_keyring_is_an_error_at_once_and_the_store_stays_as_it_is() {
    let Some(dir) = state_dir("locked") else { return };
    let before = all_files(&dir);
    for key in [KeyChoice::Auto, only(KeyProvider::Keyring)] {
        match ready(&with_system_keyring(&dir, key)) {
            Err(VaultError::KeyUnavailable {
                provider: KeyProvider::Keyring,
                reason: KeyProblem::Locked(_),
            }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(all_files(&dir), before);
}

#[test]
fn a_new_store_goes_on_to_the_next_provider_when_the_keyring_is_locked_or_absent() {
    let Some(dir) = state_dir("locked").or_else(|| state_dir("absent")) else { return };
    let locked = std::env::var("VALETKEY_TEST_SECRET_SERVICE").unwrap() == "locked";
    let fresh = dir.with_extension("fresh");
    let vault = ready(&with_system_keyring(&fresh, KeyChoice::Auto)).unwrap();
    let report = vault.key_report();
    assert_eq!(report.provider, KeyProvider::File);
    let (provider, reason) = &report.passed_over[0];
    assert_eq!(*provider, KeyProvider::Keyring);
    let expected = match reason {
        KeyProblem::Locked(_) => locked,
        KeyProblem::Unreachable(_) => !locked,
        _ => false,
    };
    assert!(expected, "{reason:?}");
    drop(vault);
    std::fs::remove_dir_all(fresh).unwrap();
}

#[test]
fn without_a_session_bus_an_existing_store_is_an_error_and_stays_as_it_is() {
    let Some(dir) = state_dir("absent") else { return };
    let before = all_files(&dir);
    match ready(&with_system_keyring(&dir, KeyChoice::Auto)) {
        Err(VaultError::KeyUnavailable {
            provider: KeyProvider::Keyring,
            reason: KeyProblem::Unreachable(_),
        }) => {}
        other => panic!("{other:?}"),
    }
    assert_eq!(all_files(&dir), before);
}

fn all_files(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}
