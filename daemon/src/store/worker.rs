//! The thread that owns the vault.

use std::collections::VecDeque;
use std::sync::PoisonError;

use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};
use valetkey_cache::{Entry, EntryDecoder};
use valetkey_engine::ports::StoreError;
use valetkey_model::Partition;
use valetkey_proto::v1::ErrorCode;
use valetkey_vault::{
    self as vault, KeyProblem, KeyProvider, LockedVault, OpenOptions, Opened, Record, RecordChange,
    Vault, VaultError,
};
use zeroize::Zeroizing;

use super::attempts::Attempt;
use super::presented::{self, Presentation};
use super::protection::Upkeep;
use super::{Records, Rotation, SharedReport, UnixSeconds};
use crate::failure::Failure;

/// What the thread is asked to do.
pub(super) enum Command {
    Load { partition: Partition, answer: Answer<Vec<Entry>, StoreError> },
    Save { partition: Partition, changes: Vec<RecordChange>, answer: Answer<(), StoreError> },
    ReadSecret { name: String, answer: Answer<Option<Zeroizing<Vec<u8>>>, StoreError> },
    ReadRecords { partition: Partition, answer: Answer<Records, StoreError> },
    CountSecrets { answer: Answer<usize, StoreError> },
    Mark { credential: Zeroizing<Vec<u8>>, answer: Answer<[u8; 32], StoreError> },
    Present { token: Zeroizing<Vec<u8>>, what: Presentation, answer: oneshot::Sender<bool> },
    Close { owner: Partition, answer: oneshot::Sender<()> },
    Unlock { passphrase: Zeroizing<String>, attempt: Attempt, answer: Answer<(), Failure> },
    Reopen { answer: Answer<(), Failure> },
    Rotate { rotation: Box<Rotation>, attempt: Option<Attempt>, answer: Answer<(), Failure> },
    CheckPassphrase { passphrase: Zeroizing<String>, attempt: Attempt, answer: Answer<(), Failure> },
    Lock { answer: Answer<(), Failure> },
}

pub(super) type Answer<T, E> = oneshot::Sender<Result<T, E>>;

/// A save that waits for its commit.
type Waiting = (Partition, Vec<RecordChange>, Answer<(), StoreError>);

pub(super) struct Worker {
    pub(super) options: OpenOptions,
    pub(super) now: UnixSeconds,
    pub(super) state: State,
    pub(super) report: SharedReport,
    pub(super) upkeep: Upkeep,
}

pub(super) enum State {
    Ready(Vault),
    /// Waits for its passphrase.
    Locked(LockedVault),
    /// Was locked, and needs nothing but to be asked to open.
    Closed(KeyProvider),
    /// Waits for its keyring: the next command tries again. Whose key it waits for, where that is known, and why.
    Unavailable(Option<KeyProvider>, String),
}

impl Worker {
    pub(super) fn open(
        options: OpenOptions,
        now: UnixSeconds,
        report: SharedReport,
    ) -> Result<Self, VaultError> {
        let (state, upkeep) = (State::Unavailable(None, String::new()), Upkeep::default());
        let mut worker = Self { options, now, state, report, upkeep };
        worker.state = worker.try_open()?;
        worker.publish();
        Ok(worker)
    }

    pub(super) fn run(mut self, mut queue: mpsc::UnboundedReceiver<Command>) {
        let mut batch = VecDeque::new();
        loop {
            // While a rotation has left something to do, nobody is waited for, and what comes goes first.
            let next = match self.has_upkeep() {
                true => queue.try_recv(),
                false => queue.blocking_recv().ok_or(TryRecvError::Disconnected),
            };
            match next {
                Ok(command) => batch.push_back(command),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            while let Ok(more) = queue.try_recv() {
                batch.push_back(more);
            }
            // Once for the batch: a keyring that does not answer is waited for once, and not by each caller in turn.
            self.retry();
            while let Some(command) = batch.pop_front() {
                self.perform(command, &mut batch);
            }
            self.keep_up();
        }
    }

    /// Performs a command. A save takes along the saves that follow it directly, so that the order among saves and loads
    /// stays what the callers see.
    fn perform(&mut self, command: Command, rest: &mut VecDeque<Command>) {
        match command {
            Command::Save { partition, changes, answer } => {
                let mut waiting = vec![(partition, changes, answer)];
                while let Some(Command::Save { .. }) = rest.front() {
                    if let Some(Command::Save { partition, changes, answer }) = rest.pop_front() {
                        waiting.push((partition, changes, answer));
                    }
                }
                self.save(waiting);
            }
            // A caller that has given up does not need the answer.
            Command::Load { partition, answer } => drop(answer.send(self.load(&partition))),
            Command::ReadSecret { name, answer } => drop(answer.send(self.read_secret(&name))),
            Command::ReadRecords { partition, answer } => {
                drop(answer.send(self.read_records(&partition)));
            }
            Command::CountSecrets { answer } => drop(answer.send(self.count_secrets())),
            Command::Mark { credential, answer } => {
                drop(answer.send(self.vault().map(|vault| vault.mark(&credential))));
            }
            Command::Present { token, what, answer } => {
                let _ = answer.send(self.present(&token, what));
            }
            Command::Close { owner, answer } => {
                if let State::Ready(vault) = &self.state {
                    vault.close_keys(owner.as_str());
                }
                let _ = answer.send(());
            }
            Command::Unlock { passphrase, attempt, answer } => {
                let outcome = self.unlock(passphrase, &attempt);
                // Whoever hears the answer may try again.
                drop(attempt);
                drop(answer.send(outcome));
            }
            Command::CheckPassphrase { passphrase, attempt, answer } => {
                let outcome = self.check_passphrase(passphrase, &attempt);
                drop(attempt);
                drop(answer.send(outcome));
            }
            Command::Reopen { answer } => drop(answer.send(self.reopen())),
            Command::Rotate { rotation, attempt, answer } => {
                let outcome = self.rotate(*rotation, attempt.as_ref());
                drop(attempt);
                drop(answer.send(outcome));
            }
            Command::Lock { answer } => drop(answer.send(self.lock())),
        }
    }

    fn load(&self, partition: &Partition) -> Result<Vec<Entry>, StoreError> {
        let reader = || {
            // One decoder for many, so that texts which thousands of entries have in common are kept once.
            let mut decoder = EntryDecoder::default();
            move |record: Record<'_>| {
                let refused = |error: &_| tracing::warn!(%error, "a stored entry cannot be read and is skipped");
                decoder.decode(record.value).inspect_err(refused).ok()
            }
        };
        let loaded = self.vault()?.load(partition.as_str(), reader);
        let loaded = loaded.map_err(|error| explain(&error))?;
        Ok(loaded.records.into_iter().flatten().collect())
    }

    fn read_secret(&self, name: &str) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let secrets = Partition::of_secrets();
        let reader = || {
            |record: Record<'_>| (record.key == name).then(|| Zeroizing::new(record.value.to_vec()))
        };
        let loaded = self.vault()?.load(secrets.as_str(), reader);
        Ok(loaded.map_err(|error| explain(&error))?.records.into_iter().flatten().next())
    }

    fn read_records(&self, partition: &Partition) -> Result<Records, StoreError> {
        let reader =
            || |record: Record<'_>| (record.key.to_owned(), Zeroizing::new(record.value.to_vec()));
        let loaded = self.vault()?.load(partition.as_str(), reader);
        Ok(loaded.map_err(|error| explain(&error))?.records)
    }

    fn present(&self, token: &[u8], what: Presentation) -> bool {
        let Ok(vault) = self.vault() else { return false };
        presented::note(&self.options.state_dir, &vault.mark(token), what)
    }

    fn count_secrets(&self) -> Result<usize, StoreError> {
        let reader = || |_: Record<'_>| ();
        let loaded = self.vault()?.load(Partition::of_secrets().as_str(), reader);
        Ok(loaded.map_err(|error| explain(&error))?.records.len())
    }

    /// One commit for all; when it fails, one for each, so that nobody pays for another's changes.
    fn save(&self, waiting: Vec<Waiting>) {
        let vault = match self.vault() {
            Ok(vault) => vault,
            Err(refusal) => {
                for (_, _, answer) in waiting {
                    drop(answer.send(Err(refusal.clone())));
                }
                return;
            }
        };
        let batch: Vec<_> = waiting
            .iter()
            .map(|(partition, changes, _)| (partition.as_str(), changes.as_slice()))
            .collect();
        let shared = vault.save_all(&batch);
        if let Err(error) = &shared {
            tracing::warn!(%error, saves = batch.len(), "changes could not be saved");
        }
        self.report.lock().unwrap_or_else(PoisonError::into_inner).records = vault.count().ok();
        let is_single = batch.len() == 1;
        for (partition, changes, answer) in waiting {
            let outcome = match &shared {
                Ok(()) => Ok(()),
                Err(error) if is_single => Err(explain(error)),
                Err(_) => vault.save(partition.as_str(), &changes).map_err(|error| explain(&error)),
            };
            drop(answer.send(outcome));
        }
    }

    fn retry(&mut self) {
        if matches!(self.state, State::Unavailable(..)) {
            match self.try_open() {
                Ok(state) => self.state = state,
                Err(error) => self.state = State::Unavailable(None, error.to_string()),
            }
            self.publish();
        }
    }

    /// Opens the store. What a person can put right without touching the store leaves it locked.
    pub(super) fn try_open(&self) -> Result<State, VaultError> {
        let mut options = self.options.clone();
        options.now = (self.now)();
        match vault::open(&options) {
            Ok(Opened::Ready(vault)) => Ok(State::Ready(vault)),
            Ok(Opened::Locked(locked)) => Ok(State::Locked(locked)),
            Err(error) => match &error {
                VaultError::KeyUnavailable { provider, reason } if needs_a_person(reason) => {
                    Ok(State::Unavailable(Some(*provider), error.to_string()))
                }
                _ => Err(error),
            },
        }
    }

    pub(super) fn vault(&self) -> Result<&Vault, StoreError> {
        match &self.state {
            State::Ready(vault) => Ok(vault),
            State::Locked(_) => Err(StoreError::Locked("it waits for its passphrase".to_owned())),
            State::Closed(_) => Err(StoreError::Locked("it was locked".to_owned())),
            State::Unavailable(_, reason) => Err(StoreError::Locked(reason.clone())),
        }
    }

    pub(super) fn publish(&self) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.path = self.options.state_dir.display().to_string();
        report.locked = !matches!(self.state, State::Ready(_));
        report.key_to_be_chosen = false;
        report.key_unavailable = matches!(self.state, State::Unavailable(..));
        (report.key_made_at, report.data_key_made_at, report.records) = (None, None, None);
        report.sealing_anew = false;
        let incidents = match &self.state {
            State::Ready(vault) => {
                (report.key_provider, report.key_protection) = describe(vault.key_report());
                report.key_made_at = vault.key_report().made_at;
                report.data_key_made_at = vault.data_key_made_at();
                report.records = vault.count().ok();
                report.sealing_anew = vault.is_sealing_anew();
                vault.incidents()
            }
            State::Locked(locked) => {
                report.key_provider = KeyProvider::Passphrase.to_string();
                report.key_to_be_chosen = locked.is_new();
                report.key_protection = match report.key_to_be_chosen {
                    true => "the store is new, and waits for a passphrase to be chosen".to_owned(),
                    false => "it waits for the passphrase".to_owned(),
                };
                locked.incidents()
            }
            State::Closed(provider) => {
                report.key_provider = provider.to_string();
                report.key_protection = match provider {
                    KeyProvider::File => {
                        format!("the last resort, a file beside the store; {WAS_LOCKED}")
                    }
                    _ => WAS_LOCKED.to_owned(),
                };
                return;
            }
            State::Unavailable(provider, reason) => {
                if let Some(provider) = provider {
                    report.key_provider = provider.to_string();
                }
                report.key_protection.clone_from(reason);
                return;
            }
        };
        report.problems = incidents.iter().map(ToString::to_string).collect();
    }
}

const WAS_LOCKED: &str = "it was locked, and opens when it is asked to";

fn describe(key: &vault::KeyReport) -> (String, String) {
    let passed_over: String = key
        .passed_over
        .iter()
        .map(|(provider, reason)| format!("; {provider} did not work: {reason}"))
        .collect();
    (key.provider.to_string(), format!("{}: {}{passed_over}", key.location, key.protection))
}

/// Whether a person at the keyboard can bring the key, without repairing anything.
fn needs_a_person(problem: &KeyProblem) -> bool {
    matches!(
        problem,
        KeyProblem::Locked(_)
            | KeyProblem::Unreachable(_)
            | KeyProblem::NoAnswer
            | KeyProblem::NoPassphrase
    )
}

pub(super) fn still_locked(reason: &str) -> Failure {
    Failure::request(ErrorCode::StoreLocked, format!("the store stays locked: {reason}"))
}

pub(super) fn explain(error: &VaultError) -> StoreError {
    match error {
        VaultError::KeyUnavailable { .. } | VaultError::WrongPassphrase => {
            StoreError::Locked(error.to_string())
        }
        _ => StoreError::Unavailable(error.to_string()),
    }
}
