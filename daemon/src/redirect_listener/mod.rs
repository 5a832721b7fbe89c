//! Where the browser comes back to (RFC 8252 section 7.3): HTTP on loopback, open while a flow is.
//!
//! Every user of the machine can reach the port. Without PKCE's verifier and the flow's state they can redeem nothing and
//! end nothing, but they could keep the browser out. Connections of other users are closed as they come, and what is left
//! can at most push out whoever waits without having said anything.

mod host;
mod owners;
mod page;
mod request;
mod waiting;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use valetkey_engine::ports::{BoxFuture, ListenError, Listening, Redirect, RedirectListener};
use valetkey_model::Partition;

use owners::Owners;
use waiting::{Eviction, Seat, Waiting};

pub use request::read_redirect;

/// Listens on 127.0.0.1 and `[::1]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopbackListener;

impl RedirectListener for LoopbackListener {
    fn listen(
        &self,
        port: Option<u16>,
        user: &Partition,
    ) -> BoxFuture<'_, Result<Listening, ListenError>> {
        Box::pin(listen(port.unwrap_or(0), user.uid()))
    }
}

/// Listens for the browsers of one user.
async fn listen(asked: u16, user: Option<u32>) -> Result<Listening, ListenError> {
    let (sockets, port) =
        bind_both(asked).map_err(|error| ListenError { port: asked, reason: error.to_string() })?;
    let (redirects, received) = mpsc::channel(MOST_REDIRECTS);
    let waiting = Waiting::new(MOST_WAITING);
    for socket in sockets {
        let door = Door { port, user, redirects: redirects.clone(), waiting: Arc::clone(&waiting) };
        tokio::spawn(door.accept_all(socket));
    }
    Ok(Listening { port, redirects: received })
}

/// One port on both addresses. A redirect URI may say `localhost`, which browsers look up as either; were one of the two
/// left to another program, it would get the codes.
fn bind_both(asked: u16) -> io::Result<(Vec<TcpListener>, u16)> {
    let attempts = if asked == 0 { PORT_ATTEMPTS } else { 1 };
    let mut refusal = None;
    for _ in 0..attempts {
        let v4 = bind((Ipv4Addr::LOCALHOST, asked).into())?;
        let port = v4.local_addr()?.port();
        match bind((Ipv6Addr::LOCALHOST, port).into()) {
            Ok(v6) => return Ok((vec![v4, v6], port)),
            // Somebody has it there; another free port may be free on both.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => refusal = Some(error),
            Err(error) => {
                tracing::info!(%error, "no loopback of IPv6; listening on 127.0.0.1 alone");
                return Ok((vec![v4], port));
            }
        }
    }
    Err(refusal.unwrap_or_else(|| io::ErrorKind::AddrInUse.into()))
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Where it is not Windows, whose option of this name lets two programs have one port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// What every connection to one port meets.
#[derive(Clone)]
struct Door {
    port: u16,
    user: Option<u32>,
    redirects: mpsc::Sender<Redirect>,
    waiting: Arc<Waiting>,
}

impl Door {
    /// Accepts until the flow is over. Connections that are open then still get their page.
    async fn accept_all(self, socket: TcpListener) {
        loop {
            let accepted = tokio::select! {
                () = self.redirects.closed() => return,
                accepted = accept_all_pending(&socket) => accepted,
            };
            match accepted {
                Ok(streams) => self.admit(streams).await,
                Err(error) => {
                    tracing::warn!(%error, "accept a browser's connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// Serves those of the connections that are not known to be another user's.
    async fn admit(&self, streams: Vec<TcpStream>) {
        let port = self.port;
        let owners =
            tokio::task::spawn_blocking(move || Owners::read(port)).await.unwrap_or_default();
        for stream in streams {
            if self.is_foreign(&stream, &owners) {
                // A reset leaves nothing behind, neither here nor in the kernel's tables.
                let _ = stream.set_zero_linger();
                continue;
            }
            let (seat, eviction) = self.waiting.enter();
            tokio::spawn(self.clone().serve(stream, seat, eviction));
        }
    }

    /// The browser is the caller's, whomever the daemon runs as. Root is as foreign as anybody.
    fn is_foreign(&self, stream: &TcpStream, owners: &Owners) -> bool {
        let (Ok(peer), Ok(ours)) = (stream.peer_addr(), stream.local_addr()) else { return true };
        let (Some(owner), Some(user)) = (owners.of(peer, ours), self.user) else { return false };
        let is_own = owner == user || (owner == 0 && Owners::has_relay_of_root());
        if !is_own {
            tracing::debug!(owner, "another user's connection to the redirect's port was closed");
        }
        !is_own
    }

    async fn serve(self, stream: TcpStream, seat: Seat, eviction: Eviction) {
        let service =
            service_fn(|request| request::answer(request, self.port, &self.redirects, &seat));
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            // A browser that keeps a connection would keep a seat.
            .keep_alive(false)
            .max_buf_size(HEAD_LIMIT)
            .serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            served = serving => {
                if let Err(error) = served {
                    tracing::debug!(%error, "browser's connection ended");
                }
            }
            Ok(()) = eviction => tracing::debug!("an idle connection made room for another"),
        }
    }
}

/// All that are waiting in the kernel's queue: they share one look at whose they are, which is what costs.
async fn accept_all_pending(socket: &TcpListener) -> io::Result<Vec<TcpStream>> {
    let mut streams = vec![socket.accept().await?.0];
    while streams.len() < MOST_AT_ONCE
        && let Some(Ok((stream, _))) = socket.accept().now_or_never()
    {
        streams.push(stream);
    }
    Ok(streams)
}

/// What the kernel queues for us; it takes less where `somaxconn` is lower.
const BACKLOG: u32 = 4096;
const MOST_AT_ONCE: usize = 256;
const MOST_WAITING: usize = 256;
/// A flow looks at one redirect at a time, and in no time at those that are not its own: as many windows may send such ones
/// without end, and keep no other out.
const MOST_REDIRECTS: usize = 64;
const PORT_ATTEMPTS: usize = 8;
/// A browser on this machine has its request ready when it connects.
const HEAD_PATIENCE: Duration = Duration::from_secs(2);
/// Codes of Entra have about 2 KiB, and state is the application's own.
const HEAD_LIMIT: usize = 64 * 1024;

#[cfg(test)]
mod tests;
