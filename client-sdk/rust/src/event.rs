//! `GET /v1/events`: what happens, while it happens.

mod stream;

use serde::de::IgnoredAny;
use valetkey_ipc::{BlockingStream, Stream};
use valetkey_proto::v1::Event;
use valetkey_proto::v1::paths::route;

use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::connection::{Broken, Connection, Opened};
use crate::error::{Error, ProtocolError};
use stream::EventReader;

/// The calling user's events, from the call on. Dropping it ends the stream.
pub struct Events {
    connection: Connection<Stream>,
    reader: EventReader,
}

/// As [`Events`], for a thread that waits; an iterator.
pub struct BlockingEvents {
    connection: Connection<BlockingStream>,
    reader: EventReader,
}

impl Client {
    /// Subscribes, over a connection of its own.
    ///
    /// # Errors
    /// When the daemon does not answer with a stream.
    pub async fn events(&self) -> Result<Events, Error> {
        match self.subscribe().await {
            // As for every call that may be repeated.
            Err(Broken::Gone(_)) => Ok(self.subscribe().await?),
            outcome => Ok(outcome?),
        }
    }

    async fn subscribe(&self) -> Result<Events, Broken> {
        let mut connection = self.connect().await?;
        let mut reader = EventReader::new();
        subscribed(connection.open_stream(&subscribe().request).await?, &mut reader)?;
        Ok(Events { connection, reader })
    }
}

impl Events {
    /// The next event; none when the daemon ended the stream, which it does when it stops. Dropping the call loses nothing.
    ///
    /// # Errors
    /// When the stream breaks off, or is no stream of events.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.reader.next_event()? {
                return Ok(Some(event));
            }
            if self.reader.has_ended() {
                return Ok(None);
            }
            match self.connection.read_more().await? {
                [] => return Err(ProtocolError::BrokeOff.into()),
                bytes => self.reader.feed(bytes)?,
            }
        }
    }
}

impl blocking::Client {
    /// As [`Client::events`].
    ///
    /// # Errors
    /// When the daemon does not answer with a stream.
    pub fn events(&self) -> Result<BlockingEvents, Error> {
        match self.subscribe() {
            Err(Broken::Gone(_)) => Ok(self.subscribe()?),
            outcome => Ok(outcome?),
        }
    }

    fn subscribe(&self) -> Result<BlockingEvents, Broken> {
        let mut connection = self.connect()?;
        let mut reader = EventReader::new();
        subscribed(connection.open_stream_blocking(&subscribe().request)?, &mut reader)?;
        Ok(BlockingEvents { connection, reader })
    }
}

impl BlockingEvents {
    fn try_next(&mut self) -> Result<Option<Event>, Error> {
        loop {
            if let Some(event) = self.reader.next_event()? {
                return Ok(Some(event));
            }
            if self.reader.has_ended() {
                return Ok(None);
            }
            match self.connection.read_more_blocking()? {
                [] => return Err(ProtocolError::BrokeOff.into()),
                bytes => self.reader.feed(bytes)?,
            }
        }
    }
}

impl Iterator for BlockingEvents {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.try_next().transpose()
    }
}

fn subscribe() -> Call<IgnoredAny> {
    Call::get(route::EVENTS)
}

fn subscribed(opened: Opened<'_>, reader: &mut EventReader) -> Result<(), Error> {
    match opened {
        Opened::Stream(bytes) => Ok(reader.feed(bytes)?),
        Opened::Answer(answer) => {
            Call::<IgnoredAny>::read(answer)?;
            Err(ProtocolError::NoLength.into())
        }
    }
}

/// The events of a stream's body that comes in these pieces.
#[cfg(feature = "fuzzing")]
pub(crate) fn read_events<'a>(
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Event>, ProtocolError> {
    let (mut reader, mut events) = (EventReader::new(), Vec::new());
    for piece in pieces {
        reader.feed(piece)?;
        while let Some(event) = reader.next_event()? {
            events.push(event);
        }
    }
    Ok(events)
}
