//! Where the wrapping key of a store comes from.
//!
//! A new store takes the first provider that works, in the order of [`KeyProvider::ALL`]; from then
//! on its header names that provider and no other is tried, since another one could only bring
//! another key. Each provider yields one key of 32 bytes that wraps the store's data key.

pub(crate) mod credential;
pub(crate) mod file;
pub(crate) mod keyring;
pub(crate) mod passphrase;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::error::{KeyProblem, VaultError};
use crate::locked::Key;
use crate::options::{OpenOptions, random};
use crate::state_dir::StateDir;

/// Who keeps the wrapping key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyProvider {
    /// The operating system's keyring: Secret Service, Keychain, Credential Manager.
    Keyring,
    /// A systemd credential.
    Credential,
    /// A passphrase that a person knows.
    Passphrase,
    /// A file beside the store.
    File,
}

impl KeyProvider {
    /// All of them, the best first.
    pub const ALL: [Self; 4] = [Self::Keyring, Self::Credential, Self::Passphrase, Self::File];
}

impl fmt::Display for KeyProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyring => "keyring",
            Self::Credential => "credential",
            Self::Passphrase => "passphrase",
            Self::File => "file",
        })
    }
}

/// What the configuration says about the provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyChoice {
    /// The recorded one; for a new store the best that works.
    #[default]
    Auto,
    /// This one or none.
    Only(KeyProvider),
}

impl FromStr for KeyChoice {
    type Err = UnknownKeyChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "auto" {
            return Ok(Self::Auto);
        }
        KeyProvider::ALL
            .into_iter()
            .find(|provider| provider.to_string() == text)
            .map(Self::Only)
            .ok_or_else(|| UnknownKeyChoice(text.to_owned()))
    }
}

/// The configuration names a provider that there is not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no key provider; use auto, keyring, credential, passphrase or file")]
pub struct UnknownKeyChoice(String);

/// Where the key of an open store is and what protects it, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyReport {
    /// The provider.
    pub provider: KeyProvider,
    /// Where the wrapping key is.
    pub location: String,
    /// Who can get at it.
    pub protection: &'static str,
    /// The better providers that did not work when this store was made, and why. Known to the
    /// process that made the store.
    pub passed_over: Vec<(KeyProvider, KeyProblem)>,
}

/// What the header records about the provider: enough to find the key again, and nothing secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "provider", rename_all = "lowercase")]
pub(crate) enum KeyRecord {
    Keyring,
    Credential,
    Passphrase(passphrase::Derivation),
    File,
}

impl KeyRecord {
    pub(crate) fn provider(&self) -> KeyProvider {
        match self {
            Self::Keyring => KeyProvider::Keyring,
            Self::Credential => KeyProvider::Credential,
            Self::Passphrase(_) => KeyProvider::Passphrase,
            Self::File => KeyProvider::File,
        }
    }
}

/// What every provider needs to find or make the key of one store.
pub(crate) struct KeySource<'a> {
    pub(crate) dir: &'a StateDir,
    pub(crate) store_id: &'a str,
    pub(crate) options: &'a OpenOptions,
}

impl KeySource<'_> {
    /// Fetches the wrapping key of an existing store.
    pub(crate) fn fetch(&self, record: &KeyRecord) -> Result<Key, KeyProblem> {
        match record {
            KeyRecord::Keyring => keyring::fetch(&*self.options.keyring, self.store_id),
            KeyRecord::Credential => self.derive_from_credential(),
            KeyRecord::Passphrase(derivation) => {
                let passphrase =
                    self.options.passphrase.as_ref().ok_or(KeyProblem::NoPassphrase)?;
                Ok(derivation.derive(passphrase))
            }
            KeyRecord::File => file::fetch(self.dir, self.store_id),
        }
    }

    /// Makes the wrapping key of a new store, and keeps it where the provider keeps keys.
    pub(crate) fn create(&self, provider: KeyProvider) -> Result<(KeyRecord, Key), CreateKeyError> {
        let randomness = &*self.options.randomness;
        let fresh =
            || random(randomness).map(Zeroizing::new).map(Key::from).map_err(VaultError::from);
        match provider {
            KeyProvider::Keyring => {
                let key = fresh()?;
                keyring::store(&*self.options.keyring, self.store_id, &key)?;
                Ok((KeyRecord::Keyring, key))
            }
            KeyProvider::Credential => Ok((KeyRecord::Credential, self.derive_from_credential()?)),
            KeyProvider::Passphrase => {
                let passphrase =
                    self.options.passphrase.as_ref().ok_or(KeyProblem::NoPassphrase)?;
                if passphrase.is_empty() {
                    return Err(KeyProblem::EmptyPassphrase.into());
                }
                let salt = random(randomness).map_err(VaultError::from)?;
                let derivation = passphrase::Derivation::new(self.options.passphrase_cost, salt);
                let key = derivation.derive(passphrase);
                Ok((KeyRecord::Passphrase(derivation), key))
            }
            KeyProvider::File => {
                let key = fresh()?;
                file::store(self.dir, self.store_id, &key)?;
                Ok((KeyRecord::File, key))
            }
        }
    }

    /// Takes back what [`KeySource::create`] kept for a store that then could not be made. A key
    /// that stays behind opens nothing, so a failure is of no consequence.
    pub(crate) fn discard(&self, record: &KeyRecord) {
        match record {
            KeyRecord::Keyring => {
                let _ = self.options.keyring.remove(&keyring::account(self.store_id));
            }
            KeyRecord::File => {
                let _ = self.dir.remove(&file::name(self.store_id));
            }
            KeyRecord::Credential | KeyRecord::Passphrase(_) => {}
        }
    }

    pub(crate) fn report(&self, record: &KeyRecord) -> KeyReport {
        let (location, protection) = match record {
            KeyRecord::Keyring => (
                format!(
                    "entry `{}` of `valetkey` in your keyring",
                    keyring::account(self.store_id)
                ),
                "whoever can use your unlocked keyring can read the tokens",
            ),
            KeyRecord::Credential => (
                "credential `valetkey-key` that systemd hands to the service".to_owned(),
                "as systemd protects the credential: by the machine's key or TPM if it is loaded encrypted",
            ),
            KeyRecord::Passphrase(derivation) => (
                format!("derived from your passphrase ({derivation}); kept nowhere"),
                "whoever knows or guesses the passphrase can read the tokens",
            ),
            KeyRecord::File => (
                self.dir.path(&file::name(self.store_id)).display().to_string(),
                "file permissions alone: whoever can read this folder, or a backup of it, can read the tokens",
            ),
        };
        KeyReport { provider: record.provider(), location, protection, passed_over: Vec::new() }
    }

    fn derive_from_credential(&self) -> Result<Key, KeyProblem> {
        credential::derive(self.options.credentials_directory.as_deref(), self.store_id)
    }
}

/// Why a key could not be made: the provider does not work, which may make another be tried, or
/// the vault cannot go on at all.
pub(crate) enum CreateKeyError {
    Provider(KeyProblem),
    Vault(VaultError),
}

impl From<KeyProblem> for CreateKeyError {
    fn from(problem: KeyProblem) -> Self {
        Self::Provider(problem)
    }
}

impl From<VaultError> for CreateKeyError {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_by_the_name_of_its_provider() {
        assert_eq!("auto".parse(), Ok(KeyChoice::Auto));
        for provider in KeyProvider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(KeyChoice::Only(provider)));
        }
        assert!("Keyring".parse::<KeyChoice>().is_err());
    }
}
