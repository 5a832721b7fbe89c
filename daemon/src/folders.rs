//! The daemon's own folders at its start: for its user alone, whoever made them.

use std::ffi::OsString;
use std::path::Path;

use valetkey_ipc::{Endpoint, Listener};

use crate::endpoint::Purpose;
use crate::paths::{self, Lookup};

/// Closes the store's folder and the session's folder of the socket to others, if they were there and open. What others could
/// write to stays as it is, and is refused by whoever uses it. What systemd made for a service has the mode that its unit
/// says, and a folder that somebody chose may be there for more: for the socket in any case, for the store where there is
/// something else in it and no store.
pub fn close(state_dir: &Path, listener: &Listener, purpose: Purpose, lookup: Lookup<'_>) {
    let is_systemds =
        paths::folder_of_systemd("STATE_DIRECTORY", lookup).as_deref() == Some(state_dir);
    if !is_systemds && (has_store(state_dir) || is_empty(state_dir)) {
        close_one(state_dir);
    }
    let endpoint = listener.endpoint();
    let is_sessions = !purpose.is_systems
        && !purpose.serves_several
        && !listener.is_adopted()
        && lookup("RUNTIME_DIRECTORY").is_none()
        && Endpoint::from_environment(&unless_chosen(lookup))
            .is_ok_and(|of_session| of_session == *endpoint);
    if let Some(folder) = endpoint.own_folder().filter(|_| is_sessions) {
        close_one(folder);
    }
}

fn has_store(state_dir: &Path) -> bool {
    ["vault.header", "vault.lock"].iter().any(|name| state_dir.join(name).exists())
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

fn unless_chosen(lookup: Lookup<'_>) -> impl Fn(&str) -> Option<OsString> {
    move |name| (name != "VALETKEY_SOCKET").then(|| lookup(name)).flatten()
}

fn close_one(folder: &Path) {
    if !folder.exists() {
        return;
    }
    match valetkey_safe_path::close_folder(folder) {
        Ok(None) => {}
        Ok(Some(mode)) => tracing::warn!(
            folder = %folder.display(),
            mode = %format_args!("{mode:04o}"),
            "others could look into this folder; it is closed to them from here on (0700)"
        ),
        // Whoever uses it says so, if it is in the way.
        Err(error) => tracing::warn!(%error, "a folder is not closed to others"),
    }
}
