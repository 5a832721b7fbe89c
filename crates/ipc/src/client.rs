//! Connecting: not a byte is sent before it is known who listens.

use std::io;
use std::time::Duration;

use interprocess::local_socket::traits::Stream as _;
use interprocess::local_socket::traits::tokio::Stream as _;
use interprocess::local_socket::{self, GenericFilePath, Name, ToFsName};

use crate::error::ConnectError;
use crate::{BlockingStream, Endpoint, Stream, platform};

/// Connects to the daemon, which must run as this user, as the system, or as the user to whom root gave the socket's folder.
/// Where others keep its queue full, it tries a few times: no place in it can be waited for without a thread.
///
/// # Errors
/// [`ConnectError::NotRunning`] when nobody listens, [`ConnectError::Impostor`] when somebody else does.
pub async fn connect(endpoint: &Endpoint) -> Result<Stream, ConnectError> {
    for _ in 1..TRIES {
        match try_connect(endpoint).await {
            Err(ConnectError::Busy { .. }) => tokio::time::sleep(PAUSE).await,
            outcome => return outcome,
        }
    }
    try_connect(endpoint).await
}

async fn try_connect(endpoint: &Endpoint) -> Result<Stream, ConnectError> {
    let name = name_of(endpoint)?;
    let raw = local_socket::tokio::Stream::connect(name).await.map_err(|e| refused(endpoint, e))?;
    verify_server(&raw, endpoint)?;
    Ok(Stream::new(raw))
}

/// As [`connect`], without a runtime.
///
/// # Errors
/// As [`connect`].
pub fn connect_blocking(endpoint: &Endpoint) -> Result<BlockingStream, ConnectError> {
    let name = name_of(endpoint)?;
    let raw = local_socket::Stream::connect(name).map_err(|e| refused(endpoint, e))?;
    verify_server(&raw, endpoint)?;
    Ok(BlockingStream::new(raw))
}

fn name_of(endpoint: &Endpoint) -> Result<Name<'_>, ConnectError> {
    platform::check_length(endpoint)?;
    endpoint.path().to_fs_name::<GenericFilePath>().map_err(|e| refused(endpoint, e))
}

fn refused(endpoint: &Endpoint, source: io::Error) -> ConnectError {
    let endpoint = endpoint.clone();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            ConnectError::NotRunning { endpoint }
        }
        _ => ConnectError::Io { endpoint, source },
    }
}

fn verify_server(stream: &impl platform::Socket, endpoint: &Endpoint) -> Result<(), ConnectError> {
    let path = endpoint;
    let endpoint = || path.clone();
    match platform::untrusted_server(stream, path) {
        Ok(None) => Ok(()),
        Ok(Some(user)) => Err(ConnectError::Impostor { endpoint: endpoint(), user }),
        Err(source) => Err(match source.kind() {
            // A Unix socket whose queue is full answers EAGAIN, which leaves it unconnected and without a peer.
            io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected => {
                ConnectError::Busy { endpoint: endpoint() }
            }
            _ => ConnectError::Io { endpoint: endpoint(), source },
        }),
    }
}

/// For a second in all. A daemon that hangs is to be told of, too.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(20);
