//! Named pipes.

mod claim;
mod peer;
mod process;

use std::ffi::OsString;
use std::path::PathBuf;

use crate::{BindError, Endpoint, EndpointError, PathTooLong};

pub(crate) use claim::{Claim, bind};
/// A connected pipe, whoever waits for it.
pub(crate) use interprocess::local_socket::traits::StreamCommon as Socket;
pub(crate) use peer::{Client, untrusted_server};
pub(crate) use process::Process;

/// Only administrators may create a pipe of this prefix, so that nobody squats the system's name.
pub(crate) const SYSTEM_ENDPOINT: &str = r"\\.\pipe\ProtectedPrefix\Administrators\valetkey";

pub(crate) fn default_endpoint(
    _lookup: &dyn Fn(&str) -> Option<OsString>,
) -> Result<PathBuf, EndpointError> {
    let sid = process::own_sid().map_err(EndpointError::NoUser)?;
    Ok(PathBuf::from(format!(r"\\.\pipe\valetkey-{sid}")))
}

/// A pipe is one user's own.
pub(crate) fn is_there(_endpoint: &Endpoint) -> bool {
    false
}

/// Nobody asks where no other one is there.
pub(crate) fn is_served(_endpoint: &Endpoint) -> bool {
    true
}

/// The system's own words are good enough for what is longer than a pipe's name can be.
pub(crate) fn check_length(_endpoint: &Endpoint) -> Result<(), PathTooLong> {
    Ok(())
}

/// Pipes have no folder; whose they are is seen at connecting.
pub(crate) fn inspect(_endpoint: &Endpoint) -> Result<(), BindError> {
    Ok(())
}
