//! What the tests of the vault share: options without an outside world, and short names.

#![expect(dead_code, reason = "each test binary uses its own part")]

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use tempfile::TempDir;
use valetkey_vault::{
    KeyChoice, KeyProvider, Keyring, KeyringRefusal, Loaded, OpenOptions, Opened, PassphraseCost,
    Randomness, RandomnessUnavailable, RecordChange, Upkeep, Vault, VaultError, open,
};
use zeroize::Zeroizing;

pub const NOW: u64 = 1_700_000_000;

const RECORDS: TableDefinition<'_, [u8; 32], &[u8]> = TableDefinition::new("records");

/// Random-looking bytes that are the same in every run (SplitMix64).
pub struct Seeded(pub Mutex<u64>);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(seed))
    }

    pub fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

impl Randomness for Seeded {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessUnavailable> {
        bytes.fill_with(|| self.next() as u8);
        Ok(())
    }
}

/// A keyring in memory that can be locked or taken away.
#[derive(Default)]
pub struct MemoryKeyring {
    pub items: Mutex<HashMap<String, Vec<u8>>>,
    pub refusal: Mutex<Option<KeyringRefusal>>,
}

impl MemoryKeyring {
    pub fn refusing(refusal: KeyringRefusal) -> Arc<Self> {
        Arc::new(Self { items: Mutex::default(), refusal: Mutex::new(Some(refusal)) })
    }

    fn allowed(&self) -> Result<(), KeyringRefusal> {
        self.refusal.lock().unwrap().clone().map_or(Ok(()), Err)
    }
}

impl Keyring for MemoryKeyring {
    fn get(&self, account: &str) -> Result<Zeroizing<Vec<u8>>, KeyringRefusal> {
        self.allowed()?;
        let items = self.items.lock().unwrap();
        items.get(account).cloned().map(Zeroizing::new).ok_or(KeyringRefusal::NoEntry)
    }

    fn set(&self, account: &str, secret: &Zeroizing<Vec<u8>>) -> Result<(), KeyringRefusal> {
        self.allowed()?;
        self.items.lock().unwrap().insert(account.to_owned(), secret.to_vec());
        Ok(())
    }

    fn remove(&self, account: &str) -> Result<(), KeyringRefusal> {
        self.allowed()?;
        self.items.lock().unwrap().remove(account);
        Ok(())
    }
}

/// Every opening draws other random bytes, as it would outside tests.
static OPENINGS: AtomicU64 = AtomicU64::new(1);

/// Options with the given choice, a reachable empty keyring and a cheap passphrase.
pub fn options(dir: &Path, key: KeyChoice) -> OpenOptions {
    OpenOptions {
        key,
        keyring: Arc::new(MemoryKeyring::default()),
        randomness: Arc::new(Seeded::new(OPENINGS.fetch_add(1, Ordering::Relaxed) << 32)),
        passphrase_cost: PassphraseCost::new(64, 1, 1).unwrap(),
        ..OpenOptions::new(dir, NOW)
    }
}

pub fn only(provider: KeyProvider) -> KeyChoice {
    KeyChoice::Only(provider)
}

/// The store of a folder, with its key in a file.
pub fn open_file_store(dir: &Path) -> Vault {
    ready(&options(dir, only(KeyProvider::File))).unwrap()
}

/// Opens a store that must not be locked.
pub fn ready(options: &OpenOptions) -> Result<Vault, VaultError> {
    match open(options)? {
        Opened::Ready(vault) => Ok(vault),
        Opened::Locked(_) => panic!("the store is locked"),
    }
}

pub fn put(key: &str, value: impl AsRef<[u8]>) -> RecordChange {
    RecordChange::Put { key: key.into(), value: Zeroizing::new(value.as_ref().to_vec()) }
}

pub fn remove(key: &str) -> RecordChange {
    RecordChange::Remove { key: key.into() }
}

/// What is in a partition, as keys and values.
pub fn load(vault: &Vault, partition: &str) -> Result<Loaded<(String, Vec<u8>)>, VaultError> {
    vault.load(partition, || |record| (record.key.to_owned(), record.value.to_vec()))
}

/// All records of a partition, by key.
pub fn records(vault: &Vault, partition: &str) -> HashMap<String, Vec<u8>> {
    let loaded = load(vault, partition).unwrap();
    assert_eq!(loaded.damaged, 0, "records that do not open");
    loaded.records.into_iter().collect()
}

pub fn map<const N: usize>(expected: [(&str, &str); N]) -> HashMap<String, Vec<u8>> {
    expected.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

/// A temporary folder in memory where the system has one, for tests that open a store a thousand
/// times and mean no power cut.
pub fn memory_dir() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Copies a store, byte for byte, into a new folder.
pub fn copy_store(from: &Path, to: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        std::fs::DirBuilder::new().mode(0o700).create(to).unwrap();
    }
    #[cfg(not(unix))]
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // Keeps the mode, so 0600 stays 0600.
        std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// Tells a test runner that asks which tests there are of this one; a program without a harness must do so itself.
#[cfg(unix)]
pub fn is_listing(name: &str) -> bool {
    let asks = |option| std::env::args().any(|argument| argument == option);
    if asks("--list") && !asks("--ignored") {
        println!("{name}: test");
    }
    asks("--list")
}

/// In the place of what is there, if anything is, whose mode it keeps.
pub fn write_file(path: &Path, content: &[u8]) {
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), content).unwrap();
}

/// Options of a store whose key is in a file.
pub fn file_options(dir: &Path) -> OpenOptions {
    options(dir, only(KeyProvider::File))
}

/// Does all that a rotation has left to do, and answers in how many pieces.
pub fn finish(vault: &mut Vault, options: &OpenOptions) -> usize {
    (1..).find(|_| vault.upkeep(options).unwrap() == Upkeep::Done).unwrap()
}

/// The ids of the data keys that have sealed something, as the stored records tell; of a closed store.
pub fn sealed_by(dir: &Path) -> BTreeSet<[u8; 4]> {
    let database = redb::Database::open(dir.join("vault.redb")).unwrap();
    let table = database.begin_read().unwrap().open_table(RECORDS).unwrap();
    let stored = table.iter().unwrap().map(|entry| entry.unwrap().1.value().to_vec());
    stored.map(|stored| stored[1..5].try_into().unwrap()).collect()
}
