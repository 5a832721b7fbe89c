//! Where the wrapping key of a store comes from.
//!
//! A new store takes the first provider that works, in the order of [`KeyProvider::ALL`]; from then
//! on its header names that provider and no other is tried, since another one could only bring
//! another key. Each provider yields one key of 32 bytes that wraps the store's data keys. A rotation
//! makes another one, at the same provider or at another (module `rotate`).

pub(crate) mod credential;
pub(crate) mod file;
pub(crate) mod keyring;
pub(crate) mod passphrase;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use self::keyring::KeyringRefusal;
use crate::error::{KeyProblem, VaultError};
use crate::header::hex;
use crate::locked::Key;
use crate::options::{OpenOptions, Randomness, RandomnessUnavailable, random};
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

    /// Whether a stolen disk gives more with this one than with the other: with a file all there is.
    pub fn is_weaker_than(self, other: Self) -> bool {
        let rank = |provider| Self::ALL.iter().position(|known| *known == provider);
        rank(self) > rank(other)
    }
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
    /// When the wrapping key was made, in Unix seconds; `None` if an older version made it.
    pub made_at: Option<u64>,
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
    Keyring(Generation),
    Credential(Generation),
    Passphrase(passphrase::Derivation),
    File(Generation),
}

/// Tells the keys apart that one store has had at one provider. The first has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Generation {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    generation: Option<String>,
}

impl Generation {
    /// At random: no number has to be remembered for it to be another one each time.
    pub(crate) fn create(randomness: &dyn Randomness) -> Result<Self, RandomnessUnavailable> {
        Ok(Self { generation: Some(hex(&random::<8>(randomness)?)) })
    }

    fn suffix(&self) -> String {
        self.generation.as_ref().map_or_else(String::new, |generation| format!("-{generation}"))
    }
}

impl KeyRecord {
    pub(crate) fn provider(&self) -> KeyProvider {
        match self {
            Self::Keyring(_) => KeyProvider::Keyring,
            Self::Credential(_) => KeyProvider::Credential,
            Self::Passphrase(_) => KeyProvider::Passphrase,
            Self::File(_) => KeyProvider::File,
        }
    }

    /// Where a provider keeps the key of this generation; `None` if it keeps none of ours.
    pub(crate) fn kept_by(provider: KeyProvider, generation: &Generation) -> Option<Self> {
        match provider {
            KeyProvider::Keyring => Some(Self::Keyring(generation.clone())),
            KeyProvider::File => Some(Self::File(generation.clone())),
            KeyProvider::Credential | KeyProvider::Passphrase => None,
        }
    }

    /// Whether the provider keeps the key, so that it is still there when nobody uses it any more.
    pub(crate) fn is_kept(&self) -> bool {
        matches!(self, Self::Keyring(_) | Self::File(_))
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
            KeyRecord::Keyring(generation) => {
                let account = keyring::account(self.store_id, generation);
                keyring::fetch(&*self.options.keyring, &account)
            }
            KeyRecord::Credential(generation) => self.derive_from_credential(generation),
            KeyRecord::Passphrase(derivation) => {
                let passphrase =
                    self.options.passphrase.as_ref().ok_or(KeyProblem::NoPassphrase)?;
                Ok(derivation.derive(passphrase))
            }
            KeyRecord::File(generation) => file::fetch(self.dir, self.store_id, generation),
        }
    }

    /// Makes a wrapping key, and keeps it where the provider keeps keys.
    pub(crate) fn create(
        &self,
        provider: KeyProvider,
        generation: Generation,
    ) -> Result<(KeyRecord, Key), CreateKeyError> {
        let randomness = &*self.options.randomness;
        let fresh =
            || random(randomness).map(Zeroizing::new).map(Key::from).map_err(VaultError::from);
        match provider {
            KeyProvider::Keyring => {
                let key = fresh()?;
                let account = keyring::account(self.store_id, &generation);
                keyring::store(&*self.options.keyring, &account, &key)?;
                Ok((KeyRecord::Keyring(generation), key))
            }
            KeyProvider::Credential => {
                let key = self.derive_from_credential(&generation)?;
                Ok((KeyRecord::Credential(generation), key))
            }
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
                file::store(self.dir, self.store_id, &generation, &key)?;
                Ok((KeyRecord::File(generation), key))
            }
        }
    }

    /// Takes away a key that the provider keeps and that opens nothing.
    pub(crate) fn discard(&self, record: &KeyRecord) -> Result<(), KeyProblem> {
        match record {
            KeyRecord::Keyring(generation) => {
                let account = keyring::account(self.store_id, generation);
                match self.options.keyring.remove(&account) {
                    Ok(()) | Err(KeyringRefusal::NoEntry) => Ok(()),
                    Err(refusal) => Err(refusal.into()),
                }
            }
            KeyRecord::File(generation) => {
                let removed = self.dir.remove(&file::name(self.store_id, generation));
                removed.map_err(|error| KeyProblem::File(error.to_string()))
            }
            KeyRecord::Credential(_) | KeyRecord::Passphrase(_) => Ok(()),
        }
    }

    pub(crate) fn report(&self, record: &KeyRecord, made_at: Option<u64>) -> KeyReport {
        let (location, protection) = match record {
            KeyRecord::Keyring(generation) => (
                format!(
                    "entry `{}` of `valetkey` in your keyring",
                    keyring::account(self.store_id, generation)
                ),
                "whoever can use your unlocked keyring can read the tokens",
            ),
            KeyRecord::Credential(_) => (
                "credential `valetkey-key` that systemd hands to the service".to_owned(),
                "as systemd protects the credential: by the machine's key or TPM if it is loaded encrypted",
            ),
            KeyRecord::Passphrase(derivation) => (
                format!("derived from your passphrase ({derivation}); kept nowhere"),
                "whoever knows or guesses the passphrase can read the tokens",
            ),
            KeyRecord::File(generation) => (
                self.dir.path(&file::name(self.store_id, generation)).display().to_string(),
                "the last resort, by file permissions alone: whoever can read this folder, or a backup of it, can read the tokens",
            ),
        };
        let (provider, passed_over) = (record.provider(), Vec::new());
        KeyReport { provider, made_at, location, protection, passed_over }
    }

    fn derive_from_credential(&self, generation: &Generation) -> Result<Key, KeyProblem> {
        let directory = self.options.credentials_directory.as_deref();
        credential::derive(directory, self.store_id, generation)
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
