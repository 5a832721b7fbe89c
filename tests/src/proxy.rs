//! A proxy as companies have them: tunnels for HTTPS (RFC 9110 section 9.3.6), plain requests passed on as they come.

use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use url::Url;

/// A proxy that remembers what went through it. Dropping it lets go of its port.
pub struct Proxy {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

/// What a proxy does with those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manners {
    PassOn,
    /// It wants to know who they are first.
    Refuse,
}

impl Proxy {
    /// One that lets everybody through.
    pub async fn start() -> Self {
        Self::with(Manners::PassOn).await
    }

    /// One that lets nobody through without a password.
    pub async fn refusing() -> Self {
        Self::with(Manners::Refuse).await
    }

    async fn with(manners: Manners) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // Either end may hang up at any time.
                tokio::spawn(serve(client, Arc::clone(&log), manners));
            }
        });
        Self { port, asked, server }
    }

    /// For `HTTP_PROXY` and `HTTPS_PROXY`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Method, host and port of the first request of each connection, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    mut client: TcpStream,
    log: Arc<Mutex<Vec<String>>>,
    manners: Manners,
) -> io::Result<()> {
    let head = read_head(&mut client).await?;
    let text = String::from_utf8_lossy(&head);
    let mut words = text.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let place = place_of(method, target);
    log.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{method} {place}"));
    if manners == Manners::Refuse {
        return client.write_all(REFUSAL).await;
    }
    let mut server = TcpStream::connect(at_home(&place)).await?;
    match method {
        "CONNECT" => client.write_all(b"HTTP/1.1 200 Connection Established\r\n\r\n").await?,
        // A server takes the absolute form as well (RFC 9112 section 3.2.2).
        _ => server.write_all(&head).await?,
    }
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

/// Up to the empty line, and what came with it.
async fn read_head(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        if client.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(head)
}

/// Where a name of the company's is: on this machine. Nobody else knows such a name (RFC 6761 section 6.2).
fn at_home(place: &str) -> String {
    match place.rsplit_once(':') {
        Some((name, port)) if name.ends_with(".test") => format!("127.0.0.1:{port}"),
        _ => place.to_owned(),
    }
}

fn place_of(method: &str, target: &str) -> String {
    if method == "CONNECT" {
        return target.to_owned();
    }
    let url = Url::parse(target).expect("a request to a proxy has an absolute target");
    let host = url.host_str().unwrap_or_default();
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

const REFUSAL: &[u8] =
    b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
