//! The other end's user and process, by the socket's own credentials.

use std::io;

use interprocess::local_socket::tokio::Stream;
use valetkey_model::{Caller, Partition};

use super::credentials::{Credentials, Socket};
use super::{Process, groups};
use crate::error::AcceptError;
use crate::{Audience, Endpoint, Peer};

/// Who connected, if the endpoint is for them.
pub(crate) fn identify_client(stream: &Stream, audience: Audience) -> Result<Peer, AcceptError> {
    let creds = Credentials::of_peer(stream).map_err(AcceptError::NoPeer)?;
    let (uid, socket) = (creds.uid, stream.descriptor());
    let groups = match audience {
        Audience::OwnUser if uid != rustix::process::geteuid().as_raw() => {
            return Err(AcceptError::OtherUser { user: format!("uid {uid}") });
        }
        Audience::OwnUser => Vec::new(),
        Audience::AllUsers => groups::of_peer(socket, &creds).map_err(AcceptError::NoPeer)?,
    };
    let process = Process::of_peer(socket, creds.process);
    let (program, program_file) = process.executable();
    // The facts are of the process that connected if that is still there after they were read.
    let is_known = process.is_running();
    let caller = Caller {
        partition: Partition::of_uid(uid),
        groups,
        process: process.id().filter(|_| is_known),
        program: program.filter(|_| is_known),
        program_file: program_file.filter(|_| is_known),
    };
    Ok(Peer::new(caller, process))
}

/// The listening user's name if it is neither this one nor root, which systemd's system manager runs as, nor the one to whom
/// root gave the socket's folder: a service for all users runs as a user of its own.
pub(crate) fn untrusted_server(
    stream: &impl Socket,
    endpoint: &Endpoint,
) -> io::Result<Option<String>> {
    let uid = Credentials::of_peer(stream)?.uid;
    let keeper = || endpoint.path().parent().and_then(valetkey_safe_path::find_keeper);
    let is_trusted =
        uid == rustix::process::geteuid().as_raw() || uid == 0 || keeper() == Some(uid);
    Ok((!is_trusted).then(|| format!("uid {uid}")))
}
