//! The engine's store on the vault: a thread of its own, since every call of the vault blocks.
//!
//! Saves that wait while one is under way share the next commit: a durable commit costs one flush of the disk however many
//! users it is for, and each caller is answered only when its own changes are on the disk.

mod attempts;
mod presented;
mod protection;
mod worker;

use std::sync::{Arc, Mutex, PoisonError};
use std::{io, thread};

use tokio::sync::{mpsc, oneshot};
use valetkey_cache::{Change, Entry};
use valetkey_engine::ports::{BoxFuture, StoreError, TokenStore};
use valetkey_model::{Partition, ProcessId, Secret};
use valetkey_proto::v1::ErrorCode;
use valetkey_vault::{KeyChoice, KeyProvider, OpenOptions, RecordChange, VaultError};
use zeroize::Zeroizing;

use crate::failure::Failure;
use attempts::{Attempt, Attempts};
use presented::Presentation;
pub use protection::Rotation;
use worker::{Command, Worker};

/// Reads the time in Unix seconds, for the names of what has to be set aside.
pub type UnixSeconds = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The vault, reached from async code. Dropping it closes the vault once what is queued is saved.
pub struct VaultStore {
    commands: Option<mpsc::UnboundedSender<Command>>,
    thread: Option<thread::JoinHandle<()>>,
    report: SharedReport,
    attempts: Arc<Attempts>,
    now: UnixSeconds,
}

/// What `status` tells of the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreReport {
    /// The folder.
    pub path: String,
    /// True while it waits for its key.
    pub locked: bool,
    /// `keyring`, `credential`, `passphrase` or `file`; empty while it is not known.
    pub key_provider: String,
    /// Where the key is and who can get at it, for a person; or why it cannot be had.
    pub key_protection: String,
    /// True while it cannot be had, and it is not known whether the store has been made.
    pub key_unavailable: bool,
    /// True while a new store waits for its first passphrase.
    pub key_to_be_chosen: bool,
    /// When it was made, in Unix seconds.
    pub key_made_at: Option<u64>,
    /// When the oldest data key was made.
    pub data_key_made_at: Option<u64>,
    /// How many records there are, at the last opening or rotation.
    pub records: Option<u64>,
    /// Whether records are being sealed anew.
    pub sealing_anew: bool,
    /// Damage that was found, and what became of it.
    pub problems: Vec<String>,
}

impl StoreReport {
    /// Where the key of a store is that has been made; `None` as well while it cannot be had.
    pub fn key(&self) -> Option<KeyProvider> {
        match self.key_provider.parse() {
            Ok(KeyChoice::Only(provider)) if !self.key_to_be_chosen && !self.key_unavailable => {
                Some(provider)
            }
            _ => None,
        }
    }
}

/// Keys and bytes.
pub type Records = Vec<(String, Zeroizing<Vec<u8>>)>;

type SharedReport = Arc<Mutex<StoreReport>>;

impl VaultStore {
    /// Opens the vault, or makes one. A store whose key needs a person (a passphrase, a locked keyring) is opened as locked.
    ///
    /// # Errors
    /// When the store cannot be used until somebody mends it.
    pub fn open(options: OpenOptions, now: UnixSeconds) -> Result<Self, VaultError> {
        let report = SharedReport::default();
        let worker = Worker::open(options, Arc::clone(&now), Arc::clone(&report))?;
        let (commands, queue) = mpsc::unbounded_channel();
        let thread = thread::Builder::new()
            .name("vault".to_owned())
            .spawn(move || worker.run(queue))
            .map_err(|source| thread_error(&report, source))?;
        let attempts = Arc::default();
        Ok(Self { commands: Some(commands), thread: Some(thread), report, attempts, now })
    }

    /// What there is to tell of it.
    pub fn report(&self) -> StoreReport {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True while only a passphrase can open it, so that asking it for anything else is of no use.
    pub fn awaits_passphrase(&self) -> bool {
        let report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.locked && report.key_provider == KeyProvider::Passphrase.to_string()
    }

    /// Opens a locked store, with its passphrase if it has one; does nothing to an open one.
    ///
    /// # Errors
    /// When the passphrase is wrong, the key still cannot be had, or it is too soon after a wrong one.
    pub async fn unlock(&self, passphrase: Secret, by: Option<ProcessId>) -> Result<(), Failure> {
        let attempt = self.begin_attempt(by)?;
        let passphrase = Zeroizing::new(passphrase.expose().to_owned());
        self.ask(|answer| Command::Unlock { passphrase, attempt, answer }).await
    }

    /// Opens a store that was locked and needs no passphrase; does nothing to any other.
    ///
    /// # Errors
    /// When the key cannot be had.
    pub async fn reopen(&self) -> Result<(), Failure> {
        self.ask(|answer| Command::Reopen { answer }).await
    }

    /// Replaces keys. The wrapping key is another one when it returns; records are sealed anew behind what else is asked for.
    ///
    /// # Errors
    /// When the passphrase that the store has is missing or wrong, a provider refuses, or nothing can be written. Then the
    /// keys are those that they were.
    pub async fn rotate(&self, rotation: Rotation, by: Option<ProcessId>) -> Result<(), Failure> {
        let attempt = match rotation.passphrase {
            Some(_) => Some(self.begin_attempt(by)?),
            None => None,
        };
        let rotation = Box::new(rotation);
        self.ask(|answer| Command::Rotate { rotation, attempt, answer }).await
    }

    /// Makes sure that whoever asks knows the passphrase, where one protects the store; of others none is asked.
    ///
    /// # Errors
    /// When it is missing or wrong, or it is too soon after a wrong one.
    pub async fn check_passphrase(
        &self,
        passphrase: Option<Secret>,
        by: Option<ProcessId>,
    ) -> Result<(), Failure> {
        if self.report().key_provider != KeyProvider::Passphrase.to_string() {
            return Ok(());
        }
        let Some(passphrase) = passphrase else {
            let text = "passphrase: missing; the store is protected by one, and so is this";
            return Err(Failure::request(ErrorCode::AccessDenied, text));
        };
        let attempt = self.begin_attempt(by)?;
        let passphrase = Zeroizing::new(passphrase.expose().to_owned());
        self.ask(|answer| Command::CheckPassphrase { passphrase, attempt, answer }).await
    }

    fn begin_attempt(&self, by: Option<ProcessId>) -> Result<Attempt, Failure> {
        self.attempts.begin(by, (self.now)()).map_err(|seconds| Failure::Later {
            description: "one passphrase is tried at a time, and a wrong one costs a pause"
                .to_owned(),
            seconds,
        })
    }

    /// Closes the store and forgets its keys, until it is unlocked.
    ///
    /// # Errors
    /// When its thread has ended.
    pub async fn lock(&self) -> Result<(), Failure> {
        self.ask(|answer| Command::Lock { answer }).await
    }

    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, Failure>>) -> Command,
    ) -> Result<T, Failure> {
        let (answer, answered) = oneshot::channel();
        self.send(command(answer));
        answered.await.unwrap_or_else(|_| Err(Failure::Engine(gone().into())))
    }

    fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            // A command that cannot be sent is dropped with the sender of its answer, which the caller notices.
            let _ = commands.send(command);
        }
    }

    async fn load(&self, partition: Partition) -> Result<Vec<Entry>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Load { partition, answer });
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    async fn mark(&self, credential: Zeroizing<Vec<u8>>) -> Result<[u8; 32], StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Mark { credential, answer });
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Drops an owner's keys from memory, until something of the owner's is asked for.
    async fn close(&self, owner: &Partition) {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Close { owner: owner.clone(), answer });
        // A thread that has ended holds no keys.
        let _ = answered.await;
    }

    async fn present(&self, refresh_token: &Secret, what: Presentation) -> bool {
        let (answer, answered) = oneshot::channel();
        let token = Zeroizing::new(refresh_token.expose().as_bytes().to_vec());
        self.send(Command::Present { token, what, answer });
        answered.await.unwrap_or(false)
    }

    /// A secret that the configuration refers to.
    ///
    /// # Errors
    /// When the store is locked or cannot be read.
    pub async fn read_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::ReadSecret { name: name.to_owned(), answer });
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// All records of a partition that are not tokens, by their keys.
    ///
    /// # Errors
    /// When the store is locked or cannot be read.
    pub async fn read_records(&self, partition: &Partition) -> Result<Records, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::ReadRecords { partition: partition.clone(), answer });
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// How many secrets there are.
    ///
    /// # Errors
    /// When the store is locked or cannot be read.
    pub async fn count_secrets(&self) -> Result<usize, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::CountSecrets { answer });
        answered.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Keeps a secret in the place of the one of this name, or forgets it.
    ///
    /// # Errors
    /// When the store is locked or cannot be written; then it is as before.
    pub async fn keep_secret(
        &self,
        name: &str,
        secret: Option<Zeroizing<Vec<u8>>>,
    ) -> Result<(), StoreError> {
        let key = name.to_owned();
        let change = match secret {
            Some(value) => RecordChange::Put { key, value },
            None => RecordChange::Remove { key },
        };
        self.send_save(Partition::of_secrets(), vec![change]).await
    }

    async fn save(&self, partition: &Partition, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.send_save(partition.clone(), changes.iter().map(encode).collect()).await
    }

    /// Saves changes of records that are not tokens.
    ///
    /// # Errors
    /// When the store is locked or cannot be written; then it is as before.
    pub async fn save_records(
        &self,
        partition: Partition,
        changes: Vec<RecordChange>,
    ) -> Result<(), StoreError> {
        self.send_save(partition, changes).await
    }

    async fn send_save(
        &self,
        partition: Partition,
        changes: Vec<RecordChange>,
    ) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Save { partition, changes, answer });
        answered.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl TokenStore for VaultStore {
    fn load<'a>(
        &'a self,
        partition: &'a Partition,
    ) -> BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(self.load(partition.clone()))
    }

    fn save<'a>(
        &'a self,
        partition: &'a Partition,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.save(partition, changes))
    }

    fn mark<'a>(&'a self, credential: &'a [u8]) -> BoxFuture<'a, Result<[u8; 32], StoreError>> {
        Box::pin(self.mark(Zeroizing::new(credential.to_vec())))
    }

    fn note_presented<'a>(&'a self, refresh_token: &'a Secret) -> BoxFuture<'a, bool> {
        Box::pin(self.present(refresh_token, Presentation::Begins))
    }

    fn settle_presented<'a>(&'a self, refresh_token: &'a Secret) -> BoxFuture<'a, ()> {
        Box::pin(async {
            self.present(refresh_token, Presentation::Ends).await;
        })
    }

    fn close<'a>(&'a self, owner: &'a Partition) -> BoxFuture<'a, ()> {
        Box::pin(self.close(owner))
    }
}

impl Drop for VaultStore {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was answered to whoever waited for it.
            let _ = thread.join();
        }
    }
}

fn encode(change: &Change) -> RecordChange {
    let key = change.key().as_str().to_owned();
    match change {
        Change::Put(entry) => RecordChange::Put { key, value: entry.encode() },
        Change::Remove(_) => RecordChange::Remove { key },
    }
}

fn gone() -> StoreError {
    StoreError::Unavailable(GONE.to_owned())
}

fn thread_error(report: &SharedReport, source: io::Error) -> VaultError {
    let path = report.lock().unwrap_or_else(PoisonError::into_inner).path.clone().into();
    VaultError::Io {
        doing: "start a thread for",
        path,
        kind: valetkey_vault::IoKind::Other,
        source,
    }
}

const GONE: &str = "the store's thread has ended; see the log";

#[cfg(test)]
mod tests;
