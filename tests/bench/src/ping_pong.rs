//! The bare exchange: two processes, a Unix socket, as many bytes as the real thing, and nothing in between.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use crate::Outcome;
use crate::relay::Exchange;

/// The first argument that makes this program the answering process.
pub(crate) const ROLE: &str = "as-ping-pong";

/// The answering process.
pub(crate) struct PingPong {
    child: Child,
    socket: PathBuf,
    request: usize,
    answer: usize,
}

impl PingPong {
    /// Starts it at this path, with the sizes of this exchange.
    pub(crate) fn start(socket: &Path, seen: &Exchange) -> Outcome<Self> {
        let (request, answer) = (seen.request.len(), seen.answer.len());
        let (child, _) = start_role(ROLE, socket, &[request, answer])?;
        Ok(Self { child, socket: socket.to_owned(), request, answer })
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Of its requests and answers.
    pub(crate) fn sizes(&self) -> [usize; 2] {
        [self.request, self.answer]
    }

    /// A connection to it.
    pub(crate) fn connect(&self) -> Outcome<Caller> {
        let stream = UnixStream::connect(&self.socket)?;
        Ok(Caller::over(stream, vec![b'q'; self.request], self.answer))
    }
}

/// Starts this program in another role, and connects to it.
pub(crate) fn start_role(
    role: &str,
    socket: &Path,
    sizes: &[usize],
) -> Outcome<(Child, UnixStream)> {
    let child = Command::new(std::env::current_exe()?)
        .arg(role)
        .arg(socket)
        .args(sizes.iter().map(usize::to_string))
        .spawn()?;
    loop {
        if let Ok(stream) = UnixStream::connect(socket) {
            return Ok((child, stream));
        }
        // sleep: nothing tells when another process begins to listen but trying to connect.
        thread::sleep(Duration::from_millis(1));
    }
}

impl Drop for PingPong {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends the same request again and again, and reads answers of a known length without looking at them.
pub(crate) struct Caller {
    stream: UnixStream,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Caller {
    pub(crate) fn over(stream: UnixStream, request: Vec<u8>, answer: usize) -> Self {
        Self { stream, request, answer: vec![0; answer] }
    }

    pub(crate) fn send(&mut self) -> std::io::Result<()> {
        self.stream.write_all(&self.request)
    }

    pub(crate) fn receive(&mut self) -> std::io::Result<&[u8]> {
        self.stream.read_exact(&mut self.answer)?;
        Ok(&self.answer)
    }

    /// One exchange.
    pub(crate) fn call(&mut self) -> Outcome {
        self.send()?;
        self.receive()?;
        Ok(())
    }
}

/// The answering process: a thread for each connection, one system call for each direction.
pub(crate) fn serve(arguments: &[String]) -> Outcome {
    let [socket, request, answer] = arguments else {
        return Err("the ping-pong wants a socket and two sizes".into());
    };
    let (request, answer) = (request.parse()?, answer.parse()?);
    for stream in UnixListener::bind(socket)?.incoming() {
        let stream = stream?;
        thread::spawn(move || bounce(stream, request, answer));
    }
    Ok(())
}

fn bounce(mut stream: UnixStream, request: usize, answer: usize) {
    let (mut request, answer) = (vec![0; request], vec![b'a'; answer]);
    while stream.read_exact(&mut request).is_ok() && stream.write_all(&answer).is_ok() {}
}
