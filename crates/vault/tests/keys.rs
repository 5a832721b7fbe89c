//! Which provider a store gets its key from, and what happens when it cannot.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::tempdir;
use valetkey_vault::{
    Incident, KeyChoice, KeyProblem, KeyProvider, KeyringRefusal, OpenOptions, Opened, Vault,
    VaultError, open,
};
use zeroize::Zeroizing;

use common::{MemoryKeyring, NOW, map, only, options, put, ready, records};

fn passphrase(text: &str) -> Option<Zeroizing<String>> {
    Some(Zeroizing::new(text.into()))
}

/// A folder with a credential of `length` bytes.
fn credentials(dir: &Path, length: usize) -> Option<std::path::PathBuf> {
    let folder = dir.join(format!("credentials-{length}"));
    fs::create_dir_all(&folder).unwrap();
    fs::File::create(folder.join("valetkey-key"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, &vec![5; length]))
        .unwrap();
    Some(folder)
}

fn no_keyring() -> Arc<MemoryKeyring> {
    MemoryKeyring::refusing(KeyringRefusal::Unreachable("no session bus".into()))
}

#[test]
fn a_new_store_takes_the_best_provider_that_works() {
    let dir = tempdir().unwrap();
    let auto = |name: &str| options(&dir.path().join(name), KeyChoice::Auto);
    let locked = || MemoryKeyring::refusing(KeyringRefusal::Locked("prompt dismissed".into()));
    let credential = credentials(dir.path(), 32);
    let everything_but_keyring = |name| OpenOptions {
        keyring: no_keyring(),
        credentials_directory: credential.clone(),
        passphrase: passphrase("open sesame"),
        ..auto(name)
    };
    use KeyProvider::{Credential, File, Keyring, Passphrase};
    for (options, expected, passed_over) in [
        (auto("a"), Keyring, vec![]),
        (everything_but_keyring("b"), Credential, vec![Keyring]),
        (
            OpenOptions { credentials_directory: None, ..everything_but_keyring("c") },
            Passphrase,
            vec![Keyring, Credential],
        ),
        (
            OpenOptions { keyring: locked(), ..auto("d") },
            File,
            vec![Keyring, Credential, Passphrase],
        ),
    ] {
        let vault = ready(&options).unwrap();
        let report = vault.key_report();
        let over: Vec<_> = report.passed_over.iter().map(|(provider, _)| *provider).collect();
        assert_eq!((report.provider, over), (expected, passed_over));
        vault.save("p", &[put("a", "1")]).unwrap();
        drop(vault);
        let vault = ready(&options).unwrap();
        assert_eq!(vault.key_report().provider, expected);
        assert_eq!(records(&vault, "p"), map([("a", "1")]));
    }
}

#[test]
fn a_store_whose_key_cannot_be_had_is_left_untouched() {
    type Change = fn(&Path, OpenOptions) -> OpenOptions;
    let without_keyring: Change = |_, o| OpenOptions { keyring: no_keyring(), ..o };
    let locked: Change = |_, o| OpenOptions {
        keyring: MemoryKeyring::refusing(KeyringRefusal::Locked("locked".into())),
        ..o
    };
    let never_answers: Change =
        |_, o| OpenOptions { keyring: MemoryKeyring::refusing(KeyringRefusal::NoAnswer), ..o };
    let another_keyring: Change =
        |_, o| OpenOptions { keyring: Arc::new(MemoryKeyring::default()), ..o };
    let no_credential: Change = |_, o| OpenOptions { credentials_directory: None, ..o };
    let other_credential: Change =
        |dir, o| OpenOptions { credentials_directory: credentials(dir, 48), ..o };
    let no_key_file: Change = |dir, o| {
        let is_key = |name: &str| name.starts_with("key-");
        let entries = fs::read_dir(dir.join("state")).unwrap().map(|entry| entry.unwrap());
        let key = entries.into_iter().find(|e| is_key(&e.file_name().to_string_lossy())).unwrap();
        fs::rename(key.path(), dir.join("elsewhere")).unwrap();
        o
    };
    use KeyProvider::{Credential, File, Keyring};
    for (provider, change, expected) in [
        (Keyring, without_keyring, KeyProblem::Unreachable("no session bus".into())),
        (Keyring, locked, KeyProblem::Locked("locked".into())),
        (Keyring, never_answers, KeyProblem::NoAnswer),
        (Keyring, another_keyring, KeyProblem::Missing),
        (Credential, no_credential, KeyProblem::NoCredential),
        (Credential, other_credential, KeyProblem::WrongKey),
        (File, no_key_file, KeyProblem::FileMissing("of the store".into())),
    ] {
        let dir = tempdir().unwrap();
        let good = OpenOptions {
            credentials_directory: credentials(dir.path(), 32),
            ..options(&dir.path().join("state"), only(provider))
        };
        ready(&good).unwrap().save("p", &[put("a", "1")]).unwrap();

        let bad = change(dir.path(), OpenOptions { key: KeyChoice::Auto, ..good.clone() });
        let before = all_files(&dir.path().join("state"));
        match ready(&bad) {
            Err(VaultError::KeyUnavailable { provider: p, reason }) => {
                // Its name is of the store that was made just before.
                let reason = match reason {
                    KeyProblem::FileMissing(path) => {
                        assert!(path.starts_with(dir.path()), "{path:?}");
                        KeyProblem::FileMissing("of the store".into())
                    }
                    other => other,
                };
                assert_eq!((p, reason), (provider, expected.clone()));
            }
            other => panic!("{expected:?}: {other:?}"),
        }
        assert_eq!(all_files(&dir.path().join("state")), before, "{expected:?}");
        if provider != File {
            assert_eq!(records(&ready(&good).unwrap(), "p"), map([("a", "1")]));
        }
    }
}

#[test]
fn a_provider_set_up_wrongly_is_an_error_and_not_passed_over() {
    let dir = tempdir().unwrap();
    let auto = OpenOptions {
        keyring: no_keyring(),
        ..options(&dir.path().join("state"), KeyChoice::Auto)
    };
    for (wrong, provider, expected) in [
        (
            OpenOptions { credentials_directory: credentials(dir.path(), 31), ..auto.clone() },
            KeyProvider::Credential,
            KeyProblem::TooShort { found: 31, needed: 32 },
        ),
        (
            OpenOptions { passphrase: passphrase(""), ..auto.clone() },
            KeyProvider::Passphrase,
            KeyProblem::EmptyPassphrase,
        ),
    ] {
        match ready(&wrong) {
            Err(VaultError::KeyUnavailable { provider: p, reason }) => {
                assert_eq!((p, reason), (provider, expected));
            }
            other => panic!("{other:?}"),
        }
        assert!(!dir.path().join("state/vault.header").exists());
    }
}

#[test]
fn another_provider_than_the_recorded_one_is_refused() {
    let dir = tempdir().unwrap();
    drop(ready(&options(dir.path(), only(KeyProvider::File))).unwrap());
    match ready(&options(dir.path(), only(KeyProvider::Keyring))) {
        Err(VaultError::OtherProvider { path, recorded, wanted }) => assert_eq!(
            (path.as_path(), recorded, wanted),
            (dir.path(), KeyProvider::File, KeyProvider::Keyring)
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_stores_of_one_user_have_two_keys_in_the_keyring() {
    let (first, second) = (tempdir().unwrap(), tempdir().unwrap());
    let keyring = Arc::new(MemoryKeyring::default());
    let of = |dir: &Path| OpenOptions { keyring: keyring.clone(), ..options(dir, KeyChoice::Auto) };
    for dir in [&first, &second] {
        ready(&of(dir.path())).unwrap().save("p", &[put("a", "1")]).unwrap();
    }
    let items = keyring.items.lock().unwrap().clone();
    assert_eq!(items.len(), 2);
    assert!(items.values().all(|secret| secret.len() == 32));
    for dir in [&first, &second] {
        assert_eq!(records(&ready(&of(dir.path())).unwrap(), "p"), map([("a", "1")]));
    }
}

#[test]
fn a_store_that_cannot_be_written_leaves_no_key_behind() {
    let dir = tempdir().unwrap();
    let keyring = Arc::new(MemoryKeyring::default());
    let options = OpenOptions { keyring: keyring.clone(), ..options(dir.path(), KeyChoice::Auto) };
    // A folder in the way of the header's temporary file, which no file can replace.
    fs::create_dir(dir.path().join("vault.header.new")).unwrap();
    assert!(matches!(ready(&options), Err(VaultError::Io { .. })));
    assert!(keyring.items.lock().unwrap().is_empty());
}

fn locked_store(options: &OpenOptions) -> valetkey_vault::LockedVault {
    match open(options).unwrap() {
        Opened::Locked(locked) => locked,
        Opened::Ready(_) => panic!("the store is open without a passphrase"),
    }
}

fn unlock(locked: &valetkey_vault::LockedVault, text: &str) -> Result<Vault, VaultError> {
    locked.unlock(Zeroizing::new(text.into()), NOW)
}

#[test]
fn a_passphrase_locks_and_unlocks_a_store() {
    let dir = tempdir().unwrap();
    let options = options(dir.path(), only(KeyProvider::Passphrase));
    let vault = unlock(&locked_store(&options), "open sesame").unwrap();
    vault.save("p", &[put("a", "1")]).unwrap();
    assert!(vault.key_report().location.contains("Argon2id"));
    drop(vault);

    let locked = locked_store(&options);
    assert!(matches!(unlock(&locked, "open says me"), Err(VaultError::WrongPassphrase)));
    assert!(matches!(unlock(&locked, ""), Err(VaultError::WrongPassphrase)));
    let in_use = open(&options);
    assert!(matches!(in_use, Err(VaultError::InUse { .. })), "{in_use:?}");
    let vault = unlock(&locked, "open sesame").unwrap();
    assert_eq!(records(&vault, "p"), map([("a", "1")]));
    assert!(matches!(unlock(&locked, "open sesame"), Err(VaultError::InUse { .. })));
}

#[test]
fn a_wrong_passphrase_is_told_apart_from_a_damaged_header() {
    let dir = tempdir().unwrap();
    let options = options(dir.path(), only(KeyProvider::Passphrase));
    drop(unlock(&locked_store(&options), "open sesame").unwrap());
    harm_header(dir.path(), |content| content[20] ^= 1);
    let locked = locked_store(&options);
    assert!(
        matches!(locked.incidents(), [Incident::Unreadable { .. }]),
        "{:?}",
        locked.incidents()
    );
    let vault = unlock(&locked, "a new one").unwrap();
    assert_eq!(vault.incidents().len(), 2, "header and database are set aside");
}

fn harm_header(dir: &Path, harm: impl FnOnce(&mut Vec<u8>)) {
    let header = dir.join("vault.header");
    let mut content = fs::read(&header).unwrap();
    harm(&mut content);
    let mut file = fs::File::options().write(true).truncate(true).open(&header).unwrap();
    std::io::Write::write_all(&mut file, &content).unwrap();
}

/// A store whose key was made by `provider`, whose header was then damaged, is opened with no provider chosen and with or
/// without a keyring: the provider that it goes on with, or none.
fn goes_on_with(
    provider: KeyProvider,
    harm: impl FnOnce(&mut Vec<u8>),
    has_keyring: bool,
) -> Option<KeyProvider> {
    let dir = tempdir().unwrap();
    let made =
        OpenOptions { passphrase: passphrase("sesame"), ..options(dir.path(), only(provider)) };
    drop(ready(&made).unwrap());
    harm_header(dir.path(), harm);
    let mut auto = options(dir.path(), KeyChoice::Auto);
    if !has_keyring {
        auto.keyring = no_keyring();
    }
    let before = all_files(dir.path());
    let outcome = match open(&auto) {
        Ok(Opened::Ready(vault)) => return Some(vault.key_report().provider),
        Ok(Opened::Locked(_)) => Some(KeyProvider::Passphrase),
        Err(VaultError::HeaderLost { path, .. }) => {
            assert!(path.is_file(), "what is left can be found");
            None
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(
        all_files(dir.path()),
        before,
        "nothing is touched, so that the next start does the same"
    );
    outcome
}

#[test]
fn damage_to_the_header_brings_no_weaker_provider_by_itself() {
    use KeyProvider::{File, Keyring, Passphrase};
    let flipped: fn(&mut Vec<u8>) = |content| content[2] ^= 1;
    let garbage: fn(&mut Vec<u8>) = |content| content.fill(b'?');
    for (made_by, harm, has_keyring, expected) in [
        (Passphrase, flipped, true, Some(Passphrase)),
        (Passphrase, flipped, false, Some(Passphrase)),
        (Passphrase, garbage, false, None),
        (Passphrase, garbage, true, Some(Keyring)),
        (Keyring, flipped, true, Some(Keyring)),
        (Keyring, garbage, true, Some(Keyring)),
        (Keyring, garbage, false, None),
        (File, flipped, false, Some(File)),
        (File, flipped, true, Some(File)),
        (File, garbage, false, None),
    ] {
        let outcome = goes_on_with(made_by, harm, has_keyring);
        assert_eq!(outcome, expected, "{made_by}, keyring: {has_keyring}");
    }
}

#[test]
fn a_database_without_its_header_waits_for_a_choice() {
    let dir = tempdir().unwrap();
    drop(ready(&options(dir.path(), only(KeyProvider::File))).unwrap());
    fs::remove_file(dir.path().join("vault.header")).unwrap();
    let auto = OpenOptions { keyring: no_keyring(), ..options(dir.path(), KeyChoice::Auto) };
    for _ in 0..2 {
        let refused = open(&auto);
        assert!(
            matches!(&refused, Err(VaultError::HeaderLost { path, .. }) if path.ends_with("vault.redb"))
        );
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("vault.redb") && text.contains("VALETKEY_KEY_PROVIDER"), "{text}");
    }
    let chosen = ready(&options(dir.path(), only(KeyProvider::File))).unwrap();
    assert!(matches!(chosen.incidents(), [Incident::SetAside { .. }]), "{:?}", chosen.incidents());
}

#[test]
fn a_passphrase_given_beforehand_opens_the_store_at_once() {
    let dir = tempdir().unwrap();
    let given = |text| OpenOptions {
        passphrase: passphrase(text),
        ..options(dir.path(), only(KeyProvider::Passphrase))
    };
    drop(ready(&given("open sesame")).unwrap());
    assert!(ready(&given("open sesame")).is_ok());
    assert!(matches!(ready(&given("wrong")), Err(VaultError::WrongPassphrase)));
}

#[test]
fn the_default_cost_is_recorded_and_used_again() {
    let dir = tempdir().unwrap();
    let cheap = options(dir.path(), only(KeyProvider::Passphrase));
    let default = OpenOptions {
        passphrase: passphrase("open sesame"),
        passphrase_cost: Default::default(),
        ..cheap.clone()
    };
    drop(ready(&default).unwrap());
    let header = fs::read_to_string(dir.path().join("vault.header")).unwrap();
    assert!(
        header.contains(r#""function":"argon2id","memory_kib":65536,"passes":3,"lanes":1"#),
        "{header}"
    );
    assert!(unlock(&locked_store(&cheap), "open sesame").is_ok());
}

#[test]
fn the_report_of_a_key_file_says_who_can_read_the_tokens() {
    let dir = tempdir().unwrap();
    let vault = ready(&options(dir.path(), only(KeyProvider::File))).unwrap();
    let report = vault.key_report();
    assert!(Path::new(&report.location).exists(), "{}", report.location);
    assert!(report.protection.contains("whoever can read this folder"), "{}", report.protection);
}

#[test]
fn debug_texts_show_no_key() {
    let dir = tempdir().unwrap();
    let keyring = Arc::new(MemoryKeyring::default());
    let options = OpenOptions { keyring: keyring.clone(), ..options(dir.path(), KeyChoice::Auto) };
    let vault = ready(&options).unwrap();
    let text = format!("{vault:?}");
    let key = keyring.items.lock().unwrap().values().next().unwrap().clone();
    assert!(text.starts_with("Vault"));
    assert!(!text.contains(&format!("{key:?}")));
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
