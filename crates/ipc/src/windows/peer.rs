//! The other end's user and process. The pipe's access list admits its owner alone, so whoever connects is that user;
//! the process id is there to be shown, and to refuse what contradicts the list.

use std::io;

use interprocess::local_socket::PeerCreds;
use interprocess::local_socket::traits::StreamCommon;
use valetkey_model::{Caller, Partition};

use super::process;
use crate::error::AcceptError;

/// LocalSystem and the administrators' group, which services run as.
const SYSTEM_SIDS: [&str; 2] = ["S-1-5-18", "S-1-5-32-544"];

pub(crate) fn identify_client(stream: &impl StreamCommon) -> Result<Caller, AcceptError> {
    let process_id = stream.peer_creds().map_err(AcceptError::NoPeer)?.pid();
    let own = process::own_sid().map_err(AcceptError::NoPeer)?;
    // An elevated process of the same user does not show its token; the access list has vouched for it.
    let sid = process_id.and_then(|id| process::sid_of(id).ok());
    if let Some(user) = sid.filter(|sid| *sid != own) {
        return Err(AcceptError::OtherUser { user });
    }
    let program = process_id.and_then(process::program_of);
    Ok(Caller { partition: Partition::of_sid(&own), process_id, program, program_file: None })
}

/// The listening user's SID if it is neither this one nor the system.
pub(crate) fn untrusted_server(creds: &PeerCreds) -> io::Result<Option<String>> {
    let id = creds.pid().ok_or(io::ErrorKind::Unsupported)?;
    let sid = process::sid_of(id)?;
    let is_trusted = sid == process::own_sid()? || SYSTEM_SIDS.contains(&sid.as_str());
    Ok((!is_trusted).then_some(sid))
}
