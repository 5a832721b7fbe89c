//! The local endpoint: a Unix socket, or a named pipe on Windows, and who is at its other end.
//!
//! [`Endpoint`] names it, [`Listener`] binds it or adopts it from systemd and tells whose each connection is and, once that is [looked at](Arrival),
//! which [`Peer`],
//! and [`connect`] reaches it, after a look at who listens there. What makes the endpoint safe is here: folder and socket
//! are private from the moment they exist, one daemon at a time owns the name, a live socket is never unlinked, and both
//! ends learn from the kernel which user the other one is.
//!
//! It moves bytes and knows no HTTP and no `/v1`. It decides nothing beyond "same user", and not even that for an
//! [`Audience`] of all users; it starts no daemon; and it does not protect against a program that runs as the same user.

mod arrival;
mod audience;
mod client;
mod endpoint;
mod error;
mod interpreter;
mod listener;
mod peer;
mod stream;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

pub use arrival::Arrival;
pub use audience::Audience;
pub use client::{connect, connect_blocking};
pub use endpoint::{Endpoint, EndpointError};
pub use error::{AcceptError, BindError, ConnectError, FolderProblem, PathTooLong};
pub use listener::Listener;
pub use peer::Peer;
pub use stream::{BlockingStream, Stream};
#[cfg(unix)]
pub use unix::inherited::{AdoptError, Inherited};
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use unix::linux::sight::{Sight, look_through};
