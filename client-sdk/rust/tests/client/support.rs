//! A daemon that plays a script: the tests' other end of the socket.
//!
//! It runs in a thread of its own, takes any number of connections, and answers each request with what a function of the
//! test makes of it, be it well-formed or not.

use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use valetkey_ipc::{Endpoint, Listener, Stream};

/// A request as it came over the socket.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub target: String,
    pub body: Option<Value>,
    /// Counts from 1.
    pub connection: usize,
}

/// Bytes to send as they are, and whether to hang up afterwards.
#[derive(Clone, Debug)]
pub struct Reply {
    pub bytes: Vec<u8>,
    pub hangs_up: bool,
}

impl Reply {
    /// A well-formed answer; `null` becomes an empty body.
    pub fn json(status: u16, body: &Value) -> Self {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n");
        Self { bytes: (head + &body).into_bytes(), hangs_up: false }
    }

    /// These bytes, and no more.
    pub fn raw(bytes: &str) -> Self {
        Self { bytes: bytes.into(), hangs_up: true }
    }
}

type Handler = dyn FnMut(&Request) -> Reply + Send;

/// A listening daemon; dropping it ends it.
pub struct Daemon {
    pub endpoint: Endpoint,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Daemon {
    /// Listens and answers as `handler` says.
    pub fn start(handler: impl FnMut(&Request) -> Reply + Send + 'static) -> Self {
        let (endpoint, folder) = new_endpoint();
        let requests = Arc::<Mutex<Vec<Request>>>::default();
        let (stop, stopped) = oneshot::channel();
        let (listening, ready) = std::sync::mpsc::channel();
        let shared = Arc::new(Mutex::new(Shared {
            handler: Box::new(handler),
            requests: Arc::clone(&requests),
        }));
        let place = endpoint.clone();
        let thread = thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = Listener::bind(&place).unwrap();
                listening.send(()).unwrap();
                tokio::select! {
                    () = accept(&listener, &shared) => {}
                    _ = stopped => {}
                }
            });
        });
        ready.recv().unwrap();
        Self { endpoint, requests, stop: Some(stop), thread: Some(thread), _folder: folder }
    }

    /// What was asked up to now.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().map(thread::JoinHandle::join);
    }
}

/// An endpoint that nobody has, and the folder it needs.
pub fn new_endpoint() -> (Endpoint, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let endpoint = if cfg!(windows) {
        let name = folder.path().file_name().unwrap().to_string_lossy().into_owned();
        Endpoint::at(format!(r"\\.\pipe\valetkey-test-{name}"))
    } else {
        Endpoint::at(folder.path().join("broker.sock"))
    };
    (endpoint, folder)
}

struct Shared {
    handler: Box<Handler>,
    requests: Arc<Mutex<Vec<Request>>>,
}

async fn accept(listener: &Listener, shared: &Arc<Mutex<Shared>>) {
    let mut connections = tokio::task::JoinSet::new();
    for number in 1.. {
        let stream = listener.accept().await.unwrap().into_stream();
        connections.spawn(serve(stream, number, Arc::clone(shared)));
    }
}

async fn serve(mut stream: Stream, connection: usize, shared: Arc<Mutex<Shared>>) {
    let mut bytes = Vec::new();
    loop {
        while let Some(request) = take_request(&mut bytes, connection) {
            let reply = {
                let mut shared = shared.lock().unwrap();
                shared.requests.lock().unwrap().push(request.clone());
                (shared.handler)(&request)
            };
            let sent = stream.write_all(&reply.bytes).await;
            if sent.is_err() || stream.flush().await.is_err() || reply.hangs_up {
                return;
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

/// One whole request from the front of the bytes; what every request must have is asserted here.
fn take_request(bytes: &mut Vec<u8>, connection: usize) -> Option<Request> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
    let target = rest.strip_suffix(" HTTP/1.1").unwrap().to_owned();
    let headers: Vec<_> = lines.filter_map(|line| line.split_once(": ")).collect();
    let header = |name| headers.iter().find(|(n, _)| *n == name).map(|(_, value)| *value);
    assert_eq!(header("host"), Some("valetkey"));
    let length: usize = header("content-length").unwrap().parse().unwrap();
    if bytes.len() < end + length {
        return None;
    }
    let body = &bytes[end..end + length];
    if !body.is_empty() {
        assert_eq!(header("content-type"), Some("application/json"));
    }
    let body = (!body.is_empty()).then(|| serde_json::from_slice(body).unwrap());
    let request = Request { method: method.to_owned(), target, body, connection };
    bytes.drain(..end + length);
    Some(request)
}
