//! Who may bind, and who may unlink: the holder of the lock beside the socket.

use std::fs::{File, Metadata, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use interprocess::local_socket::tokio::Listener as RawListener;
use interprocess::local_socket::{GenericFilePath, ListenerOptions, ToFsName};
use rustix::fs::OFlags;

use super::folder;
use crate::error::BindError;
use crate::{Audience, Endpoint};

/// The right to the socket's name, held for life. Dropping it unlinks the socket, if it is still the one that was bound.
pub(crate) struct Claim {
    path: PathBuf,
    bound: (u64, u64),
    // Released by the kernel however the process ends, so that a kill leaves no lock behind.
    _lock: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let is_ours = self.path.symlink_metadata().is_ok_and(|found| id(&found) == self.bound);
        if is_ours {
            // What cannot be unlinked is stale, and the next daemon's to clean.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Binds the endpoint once the lock is ours and nobody answers there.
pub(crate) fn bind(
    endpoint: &Endpoint,
    audience: Audience,
) -> Result<(RawListener, Claim), BindError> {
    let path = endpoint.path();
    super::check_length(endpoint)?;
    folder::prepare(path.parent().unwrap_or(Path::new("/")), audience)?;
    let lock = take_lock(endpoint)?;
    remove_stale(endpoint)?;
    let raw = listen(path).map_err(|e| BindError::io("listen on", path, e))?;
    if audience == Audience::AllUsers {
        // Only now, since the umask would take from what it is given when it is made.
        std::fs::set_permissions(path, Permissions::from_mode(OPEN))
            .map_err(|e| BindError::io("open to all users", path, e))?;
    }
    let metadata = path.symlink_metadata().map_err(|e| BindError::io("look at", path, e))?;
    Ok((raw, Claim { path: path.into(), bound: id(&metadata), _lock: lock }))
}

/// The lock file stays for ever: unlinking it would let two processes each lock a file of that name.
fn take_lock(endpoint: &Endpoint) -> Result<File, BindError> {
    let mut name = endpoint.path().as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
        .open(&path)
        .map_err(|e| BindError::io("open lock", &path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(BindError::AlreadyRunning { endpoint: endpoint.clone() })
        }
        Err(TryLockError::Error(e)) => Err(BindError::io("lock", path, e)),
    }
}

/// Holding the lock says that no daemon of ours is there. What answers all the same is systemd, which listens for a
/// daemon that it has not started yet, or somebody else's program.
fn remove_stale(endpoint: &Endpoint) -> Result<(), BindError> {
    let path = endpoint.path();
    match path.symlink_metadata() {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(BindError::io("look at", path, e)),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket { path: path.into() });
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        Ok(_) => Err(BindError::AlreadyRunning { endpoint: endpoint.clone() }),
        Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).map_err(|e| BindError::io("remove stale socket", path, e))
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(BindError::io("probe", path, e)),
    }
}

/// The socket's mode is set before it has a name, so that there is no moment in which others could connect.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn listen(path: &Path) -> io::Result<RawListener> {
    use interprocess::os::unix::local_socket::ListenerOptionsExt;
    options(path)?.mode(0o600).create_tokio()
}

/// Where a socket cannot be given a mode before it has a name, the process's umask does it.
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn listen(path: &Path) -> io::Result<RawListener> {
    let options = options(path)?;
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o177));
    let listener = options.create_tokio();
    rustix::process::umask(before);
    listener
}

fn options(path: &Path) -> io::Result<ListenerOptions<'_>> {
    // `Claim` unlinks instead: it knows whether the socket is still ours.
    Ok(ListenerOptions::new().name(path.to_fs_name::<GenericFilePath>()?).reclaim_name(false))
}

fn id(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// To connect takes the right to write.
const OPEN: u32 = 0o666;
