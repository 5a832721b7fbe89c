//! Who may listen: whoever holds the named mutex and creates the pipe's first instance.
//!
//! The flag for the first instance would do on Windows; Wine does not know it, and the mutex costs nothing.

use std::io;
use std::os::windows::io::{FromRawHandle, OwnedHandle};
use std::ptr;

use interprocess::ConnectWaitMode;
use interprocess::local_socket::tokio::Listener as RawListener;
use interprocess::local_socket::{ConnectOptions, GenericFilePath, ListenerOptions, ToFsName};
use interprocess::os::windows::local_socket::ListenerOptionsExt;
use interprocess::os::windows::security_descriptor::SecurityDescriptor;
use widestring::U16CString;
use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, GetLastError};
use windows_sys::Win32::System::Threading::CreateMutexW;

use super::{peer, process};
use crate::error::BindError;
use crate::{Audience, Endpoint};

/// The right to the pipe's name, held for life. The system closes it however the process ends; a pipe leaves nothing
/// behind that would have to be cleaned.
pub(crate) struct Claim {
    _mutex: OwnedHandle,
}

/// Creates the pipe: first instance, this user alone, no clients from the network (interprocess asks for the first and
/// the last of these by itself).
pub(crate) fn bind(
    endpoint: &Endpoint,
    audience: Audience,
) -> Result<(RawListener, Claim), BindError> {
    let path = endpoint.path();
    if audience == Audience::AllUsers {
        return Err(BindError::io(
            "listen for all users on",
            path,
            io::ErrorKind::Unsupported.into(),
        ));
    }
    let claim = take_mutex(endpoint)?;
    let create = || -> io::Result<RawListener> {
        let name = path.to_fs_name::<GenericFilePath>()?;
        ListenerOptions::new().name(name).security_descriptor(owner_only()?).create_tokio()
    };
    match create() {
        Ok(raw) => Ok((raw, claim)),
        // What the system answers when another process has the first instance.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Err(taken(endpoint)),
        Err(e) => Err(BindError::io("listen on", path, e)),
    }
}

/// A mutex of the pipe's name, among those of the whole machine, as pipes are.
fn take_mutex(endpoint: &Endpoint) -> Result<Claim, BindError> {
    let failed = |e| BindError::io("claim", endpoint.path(), e);
    let name = endpoint.path().to_string_lossy().replace('\\', "_");
    let name = U16CString::from_str(format!(r"Global\{name}"))
        .map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
    // SAFETY: the name is zero-terminated and lives for the call; no attributes are passed.
    let (mutex, code) = unsafe { (CreateMutexW(ptr::null(), 0, name.as_ptr()), GetLastError()) };
    if mutex.is_null() {
        let error = io::Error::last_os_error();
        return Err(match error.kind() {
            io::ErrorKind::PermissionDenied => taken(endpoint),
            _ => failed(error),
        });
    }
    // SAFETY: the call succeeded, so the handle is open and nobody else owns it.
    let mutex = unsafe { OwnedHandle::from_raw_handle(mutex) };
    if code == ERROR_ALREADY_EXISTS {
        return Err(BindError::AlreadyRunning { endpoint: endpoint.clone() });
    }
    Ok(Claim { _mutex: mutex })
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
        peer::untrusted_server(&stream, endpoint)
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
