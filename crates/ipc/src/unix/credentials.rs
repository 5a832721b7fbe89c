//! Whose the other end of a socket is, as the kernel noted when it was connected.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};

use interprocess::local_socket;
use interprocess::local_socket::traits::StreamCommon;

/// A connected socket, whoever waits for it.
pub(crate) trait Socket: StreamCommon {
    fn descriptor(&self) -> BorrowedFd<'_>;
}

impl Socket for local_socket::Stream {
    fn descriptor(&self) -> BorrowedFd<'_> {
        let Self::UdSocket(socket) = self;
        socket.as_fd()
    }
}

impl Socket for local_socket::tokio::Stream {
    fn descriptor(&self) -> BorrowedFd<'_> {
        let Self::UdSocket(socket) = self;
        socket.as_fd()
    }
}

/// What the kernel tells of the other end.
pub(super) struct Credentials {
    pub(super) uid: u32,
    /// Those that come with the user; `groups.rs` has all of them.
    pub(super) groups: Vec<u32>,
    /// The process's number; none where the platform does not tell, or where our PID namespace has none for it
    /// (pid_namespaces(7)), as in a container of whatever runs outside.
    pub(super) process: Option<i32>,
}

impl Credentials {
    /// By `SO_PEERCRED`. A process of no number is told as 0; that there is no peer at all shows in the user alone, who is -1
    /// then: no user can be (user_namespaces(7) has 65534 for those without a number).
    ///
    /// # Errors
    /// `NotConnected` without a peer.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn of_peer(socket: &impl Socket) -> io::Result<Self> {
        use nix::sys::socket::{getsockopt, sockopt};

        let told = getsockopt(&socket.descriptor(), sockopt::PeerCredentials)?;
        match told.uid() {
            u32::MAX => Err(io::ErrorKind::NotConnected.into()),
            uid => {
                let process = Some(told.pid()).filter(|number| *number != 0);
                Ok(Self { uid, groups: vec![told.gid()], process })
            }
        }
    }

    /// By `LOCAL_PEERCRED`, or what the platform has in its place.
    ///
    /// # Errors
    /// When there is no peer.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn of_peer(socket: &impl Socket) -> io::Result<Self> {
        let told = socket.peer_creds()?;
        let uid = told.euid().ok_or(io::ErrorKind::Unsupported)?;
        let groups = told.groups().unwrap_or_default().iter().copied().chain(told.egid());
        Ok(Self { uid, groups: groups.collect(), process: told.pid() })
    }
}
