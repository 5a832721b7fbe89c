//! How many bytes a real exchange has: a relay between an SDK and the daemon that counts.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::Outcome;

/// What goes over the socket for one call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) request: usize,
    pub(crate) answer: usize,
}

/// Calls through a relay, and tells the sizes of the last exchange and its request.
pub(crate) fn observe(
    daemon: &Path,
    folder: &Path,
    call: impl FnOnce(&Path) -> Outcome,
) -> Outcome<(Sizes, Vec<u8>)> {
    let socket = folder.join("relay.sock");
    let _ = std::fs::remove_file(&socket);
    let listener = UnixListener::bind(&socket)?;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (upstream, recorder) = (daemon.to_owned(), Arc::clone(&seen));
    // It ends with the program; a relay that waits costs nothing.
    thread::spawn(move || accept(&listener, &upstream, &recorder));
    call(&socket)?;
    let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    let sizes = Sizes { request: seen.request.len(), answer: seen.answer };
    Ok((sizes, seen.request.clone()))
}

/// The exchange that is under way.
#[derive(Default)]
struct Seen {
    request: Vec<u8>,
    answer: usize,
}

fn accept(listener: &UnixListener, daemon: &PathBuf, seen: &Arc<Mutex<Seen>>) {
    for client in listener.incoming().flatten() {
        let Ok(upstream) = UnixStream::connect(daemon) else { return };
        let pair = || Some((client.try_clone().ok()?, upstream.try_clone().ok()?));
        let (Some((from, to)), Some((back, source))) = (pair(), pair()) else { return };
        let (up, down) = (Arc::clone(seen), Arc::clone(seen));
        thread::spawn(move || pump(from, to, |bytes| record_request(&up, bytes)));
        thread::spawn(move || {
            pump(source, back, |bytes| {
                down.lock().unwrap_or_else(PoisonError::into_inner).answer += bytes.len();
            });
        });
    }
}

fn record_request(seen: &Mutex<Seen>, bytes: &[u8]) {
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    if seen.answer > 0 {
        *seen = Seen::default();
    }
    seen.request.extend_from_slice(bytes);
}

/// Counts before it passes on, so that whoever has an answer finds it counted.
fn pump(mut from: UnixStream, mut to: UnixStream, count: impl Fn(&[u8])) {
    let mut buffer = [0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        count(&buffer[..length]);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}
