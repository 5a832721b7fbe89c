//! HTTP/1.1 as the daemon speaks it (RFC 9112), as values: requests become bytes, bytes become answers.
//!
//! It reads a status line, headers and a body whose length is announced, and refuses everything else; what cannot be an
//! answer of the daemon is not guessed at. It does no I/O.

use valetkey_proto::v1::paths::HOST;

use crate::error::ProtocolError;

/// A request, whole, as it goes over the wire.
pub(crate) fn write_request(method: &str, path: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {HOST}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// The path that a route's template becomes with these segments in the place of its `{…}`.
pub(crate) fn fill(route: &str, segments: &[&str]) -> String {
    let mut path = String::with_capacity(route.len() + 64);
    let mut segments = segments.iter();
    let mut rest = route;
    while let Some((before, after)) = rest.split_once('{') {
        path.push_str(before);
        segments.next().into_iter().for_each(|segment| push_encoded(&mut path, segment));
        rest = after.split_once('}').map_or("", |(_, tail)| tail);
    }
    path.push_str(rest);
    path
}

/// RFC 3986 section 2.1: all but the unreserved characters are written as their bytes.
pub(crate) fn push_encoded(path: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                path.push(char::from(byte));
            }
            _ => path.extend(['%', hex_digit(byte >> 4), hex_digit(byte & 15)]),
        }
    }
}

fn hex_digit(value: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(value)])
}

/// A whole answer.
#[derive(Clone, Copy)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    pub(crate) keeps_alive: bool,
}

/// Where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(usize),
    Chunked,
}

/// What is said before the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) framing: Framing,
    keeps_alive: bool,
    /// In bytes, with the empty line.
    length: usize,
}

/// The bytes of one answer as they come in. The buffer is kept for the next one.
pub(crate) struct Incoming {
    buffer: Vec<u8>,
    filled: usize,
    head: Option<Head>,
}

impl Incoming {
    pub(crate) fn new() -> Self {
        Self { buffer: vec![0; FIRST_BUFFER], filled: 0, head: None }
    }

    /// Forgets the last answer.
    pub(crate) fn clear(&mut self) {
        self.filled = 0;
        self.head = None;
    }

    /// True before the first byte of an answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Where the next bytes go; never empty.
    pub(crate) fn space(&mut self) -> Result<&mut [u8], ProtocolError> {
        if self.filled == self.buffer.len() {
            if self.filled >= MAX_ANSWER {
                return Err(ProtocolError::TooLarge);
            }
            self.buffer.resize(self.filled * 2, 0);
        }
        Ok(&mut self.buffer[self.filled..])
    }

    /// So many bytes were put into [`Self::space`].
    pub(crate) fn add(&mut self, count: usize) {
        self.filled += count;
    }

    /// The head, as soon as all of it is there.
    pub(crate) fn head(&mut self) -> Result<Option<Head>, ProtocolError> {
        if self.head.is_none() {
            self.head = parse_head(&self.buffer[..self.filled])?;
        }
        Ok(self.head)
    }

    /// All that is there, head or not.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    /// What came after the head.
    pub(crate) fn body_so_far(&self) -> &[u8] {
        let start = self.head.map_or(self.filled, |head| head.length);
        &self.buffer[start..self.filled]
    }

    /// The answer, once it is there whole.
    pub(crate) fn is_complete(&mut self) -> Result<bool, ProtocolError> {
        let Some(head) = self.head()? else { return Ok(false) };
        let Framing::Length(length) = head.framing else { return Err(ProtocolError::NoLength) };
        match self.body_so_far().len() {
            so_far if so_far > length => Err(ProtocolError::Surplus),
            so_far => Ok(so_far == length),
        }
    }

    /// The answer; meaningful when [`Self::is_complete`].
    pub(crate) fn answer(&self) -> Answer<'_> {
        let (status, keeps_alive) =
            self.head.map_or((0, false), |head| (head.status, head.keeps_alive));
        Answer { status, body: self.body_so_far(), keeps_alive }
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, ProtocolError> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if bytes.len() > MAX_HEAD => {
            return Err(ProtocolError::TooLarge);
        }
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(ProtocolError::NotHttp),
    };
    // A provisional answer (1xx) is sent only to those who ask for it, which nobody here does.
    let status = response.code.filter(|code| *code >= 200).ok_or(ProtocolError::NotHttp)?;
    if response.version != Some(1) {
        return Err(ProtocolError::NotHttp);
    }
    let framing = framing_of(status, response.headers)?;
    let closes = |header: &httparse::Header<'_>| {
        header.name.eq_ignore_ascii_case("connection")
            && header.value.eq_ignore_ascii_case(b"close")
    };
    let keeps_alive = !response.headers.iter().any(closes);
    Ok(Some(Head { status, framing, keeps_alive, length }))
}

/// RFC 9112 section 6.3. Two lengths, or a length and chunks, would leave it to chance where the next answer begins.
fn framing_of(status: u16, headers: &[httparse::Header<'_>]) -> Result<Framing, ProtocolError> {
    let mut framing = None;
    for header in headers {
        let found = if header.name.eq_ignore_ascii_case("content-length") {
            Framing::Length(parse_length(header.value)?)
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            match header.value.eq_ignore_ascii_case(b"chunked") {
                true => Framing::Chunked,
                false => return Err(ProtocolError::NoLength),
            }
        } else {
            continue;
        };
        if framing.replace(found).is_some() {
            return Err(ProtocolError::NoLength);
        }
    }
    match framing {
        None if status == NO_CONTENT => Ok(Framing::Length(0)),
        _ => framing.ok_or(ProtocolError::NoLength),
    }
}

fn parse_length(value: &[u8]) -> Result<usize, ProtocolError> {
    let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(value).ok().filter(|_| is_number);
    let length = digits.ok_or(ProtocolError::NoLength)?.parse().unwrap_or(usize::MAX);
    if length > MAX_ANSWER { Err(ProtocolError::TooLarge) } else { Ok(length) }
}

const NO_CONTENT: u16 = 204;
/// Holds nearly every answer: a token is two or three KiB.
const FIRST_BUFFER: usize = 8 * 1024;
const MAX_HEAD: usize = 32 * 1024;
const MAX_HEADERS: usize = 32;
/// Thousands of accounts.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests;
