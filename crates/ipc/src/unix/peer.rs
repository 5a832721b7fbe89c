//! The other end's user and process, by the socket's own credentials (`SO_PEERCRED`, `LOCAL_PEERCRED`).

use std::io;
use std::path::PathBuf;

use interprocess::local_socket::PeerCreds;
use interprocess::local_socket::traits::StreamCommon;
use valetkey_model::{Caller, FileId, Partition};

use crate::error::AcceptError;

/// Who connected; other users are refused, root among them, since its own daemon is there for it.
pub(crate) fn identify_client(stream: &impl StreamCommon) -> Result<Caller, AcceptError> {
    let creds = stream.peer_creds().map_err(AcceptError::NoPeer)?;
    let uid = uid_of(&creds).map_err(AcceptError::NoPeer)?;
    if uid != rustix::process::geteuid().as_raw() {
        return Err(AcceptError::OtherUser { user: format!("uid {uid}") });
    }
    let process_id = creds.pid().and_then(|pid| u32::try_from(pid).ok());
    let (program, program_file) = process_id.map(program_of).unwrap_or_default();
    Ok(Caller { partition: Partition::of_uid(uid), process_id, program, program_file })
}

/// The listening user's name if it is neither this one nor root, which systemd's system manager runs as.
pub(crate) fn untrusted_server(creds: &PeerCreds) -> io::Result<Option<String>> {
    let uid = uid_of(creds)?;
    let is_trusted = uid == rustix::process::geteuid().as_raw() || uid == 0;
    Ok((!is_trusted).then(|| format!("uid {uid}")))
}

fn uid_of(creds: &PeerCreds) -> io::Result<u32> {
    creds.euid().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn program_of(process_id: u32) -> (Option<PathBuf>, Option<FileId>) {
    use std::os::unix::fs::MetadataExt as _;

    // Following this link leads to the file itself, in whatever mounts the process sees it, and even when it was removed.
    let link = PathBuf::from(format!("/proc/{process_id}/exe"));
    let file = link.metadata().ok();
    let file = file.map(|file| FileId { device: file.dev(), inode: file.ino() });
    (link.read_link().ok(), file)
}

/// Elsewhere the program is not told.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn program_of(_process_id: u32) -> (Option<PathBuf>, Option<FileId>) {
    (None, None)
}
