//! What a daemon sends, read from bytes in pieces as a socket would bring them. For `tests/fuzz` alone: no part of the SDK.

use serde::de::IgnoredAny;
use valetkey_proto::v1::Event;

use crate::call::Call;
use crate::error::{Error, ProtocolError};
use crate::event::read_events;
use crate::http1::Incoming;

/// The answer that these pieces make: its status and its body, once it is there whole.
///
/// # Errors
/// When they are no answer.
pub fn read_answer<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Option<(u16, Vec<u8>)>, ProtocolError> {
    let mut incoming = Incoming::new();
    for mut piece in pieces {
        while !piece.is_empty() {
            let space = incoming.space()?;
            let count = space.len().min(piece.len());
            space[..count].copy_from_slice(&piece[..count]);
            incoming.add(count);
            piece = &piece[count..];
        }
        if incoming.is_complete()? {
            break;
        }
    }
    let is_complete = incoming.is_complete()?;
    let answer = incoming.answer();
    Ok(is_complete.then(|| (answer.status, answer.body.to_vec())))
}

/// What an application gets to see of an answer that is not as it asked for.
///
/// # Errors
/// With what it sees.
pub fn judge_answer(status: u16, body: &[u8]) -> Result<(), Error> {
    let answer = crate::http1::Answer { status, body, keeps_alive: false };
    Call::<IgnoredAny>::read(answer).map(drop)
}

/// The events of a stream's body that comes in these pieces.
///
/// # Errors
/// When they are no such body.
pub fn read_event_stream<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Event>, ProtocolError> {
    read_events(pieces)
}
