//! Chunked transfer (RFC 9112 section 7.1) and, inside it, server-sent events (WHATWG HTML section 9.2), as far as the
//! daemon uses them.

use valetkey_proto::v1::{Event, EventKind};

use crate::error::ProtocolError;

/// Bytes of the body in, events out.
pub(super) struct EventReader {
    /// Not unpacked yet.
    chunked: Vec<u8>,
    awaits: Awaits,
    /// Unpacked, and not read yet.
    text: Vec<u8>,
}

/// What comes next in the chunked bytes.
enum Awaits {
    Size,
    Data(usize),
    EndOfChunk,
    Nothing,
}

impl EventReader {
    pub(super) fn new() -> Self {
        Self { chunked: Vec::new(), awaits: Awaits::Size, text: Vec::new() }
    }

    /// True when the last chunk was there.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.awaits, Awaits::Nothing)
    }

    /// Takes what came in.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<(), ProtocolError> {
        self.chunked.extend_from_slice(bytes);
        while self.unpack()? {}
        if self.text.len() > LONGEST_EVENT { Err(ProtocolError::TooLarge) } else { Ok(()) }
    }

    /// One step; false when it needs more bytes.
    fn unpack(&mut self) -> Result<bool, ProtocolError> {
        let (taken, next) = match self.awaits {
            Awaits::Size => match httparse::parse_chunk_size(&self.chunked) {
                Ok(httparse::Status::Complete((taken, 0))) => (taken, Awaits::Nothing),
                Ok(httparse::Status::Complete((taken, size))) => {
                    let size = usize::try_from(size).map_err(|_| ProtocolError::TooLarge)?;
                    (taken, Awaits::Data(size))
                }
                Ok(httparse::Status::Partial) => return Ok(false),
                Err(_) => return Err(ProtocolError::NotHttp),
            },
            Awaits::Data(left) => {
                let taken = left.min(self.chunked.len());
                self.text.extend_from_slice(&self.chunked[..taken]);
                match left - taken {
                    0 => (taken, Awaits::EndOfChunk),
                    left => (taken, Awaits::Data(left)),
                }
            }
            Awaits::EndOfChunk => match self.chunked.as_slice() {
                [b'\r', b'\n', ..] => (2, Awaits::Size),
                [] | [b'\r'] => return Ok(false),
                _ => return Err(ProtocolError::NotHttp),
            },
            Awaits::Nothing => return Ok(false),
        };
        self.awaits = next;
        self.chunked.drain(..taken);
        Ok(taken > 0)
    }

    /// The next event that is there whole. Kinds of event that this version does not know are passed over.
    pub(super) fn next_event(&mut self) -> Result<Option<Event>, ProtocolError> {
        while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.text.drain(..end + 2).collect();
            if let Some(event) = parse_block(&block)? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }
}

fn parse_block(block: &[u8]) -> Result<Option<Event>, ProtocolError> {
    let (mut name, mut data) = (&b""[..], Vec::new());
    for line in block.split(|byte| *byte == b'\n') {
        match line.split_once_colon() {
            (b"event", value) => name = value,
            (b"data", value) => data.extend_from_slice(value),
            // Comments keep the stream alive; other fields are of no use here.
            _ => {}
        }
    }
    let is_known = std::str::from_utf8(name)
        .is_ok_and(|name| serde_json::from_value::<EventKind>(name.into()).is_ok());
    if !is_known {
        return Ok(None);
    }
    let not_understood = |error: serde_json::Error| ProtocolError::NotUnderstood {
        status: 200,
        column: error.column(),
    };
    serde_json::from_slice(&data).map(Some).map_err(not_understood)
}

trait SplitOnceColon {
    fn split_once_colon(&self) -> (&[u8], &[u8]);
}

impl SplitOnceColon for [u8] {
    /// A field's name and value; one space after the colon is no part of the value.
    fn split_once_colon(&self) -> (&[u8], &[u8]) {
        let Some(colon) = self.iter().position(|byte| *byte == b':') else { return (self, b"") };
        let value = &self[colon + 1..];
        (&self[..colon], value.strip_prefix(b" ").unwrap_or(value))
    }
}

/// An event is some hundred bytes.
const LONGEST_EVENT: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
