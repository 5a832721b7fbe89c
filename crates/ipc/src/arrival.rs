//! A connection that was accepted, before its program was looked at.

use std::fmt;

use interprocess::local_socket::tokio::Stream as RawStream;
use valetkey_model::Caller;

use crate::error::AcceptError;
use crate::platform;
use crate::{Peer, Stream};

/// Who has connected, as far as it costs nothing to know. To look at the program takes another process where the daemon is
/// confined, and whoever connects in a loop must not keep others waiting for that: so it is done when it is this one's turn.
pub struct Arrival {
    raw: RawStream,
    client: platform::Client,
}

impl Arrival {
    pub(crate) fn new(raw: RawStream, client: platform::Client) -> Self {
        Self { raw, client }
    }

    /// Whose process it is, as the kernel noted when it connected; of the process nothing.
    pub fn caller(&self) -> &Caller {
        self.client.caller()
    }

    /// Looks at the program. To be done before anything is read: what it runs by then is taken for what connected. The handle
    /// to the process was taken when the connection was accepted, so that it is of none that came later.
    ///
    /// # Errors
    /// When it has hung up.
    pub fn identify(self) -> Result<(Stream, Peer), AcceptError> {
        let peer = self.client.identify(&self.raw)?;
        Ok((Stream::new(self.raw), peer))
    }

    /// The bytes alone, of whoever it is.
    pub fn into_stream(self) -> Stream {
        Stream::new(self.raw)
    }
}

impl fmt::Debug for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Arrival").field(self.caller()).finish()
    }
}
