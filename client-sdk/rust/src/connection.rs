//! A kept-alive connection, for tokio and for a thread that waits: both do the same few steps around `http1`.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::de::IgnoredAny;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use valetkey_ipc::{BlockingStream, Stream};
use valetkey_proto::v1::paths::route;

use crate::call::Call;
use crate::definition::OpeningKey;
use crate::error::{Error, ProtocolError};
use crate::http1::{Answer, Framing, Incoming};
use crate::talk::Told;

/// A connection and the answer that comes in over it.
pub(crate) struct Connection<S> {
    stream: S,
    incoming: Incoming,
    pub(crate) opened: OpenedHere,
}

/// The applications that were opened over a connection, as far as that matters: by the last of them, since whoever goes
/// through more than this many opens them again.
#[derive(Default)]
pub(crate) struct OpenedHere(VecDeque<OpeningKey>);

impl OpenedHere {
    pub(crate) fn contains(&self, key: OpeningKey) -> bool {
        self.0.contains(&key)
    }

    pub(crate) fn extend(&mut self, key: Option<OpeningKey>) {
        let Some(key) = key.filter(|key| !self.contains(*key)) else { return };
        if self.0.len() == MAX_OPENED {
            self.0.pop_front();
        }
        self.0.push_back(key);
    }
}

/// An answer, and what is open over the connection that it came by.
pub(crate) type Heard<'a> = (Answer<'a>, &'a mut OpenedHere);

/// Why there is no answer. The connection is of no more use.
pub(crate) enum Broken {
    /// Not a byte came back: a kept-alive connection may have been closed since, or a new one is to a daemon that ends.
    Gone(Error),
    /// Anything else.
    Failed(Error),
}

impl Connection<Stream> {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, incoming: Incoming::new(), opened: OpenedHere::default() }
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Heard<'_>, Broken> {
        self.send(request).await?;
        while !self.incoming.is_complete()? {
            self.receive().await?;
        }
        Ok((self.incoming.answer(), &mut self.opened))
    }

    /// Itself, if the daemon answers over it and goes on to.
    pub(crate) async fn prove(mut self) -> Result<Self, Broken> {
        let keeps_alive = self.exchange(&question().request).await?.0.keeps_alive;
        if keeps_alive { Ok(self) } else { Err(Broken::Gone(ProtocolError::HungUp.into())) }
    }

    /// Sends a request whose answer is a stream, and reads as far as its head.
    pub(crate) async fn open_stream(&mut self, request: &[u8]) -> Result<Opened<'_>, Broken> {
        self.send(request).await?;
        while !self.incoming.is_stream_or_complete()? {
            self.receive().await?;
        }
        Ok(self.incoming.opened())
    }

    /// More of a stream; nothing when it has ended.
    pub(crate) async fn read_more(&mut self) -> Result<&[u8], Error> {
        self.incoming.clear();
        let count = self.stream.read(self.incoming.space()?).await?;
        self.incoming.add(count);
        Ok(self.incoming.bytes())
    }

    async fn send(&mut self, request: &[u8]) -> Result<(), Broken> {
        self.incoming.clear();
        self.stream.write_all(request).await.map_err(|error| self.broken(error))
    }

    async fn receive(&mut self) -> Result<(), Broken> {
        match self.stream.read(self.incoming.space()?).await {
            Ok(0) => Err(self.closed()),
            Ok(count) => {
                self.incoming.add(count);
                Ok(())
            }
            Err(error) => Err(self.broken(error)),
        }
    }
}

impl Connection<BlockingStream> {
    pub(crate) fn new_blocking(stream: BlockingStream) -> Self {
        // Named pipes have no such limit; a daemon that hangs is then Ctrl-C's business.
        let _ = stream.set_read_timeout(Some(PATIENCE));
        Self { stream, incoming: Incoming::new(), opened: OpenedHere::default() }
    }

    /// Sends a request and reads its answer.
    pub(crate) fn exchange_blocking(&mut self, request: &[u8]) -> Result<Heard<'_>, Broken> {
        self.send_blocking(request)?;
        while !self.incoming.is_complete()? {
            self.receive_blocking()?;
        }
        Ok((self.incoming.answer(), &mut self.opened))
    }

    /// Itself, if the daemon answers over it and goes on to.
    pub(crate) fn prove(mut self) -> Result<Self, Broken> {
        let keeps_alive = self.exchange_blocking(&question().request)?.0.keeps_alive;
        if keeps_alive { Ok(self) } else { Err(Broken::Gone(ProtocolError::HungUp.into())) }
    }

    /// Sends a request whose answer is a stream, and reads as far as its head.
    pub(crate) fn open_stream_blocking(&mut self, request: &[u8]) -> Result<Opened<'_>, Broken> {
        self.send_blocking(request)?;
        while !self.incoming.is_stream_or_complete()? {
            self.receive_blocking()?;
        }
        Ok(self.incoming.opened())
    }

    /// More of a stream; nothing when it has ended.
    pub(crate) fn read_more_blocking(&mut self) -> Result<&[u8], Error> {
        self.incoming.clear();
        let count = read_uninterrupted(&mut self.stream, self.incoming.space()?)?;
        self.incoming.add(count);
        Ok(self.incoming.bytes())
    }

    fn send_blocking(&mut self, request: &[u8]) -> Result<(), Broken> {
        self.incoming.clear();
        self.stream.write_all(request).map_err(|error| self.broken(error))
    }

    fn receive_blocking(&mut self) -> Result<(), Broken> {
        match read_uninterrupted(&mut self.stream, self.incoming.space()?) {
            Ok(0) => Err(self.closed()),
            Ok(count) => {
                self.incoming.add(count);
                Ok(())
            }
            Err(error) => Err(self.broken(error)),
        }
    }
}

impl<S> Connection<S> {
    fn closed(&self) -> Broken {
        match self.incoming.is_empty() {
            true => Broken::Gone(ProtocolError::HungUp.into()),
            false => Broken::Failed(ProtocolError::BrokeOff.into()),
        }
    }

    fn broken(&self, error: io::Error) -> Broken {
        // A daemon that let the time run out has the request; asking again would only make the wait longer.
        let timed_out = matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock);
        let hung_up =
            matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
        match self.incoming.is_empty() && !timed_out {
            true if hung_up => Broken::Gone(ProtocolError::HungUp.into()),
            true => Broken::Gone(error.into()),
            false => Broken::Failed(error.into()),
        }
    }
}

/// How a request for a stream was answered.
pub(crate) enum Opened<'a> {
    /// With a stream, of which this much has come.
    Stream(&'a [u8]),
    /// With an answer, which is an error as a rule.
    Answer(Answer<'a>),
}

impl Incoming {
    fn is_stream_or_complete(&mut self) -> Result<bool, ProtocolError> {
        match self.head()? {
            Some(head) if head.framing == Framing::Chunked => Ok(true),
            _ => self.is_complete(),
        }
    }

    fn opened(&mut self) -> Opened<'_> {
        match self.head() {
            Ok(Some(head)) if head.framing == Framing::Chunked => {
                Opened::Stream(self.body_so_far())
            }
            _ => Opened::Answer(self.answer()),
        }
    }
}

/// What any daemon that is up has an answer to.
fn question() -> Call<IgnoredAny> {
    Call::get(route::STATUS)
}

fn read_uninterrupted(stream: &mut BlockingStream, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

impl From<ProtocolError> for Broken {
    fn from(error: ProtocolError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Broken> for Error {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Gone(error) | Broken::Failed(error) => error,
        }
    }
}

/// Idle connections, for whoever asks next.
pub(crate) struct Pool<S>(Mutex<Vec<Connection<S>>>);

impl<S> Pool<S> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// The one that was used last, which is the likeliest to be open still.
    pub(crate) fn take(&self) -> Option<Connection<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(crate) fn put(&self, connection: Connection<S>) {
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }

    /// Keeps the connection of a talk for the next one, if it is good for that; the outcome.
    pub(crate) fn put_back<T>(&self, connection: Connection<S>, told: Told<T>) -> Result<T, Error> {
        if told.keeps_alive {
            self.put(connection);
        }
        told.outcome
    }

    /// The daemon closed one, so it closed all.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// Longer than the longest wait of a long poll, and than the daemon gives any provider to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many applications a connection remembers to have open.
const MAX_OPENED: usize = 64;

/// A burst opens more, which are closed after use.
const MAX_IDLE: usize = 8;
