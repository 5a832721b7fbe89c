//! Where the browser comes back to (RFC 8252 section 7.3): HTTP on loopback, open while a flow is.

mod host;
mod page;
mod request;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use valetkey_engine::ports::{BoxFuture, ListenError, Listening, Redirect, RedirectListener};

/// Listens on 127.0.0.1 and `[::1]`.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopbackListener;

impl RedirectListener for LoopbackListener {
    fn listen(&self, port: Option<u16>) -> BoxFuture<'_, Result<Listening, ListenError>> {
        Box::pin(listen(port.unwrap_or(0)))
    }
}

async fn listen(asked: u16) -> Result<Listening, ListenError> {
    let (sockets, port) = bind_both(asked)
        .await
        .map_err(|error| ListenError { port: asked, reason: error.to_string() })?;
    let (sender, redirects) = mpsc::channel(MOST_CONNECTIONS);
    let slots = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    for socket in sockets {
        tokio::spawn(accept_all(socket, port, sender.clone(), Arc::clone(&slots)));
    }
    Ok(Listening { port, redirects })
}

/// One port on both addresses. A redirect URI may say `localhost`, which browsers look up as either; were one of the two
/// left to another program, it would get the codes.
async fn bind_both(asked: u16) -> io::Result<(Vec<TcpListener>, u16)> {
    let attempts = if asked == 0 { PORT_ATTEMPTS } else { 1 };
    let mut refusal = None;
    for _ in 0..attempts {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, asked)).await?;
        let port = v4.local_addr()?.port();
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
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

/// Accepts until the flow is over. Connections that are open then still get their page.
async fn accept_all(
    socket: TcpListener,
    port: u16,
    redirects: mpsc::Sender<Redirect>,
    slots: Arc<Semaphore>,
) {
    loop {
        // A few browsers at most come here; the rest wait in the kernel's queue.
        let slot = tokio::select! {
            () = redirects.closed() => return,
            slot = Arc::clone(&slots).acquire_owned() => slot,
        };
        let accepted = tokio::select! {
            () = redirects.closed() => return,
            accepted = socket.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let redirects = redirects.clone();
                tokio::spawn(async move {
                    serve_connection(stream, peer, port, redirects).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "accept a browser's connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve_connection(
    stream: TcpStream,
    peer: SocketAddr,
    port: u16,
    redirects: mpsc::Sender<Redirect>,
) {
    let service = service_fn(|request| request::answer(request, port, &redirects));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        // A browser that keeps a connection would keep a slot.
        .keep_alive(false)
        .max_buf_size(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "browser's connection ended");
    }
}

const MOST_CONNECTIONS: usize = 8;
const PORT_ATTEMPTS: usize = 8;
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// Codes of Entra have about 2 KiB, and state is the application's own.
const HEAD_LIMIT: usize = 64 * 1024;

#[cfg(test)]
mod tests;
