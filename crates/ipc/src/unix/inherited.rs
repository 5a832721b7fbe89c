//! A socket that systemd bound and passed on (`sd_listen_fds(3)`).

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use interprocess::local_socket::tokio::Listener as RawListener;
use interprocess::os::unix::uds_local_socket::tokio::Listener as RawUnixListener;

use crate::Endpoint;

/// A listening Unix socket that this process was started with.
#[derive(Debug)]
pub struct Inherited {
    fd: OwnedFd,
    path: PathBuf,
}

/// Why what systemd passed on cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The environment contradicts itself.
    #[error("take over systemd's socket: {0}")]
    Environment(#[source] io::Error),
    /// One endpoint has one socket.
    #[error(
        "take over systemd's socket: {count} were passed on; the unit must have one `ListenStream=` alone"
    )]
    Several {
        /// How many came.
        count: usize,
    },
    /// A TCP socket would open the API to the network; a socket that does not listen cannot be served.
    #[error(
        "take over systemd's socket: it is no listening Unix socket with a path; mend `ListenStream=` in the unit"
    )]
    NotAUnixListener,
    /// The runtime cannot watch it.
    #[error("take over systemd's socket: {0}")]
    Io(#[source] io::Error),
}

impl Inherited {
    /// Takes the socket out of the environment, so that no child process takes it for its own. `None` when there is none
    /// or it is meant for another process.
    ///
    /// # Safety
    /// No other thread may be running, since the environment is changed; and nothing else in the process may own the
    /// descriptors from 3 on that `LISTEN_FDS` counts. The first lines of `main` are the place.
    ///
    /// # Errors
    /// When there are several sockets, or the one is no listening Unix socket.
    pub unsafe fn take_from_environment() -> Result<Option<Self>, AdoptError> {
        // SAFETY: the caller guarantees that no other thread reads or writes the environment.
        let fds = unsafe { sd_notify::listen_fds_and_unset_env() }
            .map_err(AdoptError::Environment)?
            .collect::<Vec<_>>();
        let fd = match fds[..] {
            [] => return Ok(None),
            // SAFETY: `LISTEN_PID` was ours, so the descriptor is open and ours; the caller guarantees that nothing else
            // owns it, and the variables that named it are gone.
            [fd] => unsafe { OwnedFd::from_raw_fd(fd) },
            _ => return Err(AdoptError::Several { count: fds.len() }),
        };
        Self::check(fd).map(Some)
    }

    fn check(fd: OwnedFd) -> Result<Self, AdoptError> {
        let listens = rustix::net::sockopt::socket_acceptconn(&fd).unwrap_or(false);
        let listener = UnixListener::from(fd);
        // Fails for another address family than AF_UNIX.
        let address = listener.local_addr().map_err(|_| AdoptError::NotAUnixListener)?;
        match address.as_pathname() {
            // Abstract names have no owner and no mode.
            Some(path) if listens => Ok(Self { path: path.into(), fd: listener.into() }),
            _ => Err(AdoptError::NotAUnixListener),
        }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::at(&self.path)
    }

    pub(crate) fn into_raw(self) -> Result<RawListener, AdoptError> {
        RawUnixListener::try_from(self.fd).map(RawListener::from).map_err(AdoptError::Io)
    }
}
