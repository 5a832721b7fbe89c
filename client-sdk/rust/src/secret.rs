//! `PUT` and `DELETE /v1/secrets/{name}`: credentials that the daemon's configuration refers to. Nothing reads them back.

use valetkey_proto::v1::PutSecretRequest;
use valetkey_proto::v1::paths::route;

use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::http1::fill;

impl Client {
    /// Keeps a secret for `{ vault = "<name>" }` in the daemon's configuration.
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub async fn put_secret(&self, name: &str, secret: &PutSecretRequest) -> Result<(), Error> {
        self.call(put(name, secret)).await
    }

    /// Forgets a secret, if there is one of this name.
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub async fn delete_secret(&self, name: &str) -> Result<(), Error> {
        self.call(delete(name)).await
    }
}

impl blocking::Client {
    /// As [`Client::put_secret`].
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub fn put_secret(&self, name: &str, secret: &PutSecretRequest) -> Result<(), Error> {
        self.call(put(name, secret))
    }

    /// As [`Client::delete_secret`].
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub fn delete_secret(&self, name: &str) -> Result<(), Error> {
        self.call(delete(name))
    }
}

fn put(name: &str, secret: &PutSecretRequest) -> Call<()> {
    Call::put(&fill(route::SECRET, &[name]), secret).repeatable()
}

fn delete(name: &str) -> Call<()> {
    Call::delete(&fill(route::SECRET, &[name])).repeatable()
}
