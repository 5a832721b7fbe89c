//! The store on the disk, damaged anywhere: it opens or says why not, never with a wrong value, and what is lost is
//! reported.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::panic;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};

use arbitrary::{Arbitrary, Unstructured};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use valetkey_vault::{
    Incident, KeyChoice, KeyProvider, OpenOptions, Opened, Randomness, RandomnessUnavailable,
    RecordChange, Vault, VaultError, open,
};
use zeroize::Zeroizing;

use crate::NOW;
use crate::input::{CANARY, assert_silent};

const RECORDS: usize = 40;
const PARTITION: &str = "user 1000";
const MOST_HARMS: usize = 8;
const HEADER: &str = "vault.header";
const DATABASE: &str = "vault.redb";
/// By how their names begin.
const FILES: [&str; 4] = [HEADER, DATABASE, "vault.seen", "key-"];

/// What is done to the files.
#[derive(Arbitrary, Debug)]
enum Harm {
    /// Other bytes at some place.
    Overwrite { file: u8, at: u32, with: Vec<u8> },
    /// The end is missing.
    Truncate { file: u8, length: u32 },
    /// There is more of it.
    Extend { file: u8, with: Vec<u8> },
    /// One stretch of it stands at another place, too.
    Copy { file: u8, from: u32, to: u32, length: u16 },
    /// It is gone.
    Remove { file: u8 },
    /// Another header, with the digest that it should have.
    Header { json: Vec<u8> },
}

/// How the store ended, and what is done to it.
pub fn run(data: &[u8]) {
    pass_over_what_is_caught();
    let mut input = Unstructured::new(data);
    let Ok(was_killed) = bool::arbitrary(&mut input) else { return };
    let mut files = sound_store(was_killed).clone();
    for _ in 0..MOST_HARMS {
        match Harm::arbitrary(&mut input) {
            Ok(harm) if !input.is_empty() => harm.apply(&mut files),
            _ => break,
        }
    }
    let dir = memory_dir();
    let state = dir.path().join("state");
    lay_down(&state, &files);
    let is_harmed = files != *sound_store(was_killed);
    let is_gone = !files.contains_key(HEADER) && !files.contains_key(DATABASE);
    match open_store(&state) {
        Ok(vault) => {
            check(&vault, is_harmed, is_gone);
            check_afterwards(vault, &state);
        }
        Err(error) => check_refusal(&error, is_harmed),
    }
}

/// Every value is right, and what is missing was told. Of a store that is gone nothing tells that there was one.
fn check(vault: &Vault, is_harmed: bool, is_gone: bool) {
    let incidents = vault.incidents();
    incidents.iter().for_each(|incident| assert_silent(incident.to_string()));
    assert!(is_harmed || incidents.is_empty(), "{incidents:?} without harm");
    let loaded = vault.load(PARTITION, || |record| (record.key.to_owned(), record.value.to_vec()));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error) => return check_refusal(&error, is_harmed),
    };
    let is_set_aside = incidents.iter().any(|it| matches!(it, Incident::SetAside { .. }));
    assert!(!is_set_aside || loaded.records.is_empty(), "records in a fresh store");
    for (key, value) in &loaded.records {
        let number = (0..RECORDS).find(|number| name(*number) == *key);
        let number = number.unwrap_or_else(|| panic!("{key:?} was never stored"));
        let is_newest = *value == new_value(number);
        let is_reported = !incidents.is_empty();
        assert!(is_newest || (is_reported && *value == old_value()), "{key} has a wrong value");
    }
    let seen = loaded.records.len() + loaded.damaged;
    let is_told = is_gone || !incidents.is_empty();
    assert!(seen == RECORDS || is_told, "{seen} of {RECORDS}, and nothing is told");
}

/// What was dealt with is dealt with, and the store works.
fn check_afterwards(vault: Vault, state: &Path) {
    let value = Zeroizing::new(b"later".to_vec());
    let change = RecordChange::Put { key: "later".to_owned(), value };
    if vault.save(PARTITION, &[change]).is_err() {
        return;
    }
    drop(vault);
    let vault = open_store(state).expect("a store that took a save opens again");
    assert_eq!(vault.incidents(), [], "after it was dealt with");
    let loaded =
        vault.load(PARTITION, || |record| (record.key == "later").then(|| record.value.to_vec()));
    let loaded = loaded.expect("a store that took a save can be read");
    assert!(loaded.records.into_iter().flatten().any(|value| value == b"later"), "a save is lost");
}

fn check_refusal(error: &VaultError, is_harmed: bool) {
    assert!(is_harmed, "{error}");
    assert_silent(error.to_string());
    assert_silent(format!("{error:?}"));
}

type Files = BTreeMap<String, Vec<u8>>;

impl Harm {
    fn apply(self, files: &mut Files) {
        match self {
            Self::Overwrite { file, at, with } => {
                let Some(content) = find(files, file) else { return };
                let at = at as usize % (content.len() + 1);
                let end = content.len().min(at + with.len());
                content[at..end].copy_from_slice(&with[..end - at]);
            }
            Self::Truncate { file, length } => {
                let Some(content) = find(files, file) else { return };
                content.truncate(length as usize % (content.len() + 1));
            }
            Self::Extend { file, with } => {
                find(files, file).into_iter().for_each(|content| content.extend(&with));
            }
            Self::Copy { file, from, to, length } => {
                let Some(content) = find(files, file) else { return };
                let (from, to) =
                    (from as usize % (content.len() + 1), to as usize % (content.len() + 1));
                let length = usize::from(length).min(content.len() - from.max(to));
                content.copy_within(from..from + length, to);
            }
            Self::Remove { file } => {
                let name = file_name(files, file);
                name.and_then(|name| files.remove(&name));
            }
            Self::Header { json } => {
                let digest: String =
                    Sha256::digest(&json).iter().map(|byte| format!("{byte:02x}")).collect();
                let content = [&json[..], b"\n", digest.as_bytes(), b"\n"].concat();
                files.insert(HEADER.to_owned(), content);
            }
        }
    }
}

fn file_name(files: &Files, file: u8) -> Option<String> {
    let wanted = FILES[usize::from(file) % FILES.len()];
    files.keys().find(|name| name.starts_with(wanted)).cloned()
}

fn find(files: &mut Files, file: u8) -> Option<&mut Vec<u8>> {
    let name = file_name(files, file)?;
    files.get_mut(&name)
}

/// The files of a store of several pages, whose newest saves replaced records; as a kill leaves them, or as an end does.
fn sound_store(was_killed: bool) -> &'static Files {
    static STORES: OnceLock<[Files; 2]> = OnceLock::new();
    let make = || {
        let dir = memory_dir();
        let state = dir.path().join("state");
        let vault = open_store(&state).expect("a new store");
        let put = |number: usize, value: Vec<u8>| RecordChange::Put {
            key: name(number),
            value: Zeroizing::new(value),
        };
        let all: Vec<_> = (0..RECORDS).map(|number| put(number, old_value())).collect();
        vault.save(PARTITION, &all).expect("there is room");
        for number in 0..RECORDS {
            vault.save(PARTITION, &[put(number, new_value(number))]).expect("there is room");
        }
        let killed = pick_up(&state);
        drop(vault);
        [pick_up(&state), killed]
    };
    &STORES.get_or_init(make)[usize::from(was_killed)]
}

fn name(number: usize) -> String {
    format!("record {number}")
}

fn old_value() -> Vec<u8> {
    vec![0; 700]
}

fn new_value(number: usize) -> Vec<u8> {
    format!("{CANARY} {number} ").repeat(60).into_bytes()
}

fn open_store(state: &Path) -> Result<Vault, VaultError> {
    let options = OpenOptions {
        key: KeyChoice::Only(KeyProvider::File),
        randomness: Arc::new(Counter::default()),
        ..OpenOptions::new(state, NOW.seconds().unsigned_abs())
    };
    match open(&options)? {
        Opened::Ready(vault) => Ok(vault),
        Opened::Locked(_) => panic!("there is no passphrase that it could wait for"),
    }
}

/// The same bytes in every run, and others at every call.
#[derive(Default)]
struct Counter(Mutex<u64>);

impl Randomness for Counter {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessUnavailable> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for chunk in bytes.chunks_mut(32) {
            *count += 1;
            chunk.copy_from_slice(&Sha256::digest(count.to_le_bytes())[..chunk.len()]);
        }
        Ok(())
    }
}

/// In memory where the system has such a place: a store is opened some hundred times a second, and no power fails.
fn memory_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a folder")
}

fn pick_up(state: &Path) -> Files {
    let entries = fs::read_dir(state).expect("a store's folder").flatten();
    let named = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let kept = named.filter(|name| name != "vault.lock");
    kept.map(|name| (name.clone(), fs::read(state.join(name)).expect("a store's file"))).collect()
}

fn lay_down(state: &Path, files: &Files) {
    private_dir(state).expect("a folder");
    for (name, content) in files {
        let file = private_file(&state.join(name)).and_then(|mut it| it.write_all(content));
        file.expect("there is room");
    }
}

#[cfg(unix)]
fn private_dir(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;

    fs::DirBuilder::new().mode(0o700).create(path)
}

#[cfg(not(unix))]
fn private_dir(path: &Path) -> std::io::Result<()> {
    fs::create_dir(path)
}

fn private_file(path: &PathBuf) -> std::io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The database panics about some of the damage, and the vault catches that. libFuzzer's hook would end the process first.
fn pass_over_what_is_caught() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_the_databases =
                panic.location().is_some_and(|place| place.file().contains("redb-"));
            if !is_the_databases {
                hook(panic);
            }
        }));
    });
}
