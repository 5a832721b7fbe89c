//! What goes over the socket for a call: a relay between an SDK and the daemon that records it.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::Outcome;

/// What went over the socket for one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Exchange {
    pub(crate) request: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

impl Exchange {
    /// The length of the answer's body.
    pub(crate) fn body_length(&self) -> usize {
        let head = self.answer.windows(4).position(|window| window == b"\r\n\r\n");
        self.answer.len() - head.map_or(0, |end| end + 4)
    }

    /// For a row's name.
    pub(crate) fn describe(&self) -> String {
        format!("{} bytes out, {} back", self.request.len(), self.answer.len())
    }
}

/// Calls through a relay, and returns the last exchange.
pub(crate) fn observe(
    daemon: &Path,
    folder: &Path,
    call: impl FnOnce(&Path) -> Outcome,
) -> Outcome<Exchange> {
    let socket = folder.join("relay.sock");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket)?;
    let seen = Arc::new(Mutex::new(Exchange::default()));
    let (upstream, recorder) = (daemon.to_owned(), Arc::clone(&seen));
    // It ends with the program; a relay that waits costs nothing.
    thread::spawn(move || accept(&listener, &upstream, &recorder));
    call(&socket)?;
    Ok(seen.lock().unwrap_or_else(PoisonError::into_inner).clone())
}

fn accept(listener: &UnixListener, daemon: &PathBuf, seen: &Arc<Mutex<Exchange>>) {
    for client in listener.incoming().flatten() {
        let Ok(upstream) = UnixStream::connect(daemon) else { return };
        let pair = || Some((client.try_clone().ok()?, upstream.try_clone().ok()?));
        let (Some((from, to)), Some((back, source))) = (pair(), pair()) else { return };
        let (up, down) = (Arc::clone(seen), Arc::clone(seen));
        thread::spawn(move || pump(from, to, |bytes| record_request(&up, bytes)));
        thread::spawn(move || {
            pump(source, back, |bytes| {
                down.lock().unwrap_or_else(PoisonError::into_inner).answer.extend(bytes);
            });
        });
    }
}

fn record_request(seen: &Mutex<Exchange>, bytes: &[u8]) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if !seen.answer.is_empty() {
        *seen = Exchange::default();
    }
    seen.request.extend_from_slice(bytes);
}

/// Records before it passes on, so that whoever has an answer finds it recorded.
fn pump(mut from: UnixStream, mut to: UnixStream, record: impl Fn(&[u8])) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        record(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
