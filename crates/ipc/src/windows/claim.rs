//! Who may listen: whoever creates the pipe's first instance, which the system grants to one process at a time.

use std::io;

use interprocess::ConnectWaitMode;
use interprocess::local_socket::tokio::Listener as RawListener;
use interprocess::local_socket::traits::StreamCommon;
use interprocess::local_socket::{ConnectOptions, GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::windows::local_socket::ListenerOptionsExt;
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use widestring::U16CString;

use super::{peer, process};
use crate::Endpoint;
use crate::error::BindError;

/// A pipe's name is free as soon as its last handle is closed; there is nothing to hold and nothing to clean.
pub(crate) struct Claim;

/// Creates the pipe: first instance, this user alone, no clients from the network (interprocess asks for the first and
/// the last of these by itself).
pub(crate) fn bind(endpoint: &Endpoint) -> Result<(RawListener, Claim), BindError> {
    let path = endpoint.path();
    let create = || -> io::Result<RawListener> {
        let name = path.to_fs_name::<GenericFilePath>()?;
        ListenerOptions::new().name(name).security_descriptor(owner_only()?).create_tokio()
    };
    match create() {
        Ok(raw) => Ok((raw, Claim)),
        // What the system answers when another process has the first instance.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(taken(endpoint)),
        Err(e) => Err(BindError::io("listen on", path, e)),
    }
}

/// Protected from inheritance; the owner may do everything, and there is no entry for anybody else.
fn owner_only() -> io::Result<SecurityDescriptor> {
    let sid = process::own_sid()?;
    let text = U16CString::from_str(format!("O:{sid}D:P(A;;GA;;;{sid})"))
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    SecurityDescriptor::deserialize(&text)
}

fn taken(endpoint: &Endpoint) -> BindError {
    let owner = || -> io::Result<Option<String>> {
        let stream = ConnectOptions::new()
            .name(endpoint.path().to_fs_name::<GenericFilePath>()?)
            .wait_mode(ConnectWaitMode::Deferred)
            .connect_sync()?;
        peer::untrusted_server(&stream.peer_creds()?)
    };
    let endpoint = endpoint.clone();
    match owner() {
        Ok(None) => BindError::AlreadyRunning { endpoint },
        Ok(Some(owner)) => BindError::TakenByAnotherUser { endpoint, owner },
        // A daemon whose instances are all busy at this moment is as good as one that answers; a pipe that does not let
        // us in is not ours.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            BindError::TakenByAnotherUser { endpoint, owner: "unknown".into() }
        }
        Err(_) => BindError::AlreadyRunning { endpoint },
    }
}
