//! The other end's user and process. The pipe's access list admits its owner alone, so whoever connects is that user;
//! the process id is there to be shown, and to refuse what contradicts the list.

use std::io;

use interprocess::local_socket::tokio::Stream;
use valetkey_model::{Caller, Partition};

use super::Socket;
use super::process::{self, Process};
use crate::error::AcceptError;
use crate::{Audience, Endpoint, Peer};

/// LocalSystem and the administrators' group, which services run as.
const SYSTEM_SIDS: [&str; 2] = ["S-1-5-18", "S-1-5-32-544"];

/// Who connected. To look at the program costs next to nothing here, so that it is done at once.
pub(crate) struct Client(Peer);

impl Client {
    pub(crate) fn of(stream: &Stream, _audience: Audience) -> Result<Self, AcceptError> {
        identify(stream).map(Self)
    }

    pub(crate) fn caller(&self) -> &Caller {
        self.0.caller()
    }

    pub(crate) fn identify(self, _stream: &Stream) -> Result<Peer, AcceptError> {
        Ok(self.0)
    }
}

fn identify(stream: &Stream) -> Result<Peer, AcceptError> {
    let number = stream.peer_creds().map_err(AcceptError::NoPeer)?.pid();
    let own = process::own_sid().map_err(AcceptError::NoPeer)?;
    let process = Process::of_peer(number);
    // An elevated process of the same user does not show its token; the access list has vouched for it.
    if let Some(user) = process.user().filter(|sid| *sid != own) {
        return Err(AcceptError::OtherUser { user });
    }
    let caller = Caller {
        partition: Partition::of_sid(&own),
        groups: Vec::new(),
        process: process.id(),
        program: process.executable(),
        program_file: None,
    };
    Ok(Peer::new(caller, process))
}

/// The listening user's SID if it is neither this one nor the system.
pub(crate) fn untrusted_server(
    stream: &impl Socket,
    _endpoint: &Endpoint,
) -> io::Result<Option<String>> {
    let id = stream.peer_creds()?.pid().ok_or(io::ErrorKind::Unsupported)?;
    let sid = process::sid_of(id)?;
    let is_trusted = sid == process::own_sid()? || SYSTEM_SIDS.contains(&sid.as_str());
    Ok((!is_trusted).then_some(sid))
}
