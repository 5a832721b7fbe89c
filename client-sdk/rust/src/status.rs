//! `GET /v1/status`, `POST /v1/lock`, `POST /v1/unlock` and `POST /v1/keys/rotate`: the daemon itself.

use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{RotateKeysRequest, Status, UnlockRequest};

use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;

/// [`route::LOCK`] with its parameter.
const LOCK_EVERYBODY: &str = "/v1/lock?everybody=true";

impl Client {
    /// What runs, and how safely it keeps what it holds.
    ///
    /// # Errors
    /// When the daemon does not answer with it.
    pub async fn status(&self) -> Result<Status, Error> {
        self.call(Call::get(route::STATUS)).await
    }

    /// Forgets the store's key until [`Client::unlock`].
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub async fn lock(&self) -> Result<(), Error> {
        self.call(Call::post_nothing(route::LOCK)).await
    }

    /// The same for all whom the daemon serves, which takes an administrator.
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub async fn lock_everybody(&self) -> Result<(), Error> {
        self.call(Call::post_nothing(LOCK_EVERYBODY)).await
    }

    /// Hands in the store's passphrase.
    ///
    /// # Errors
    /// When it is the wrong one.
    pub async fn unlock(&self, request: &UnlockRequest) -> Result<(), Error> {
        self.call(Call::post(route::UNLOCK, request)).await
    }

    /// Replaces keys of the store while it is in use.
    ///
    /// # Errors
    /// When a passphrase is wrong, or a provider refuses; the keys are those that they were.
    pub async fn rotate_keys(&self, request: &RotateKeysRequest) -> Result<(), Error> {
        self.call(Call::post(route::KEYS_ROTATE, request)).await
    }
}

impl blocking::Client {
    /// As [`Client::status`].
    ///
    /// # Errors
    /// When the daemon does not answer with it.
    pub fn status(&self) -> Result<Status, Error> {
        self.call(Call::get(route::STATUS))
    }

    /// As [`Client::lock`].
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub fn lock(&self) -> Result<(), Error> {
        self.call(Call::post_nothing(route::LOCK))
    }

    /// As [`Client::lock_everybody`].
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub fn lock_everybody(&self) -> Result<(), Error> {
        self.call(Call::post_nothing(LOCK_EVERYBODY))
    }

    /// As [`Client::unlock`].
    ///
    /// # Errors
    /// When it is the wrong one.
    pub fn unlock(&self, request: &UnlockRequest) -> Result<(), Error> {
        self.call(Call::post(route::UNLOCK, request))
    }

    /// As [`Client::rotate_keys`].
    ///
    /// # Errors
    /// When a passphrase is wrong, or a provider refuses.
    pub fn rotate_keys(&self, request: &RotateKeysRequest) -> Result<(), Error> {
        self.call(Call::post(route::KEYS_ROTATE, request))
    }
}
