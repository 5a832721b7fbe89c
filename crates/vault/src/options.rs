//! What a caller decides about a vault, and the randomness that it is given.

use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::key::KeyChoice;
use crate::key::keyring::{Keyring, SystemKeyring};
use crate::key::passphrase::PassphraseCost;

/// Where the store is, what may open it, and the outside world that it needs.
#[derive(Clone)]
pub struct OpenOptions {
    /// The folder; created with mode 0700 if it is not there.
    pub state_dir: PathBuf,
    /// Which provider holds the wrapping key.
    pub key: KeyChoice,
    /// The passphrase, if a person or the environment gave one already.
    pub passphrase: Option<Zeroizing<String>>,
    /// systemd's `$CREDENTIALS_DIRECTORY`; the file `valetkey-key` in it is the credential.
    pub credentials_directory: Option<PathBuf>,
    /// How costly a new passphrase is to guess; an existing store keeps its own cost.
    pub passphrase_cost: PassphraseCost,
    /// The keyring, [`SystemKeyring`] outside tests.
    pub keyring: Arc<dyn Keyring>,
    /// The randomness, [`SystemRandomness`] outside tests.
    pub randomness: Arc<dyn Randomness>,
    /// The time in Unix seconds, for the names of what has to be set aside.
    pub now: u64,
}

impl OpenOptions {
    /// The provider chosen by itself, the operating system's keyring and randomness, no passphrase
    /// and no credential.
    pub fn new(state_dir: impl Into<PathBuf>, now: u64) -> Self {
        Self {
            state_dir: state_dir.into(),
            key: KeyChoice::Auto,
            passphrase: None,
            credentials_directory: None,
            passphrase_cost: PassphraseCost::default(),
            keyring: Arc::new(SystemKeyring::default()),
            randomness: Arc::new(SystemRandomness),
            now,
        }
    }
}

/// Random bytes for keys and nonces.
pub trait Randomness: Send + Sync {
    /// Fills `bytes` with unpredictable ones.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessUnavailable>;
}

/// The operating system gave no random bytes, so no key and no nonce can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("get random bytes from the operating system")]
pub struct RandomnessUnavailable;

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandomness;

impl Randomness for SystemRandomness {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomnessUnavailable> {
        getrandom::fill(bytes).map_err(|_| RandomnessUnavailable)
    }
}

/// An array of random bytes.
pub(crate) fn random<const N: usize>(
    randomness: &dyn Randomness,
) -> Result<[u8; N], RandomnessUnavailable> {
    let mut bytes = [0; N];
    randomness.fill(&mut bytes)?;
    Ok(bytes)
}
