//! `GET /v1/diagnosis`, and what can be seen only from outside.

use std::path::PathBuf;

use valetkey_ipc::Endpoint;
use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{About, Diagnosis, Finding};
use valetkey_safe_path::{MeantFor, Open, find_open, find_open_in};

use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::start::{find_daemon, is_allowed_by_environment, state_folder};

/// The program that is started when no daemon runs; none when there is none, or `VALETKEY_AUTOSTART=0` forbids it.
pub fn startable_daemon() -> Option<PathBuf> {
    is_allowed_by_environment().then(find_daemon).flatten()
}

/// What others could do with the socket's folder and the store that they are not meant to, as far as this process's
/// environment says where these are: for when there is no daemon to ask.
pub fn inspect_files(endpoint: &Endpoint) -> Vec<Finding> {
    let folder = endpoint.own_folder();
    // Of one that others could write to `Endpoint::inspect` tells.
    let of_socket = folder.and_then(|folder| find_open(folder, MeantFor::OwnerAlone));
    let of_socket = of_socket.filter(|open| !open.is_bad());
    let of_store = state_folder().map(|folder| find_open_in(&folder)).unwrap_or_default();
    let told = of_store.iter().map(|open| tell(About::Store, open));
    of_socket.iter().map(|open| tell(About::Socket, open)).chain(told).collect()
}

fn tell(about: About, open: &Open) -> Finding {
    let (what, hint) = (open.to_string(), format!("Run `{}`.", open.remedy()));
    match open.is_bad() {
        true => Finding::bad(about, what, hint),
        false => Finding::warning(about, what, hint),
    }
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
