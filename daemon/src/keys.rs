//! The keys of confidential clients, opened off the runtime and one after the other: a passphrase may be stretched for a
//! second, and whoever brings many such keys has no more than one core.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use valetkey_engine::{ClientCredential, Error};
use valetkey_model::UnixTime;
use valetkey_proto::v1;
use zeroize::Zeroizing;

use crate::configuration::Epoch;
use crate::failure::Failure;
use crate::from_wire;

/// Opens keys, and remembers those of declared applications.
pub struct Keys {
    places: Semaphore,
    turn: Arc<AsyncMutex<()>>,
    /// By the application's name.
    remembered: Mutex<HashMap<String, Remembered>>,
}

struct Remembered {
    epoch: Arc<Epoch>,
    /// Of what it was made from, which may be another file by now.
    digest: [u8; 32],
    credential: ClientCredential,
}

impl Default for Keys {
    fn default() -> Self {
        let places = Semaphore::new(MOST_WAITING);
        Self { places, turn: Arc::default(), remembered: Mutex::default() }
    }
}

impl Keys {
    /// A credential that can be used at this time.
    ///
    /// # Errors
    /// When it cannot be, or too many are waiting for theirs.
    pub async fn open(
        &self,
        credential: &v1::ClientCredential,
        now: UnixTime,
    ) -> Result<ClientCredential, Failure> {
        use v1::ClientCredential::{Pfx, PrivateKey};
        let opened = match credential {
            PrivateKey { .. } | Pfx { .. } => self.open_in_turn(credential.clone()).await?,
            _ => from_wire::credential(credential)?,
        };
        from_wire::check_validity(&opened, now)?;
        Ok(opened)
    }

    /// The same, for the application that is declared by this name: what was opened in this epoch is not opened again.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_declared(
        &self,
        name: &str,
        epoch: &Arc<Epoch>,
        credential: &v1::ClientCredential,
        now: UnixTime,
    ) -> Result<ClientCredential, Failure> {
        let digest = digest(credential);
        if let Some(opened) = self.recall(name, epoch, &digest) {
            from_wire::check_validity(&opened, now)?;
            return Ok(opened);
        }
        let opened = self.open(credential, now).await?;
        let fresh = Remembered { epoch: Arc::clone(epoch), digest, credential: opened.clone() };
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, known| !known.epoch.is_over());
        remembered.insert(name.to_owned(), fresh);
        Ok(opened)
    }

    /// Drops what it remembers.
    pub fn forget(&self) {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn recall(
        &self,
        name: &str,
        epoch: &Arc<Epoch>,
        digest: &[u8; 32],
    ) -> Option<ClientCredential> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.get(name)?;
        let is_same = Arc::ptr_eq(&known.epoch, epoch) && known.digest == *digest;
        is_same.then(|| known.credential.clone())
    }

    async fn open_in_turn(
        &self,
        credential: v1::ClientCredential,
    ) -> Result<ClientCredential, Failure> {
        let _place = self.places.try_acquire().map_err(|_| later())?;
        let opening = async {
            // With the thread, which goes on when nobody waits for it any more.
            let turn = Arc::clone(&self.turn).lock_owned().await;
            let open = move || {
                let _turn = turn;
                from_wire::credential(&credential)
            };
            spawn_blocking(open).await
        };
        match timeout(PATIENCE, opening).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(_)) => Err(Error::Bug("opening a key died").into()),
            Err(_) => Err(later()),
        }
    }
}

fn digest(credential: &v1::ClientCredential) -> [u8; 32] {
    // Strings and truth values alone, which always can be written.
    let text = Zeroizing::new(serde_json::to_vec(credential).unwrap_or_default());
    Sha256::digest(&*text).into()
}

fn later() -> Failure {
    Failure::Later {
        description: "keys are opened one after the other, and too many are waiting".to_owned(),
        seconds: 5,
    }
}

/// How many may wait for their turn.
const MOST_WAITING: usize = 16;

/// How long one waits for its turn and its key.
const PATIENCE: Duration = Duration::from_secs(20);

#[cfg(test)]
mod tests;
