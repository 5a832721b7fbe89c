//! The wrapping key in the operating system's keyring.
//!
//! One item of 32 bytes for each store: service `valetkey`, account `store-<store id>`, so that two
//! state folders of one user do not clash; a key that took the place of another has a generation behind it. The records stay out of it, since Windows takes 2560
//! bytes for an item, and since any program in the session can list what a keyring holds.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use zeroize::Zeroizing;

use super::Generation;
use crate::error::KeyProblem;
use crate::locked::Key;

const SERVICE: &str = "valetkey";

/// A place that keeps named secrets for a user.
pub trait Keyring: Send + Sync {
    /// The secret of an account.
    fn get(&self, account: &str) -> Result<Zeroizing<Vec<u8>>, KeyringRefusal>;
    /// Keeps a secret for an account.
    fn set(&self, account: &str, secret: &Zeroizing<Vec<u8>>) -> Result<(), KeyringRefusal>;
    /// Forgets the secret of an account.
    fn remove(&self, account: &str) -> Result<(), KeyringRefusal>;
}

/// Why a keyring did not do what it was asked; the texts are the keyring's own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyringRefusal {
    /// It works and has no such secret.
    NoEntry,
    /// It is locked, or the person declined.
    Locked(String),
    /// There is none, or the way to it is broken.
    Unreachable(String),
    /// It waits for a person for longer than we do.
    NoAnswer,
}

impl From<KeyringRefusal> for KeyProblem {
    fn from(refusal: KeyringRefusal) -> Self {
        match refusal {
            KeyringRefusal::NoEntry => Self::Missing,
            KeyringRefusal::Locked(text) => Self::Locked(text),
            KeyringRefusal::Unreachable(text) => Self::Unreachable(text),
            KeyringRefusal::NoAnswer => Self::NoAnswer,
        }
    }
}

/// The keyring of the platform, by way of the `keyring` crate: Keychain on macOS, Credential
/// Manager on Windows, Secret Service elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct SystemKeyring {
    /// How long a person may take to unlock it. A keyring that prompts waits for ever.
    pub patience: Duration,
}

impl Default for SystemKeyring {
    fn default() -> Self {
        Self { patience: Duration::from_secs(15) }
    }
}

impl Keyring for SystemKeyring {
    fn get(&self, account: &str) -> Result<Zeroizing<Vec<u8>>, KeyringRefusal> {
        let account = account.to_owned();
        self.ask(move || keyring::Entry::new(SERVICE, &account)?.get_secret().map(Zeroizing::new))
    }

    fn set(&self, account: &str, secret: &Zeroizing<Vec<u8>>) -> Result<(), KeyringRefusal> {
        let (account, secret) = (account.to_owned(), secret.clone());
        self.ask(move || keyring::Entry::new(SERVICE, &account)?.set_secret(&secret))
    }

    fn remove(&self, account: &str) -> Result<(), KeyringRefusal> {
        let account = account.to_owned();
        self.ask(move || keyring::Entry::new(SERVICE, &account)?.delete_credential())
    }
}

impl SystemKeyring {
    /// Asks on a thread of its own, which is left behind if the keyring never answers.
    fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce() -> keyring::Result<T> + Send + 'static,
    ) -> Result<T, KeyringRefusal> {
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::Builder::new()
            .name("keyring".into())
            .spawn(move || {
                // An error here means that nobody waits any more.
                let _ = sender.send(question().map_err(classify));
            })
            .map_err(|e| KeyringRefusal::Unreachable(e.to_string()))?;
        match receiver.recv_timeout(self.patience) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(KeyringRefusal::NoAnswer),
            Err(RecvTimeoutError::Disconnected) => {
                Err(KeyringRefusal::Unreachable("the keyring library failed".into()))
            }
        }
    }
}

fn classify(error: keyring::Error) -> KeyringRefusal {
    match error {
        keyring::Error::NoEntry => KeyringRefusal::NoEntry,
        keyring::Error::NoStorageAccess(cause) => KeyringRefusal::Locked(cause.to_string()),
        // The crate opens the platform's store once for the process and keeps its first refusal.
        keyring::Error::NoDefaultStore => match keyring::Entry::store_status() {
            Err(cause) => KeyringRefusal::Unreachable(cause.to_string()),
            Ok(()) => KeyringRefusal::Unreachable("it was closed".into()),
        },
        other => KeyringRefusal::Unreachable(other.to_string()),
    }
}

/// The account under which the key of a store is kept.
pub(crate) fn account(store_id: &str, generation: &Generation) -> String {
    format!("store-{store_id}{}", generation.suffix())
}

pub(super) fn fetch(keyring: &dyn Keyring, account: &str) -> Result<Key, KeyProblem> {
    let secret = keyring.get(account)?;
    Key::from_slice(&secret).ok_or(KeyProblem::WrongKey)
}

/// Stores the key and reads it back: a keyring that takes a secret and forgets it must not become
/// the only place of a key.
pub(super) fn store(keyring: &dyn Keyring, account: &str, key: &Key) -> Result<(), KeyProblem> {
    keyring.set(account, &Zeroizing::new(key.to_vec()))?;
    match *fetch(keyring, account)? == **key {
        true => Ok(()),
        false => Err(KeyProblem::WrongKey),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyring_that_waits_for_a_person_is_not_waited_for() {
        let (_never_sends, receiver) = mpsc::channel::<()>();
        let keyring = SystemKeyring { patience: Duration::from_millis(1) };
        let answer = keyring.ask(move || receiver.recv().map_err(|_| keyring::Error::NoEntry));
        assert_eq!(answer, Err(KeyringRefusal::NoAnswer));
    }

    #[test]
    fn a_keyring_library_that_panics_is_a_refusal() {
        let keyring = SystemKeyring::default();
        let answer: Result<(), _> = keyring.ask(|| std::panic::resume_unwind(Box::new("broken")));
        assert!(matches!(answer, Err(KeyringRefusal::Unreachable(_))), "{answer:?}");
    }
}
