//! `GET /v1/diagnosis`, and what can be seen only from outside.

use std::path::PathBuf;

use valetkey_proto::v1::Diagnosis;
use valetkey_proto::v1::paths::route;

use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::start::{find_daemon, is_allowed_by_environment};

/// The program that is started when no daemon runs; none when there is none, or `VALETKEY_AUTOSTART=0` forbids it.
pub fn startable_daemon() -> Option<PathBuf> {
    is_allowed_by_environment().then(find_daemon).flatten()
}

impl Client {
    /// What is wrong, and what to do about it. Asks the providers of the applications that are configured or open.
    ///
    /// # Errors
    /// When the daemon does not answer with it.
    pub async fn diagnose(&self) -> Result<Diagnosis, Error> {
        self.call(Call::get(route::DIAGNOSIS)).await
    }
}

impl blocking::Client {
    /// As [`Client::diagnose`].
    ///
    /// # Errors
    /// When the daemon does not answer with it.
    pub fn diagnose(&self) -> Result<Diagnosis, Error> {
        self.call(Call::get(route::DIAGNOSIS))
    }
}
