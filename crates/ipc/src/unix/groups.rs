//! The groups that a process had when it connected, as the kernel kept them with the connection.

use std::io;
use std::os::fd::BorrowedFd;

use super::credentials::Credentials;

/// All of them (`SO_PEERGROUPS`, Linux 4.13): what `/etc/group` says of the user at this moment is another matter.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn of_peer(socket: BorrowedFd<'_>, creds: &Credentials) -> io::Result<Vec<u32>> {
    use std::os::fd::AsRawFd as _;

    // More than the kernel lets a process have (NGROUPS_MAX).
    const MOST: usize = 65_536;
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let bytes = groups.len() * size_of::<libc::gid_t>();
        let mut length = libc::socklen_t::try_from(bytes).map_err(io::Error::other)?;
        // SAFETY: the descriptor is borrowed for the call, and the buffer has as many bytes as `length` says.
        let outcome = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = length as usize / size_of::<libc::gid_t>();
        match outcome {
            0 => {
                groups.truncate(count);
                groups.extend(&creds.groups);
                return Ok(groups);
            }
            _ => match io::Error::last_os_error() {
                // It says how many there are.
                error if error.raw_os_error() == Some(libc::ERANGE) && count <= MOST => {
                    groups.resize(count.max(groups.len() + 1), 0);
                }
                error => return Err(error),
            },
        }
    }
}

/// As many as the platform tells.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn of_peer(_socket: BorrowedFd<'_>, creds: &Credentials) -> io::Result<Vec<u32>> {
    Ok(creds.groups.clone())
}
