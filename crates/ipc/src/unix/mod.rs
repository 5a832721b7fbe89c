//! Unix sockets.

mod claim;
mod credentials;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod elsewhere;
mod folder;
mod groups;
pub(crate) mod inherited;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod linux;
mod peer;

use std::ffi::OsString;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use crate::{BindError, Endpoint, EndpointError, PathTooLong};

pub(crate) use claim::{Claim, bind};
pub(crate) use credentials::Socket;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) use elsewhere::{Handle, Process};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) use linux::{Handle, Process};
pub(crate) use peer::{Client, untrusted_server};

pub(crate) const SYSTEM_ENDPOINT: &str = "/run/valetkey/broker.sock";

const SOCKET: &str = "valetkey/broker.sock";

/// The runtime folder of the session, else what stands for it, else a folder among the user's state.
pub(crate) fn default_endpoint(
    lookup: &dyn Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, EndpointError> {
    if cfg!(target_os = "macos") {
        if let Some(folder) = lookup("TMPDIR") {
            return Ok(Path::new(&folder).join(SOCKET));
        }
    } else {
        let own = rustix::process::geteuid().as_raw();
        let declared = lookup("XDG_RUNTIME_DIR").map(PathBuf::from);
        // After `su` or `sudo -E` the variable still names the other user's folder.
        if let Some(folder) = declared.filter(|folder| owner_of(folder).is_none_or(|o| o == own)) {
            return Ok(folder.join(SOCKET));
        }
        let usual = PathBuf::from(format!("/run/user/{own}"));
        if owner_of(&usual) == Some(own) {
            return Ok(usual.join(SOCKET));
        }
    }
    state_folder(lookup).map(|folder| folder.join("run/broker.sock")).ok_or(EndpointError::NoHome)
}

fn state_folder(lookup: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    if let Some(chosen) = lookup("VALETKEY_STATE_DIR") {
        return Some(PathBuf::from(chosen));
    }
    let states = lookup("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| lookup("HOME").map(|home| Path::new(&home).join(".local/state")))?;
    Some(states.join("valetkey"))
}

/// Whether there is a socket, listened on or not.
pub(crate) fn is_there(endpoint: &Endpoint) -> bool {
    endpoint.path().symlink_metadata().is_ok_and(|found| found.file_type().is_socket())
}

/// Whether somebody listens; a queue that is full is somebody's.
pub(crate) fn is_served(endpoint: &Endpoint) -> bool {
    match UnixStream::connect(endpoint.path()) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
    }
}

/// Before the system says no more than that the argument is invalid.
pub(crate) fn check_length(endpoint: &Endpoint) -> Result<(), PathTooLong> {
    let length = endpoint.path().as_os_str().len();
    if length > PATH_LIMIT {
        return Err(PathTooLong { endpoint: endpoint.clone(), length, limit: PATH_LIMIT });
    }
    Ok(())
}

/// Whether the socket's folder is, or could become, one that nobody else can put a socket into.
pub(crate) fn inspect(endpoint: &Endpoint) -> Result<(), BindError> {
    check_length(endpoint)?;
    folder::inspect(endpoint.path().parent().unwrap_or(Path::new("/")))
}

/// `sun_path` without its terminating zero.
const PATH_LIMIT: usize = if cfg!(target_os = "macos") { 103 } else { 107 };

fn owner_of(folder: &Path) -> Option<u32> {
    std::fs::metadata(folder).ok().map(|metadata| metadata.uid())
}
