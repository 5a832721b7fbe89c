//! The other end's user and process, by the socket's own credentials.

use std::io;
use std::os::fd::BorrowedFd;

use interprocess::local_socket::tokio::Stream;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use valetkey_model::{Caller, Partition};

use super::credentials::{Credentials, Socket};
use super::{Handle, Process, groups};
use crate::error::AcceptError;
use crate::{Audience, Endpoint, Peer};

/// Who connected: the user, and a handle to the process.
pub(crate) struct Client {
    caller: Caller,
    process: Handle,
}

impl Client {
    /// Of a connection that was just accepted, if the endpoint is for them.
    pub(crate) fn of(stream: &Stream, audience: Audience) -> Result<Self, AcceptError> {
        let socket = stream.descriptor();
        check_not_hung_up(socket)?;
        let creds = Credentials::of_peer(stream).map_err(AcceptError::NoPeer)?;
        let uid = creds.uid;
        let groups = match audience {
            Audience::OwnUser if uid != rustix::process::geteuid().as_raw() => {
                return Err(AcceptError::OtherUser { user: format!("uid {uid}") });
            }
            Audience::OwnUser => Vec::new(),
            Audience::AllUsers => groups::of_peer(socket, &creds).map_err(AcceptError::NoPeer)?,
        };
        let caller = Caller {
            partition: Partition::of_uid(uid),
            groups,
            process: None,
            program: None,
            program_file: None,
        };
        Ok(Self { caller, process: Handle::of_peer(socket, creds.process) })
    }

    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// With what its program is.
    pub(crate) fn identify(self, stream: &Stream) -> Result<Peer, AcceptError> {
        check_not_hung_up(stream.descriptor())?;
        let process = Process::behind(self.process);
        let (program, program_file) = process.executable();
        // The facts are of the process that connected if that is still there after they were read.
        let is_known = process.is_running();
        let caller = Caller {
            process: process.id().filter(|_| is_known),
            program: program.filter(|_| is_known),
            program_file: program_file.filter(|_| is_known),
            ..self.caller
        };
        Ok(Peer::new(caller, process))
    }
}

/// Who closes at once what they have opened, again and again, must cost next to nothing. What they sent before that has nobody
/// who would hear the answer; one who has only said all that there is to say still listens.
fn check_not_hung_up(socket: BorrowedFd<'_>) -> Result<(), AcceptError> {
    let mut sockets = [PollFd::new(&socket, PollFlags::empty())];
    let is_told = poll(&mut sockets, Some(&Timespec::default()));
    match is_told.is_ok() && sockets[0].revents().contains(PollFlags::HUP) {
        true => Err(AcceptError::HungUp),
        false => Ok(()),
    }
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
