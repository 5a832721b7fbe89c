//! A sign of life while a person is awaited, on a terminal only.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::console::Console;

/// Turns until it is dropped, and leaves nothing behind.
pub(crate) struct Spinner(Option<(mpsc::Sender<()>, JoinHandle<()>)>);

impl Spinner {
    pub(crate) fn start(console: &Console, label: &'static str) -> Self {
        if console.stderr_width.is_none() || console.is_json() {
            return Self(None);
        }
        let (stop, stopped) = mpsc::channel();
        Self(Some((stop, thread::spawn(move || turn(label, &stopped)))))
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.0.take() {
            drop(stop);
            // A panic in there would be about drawing, which matters to nobody here.
            let _ = thread.join();
        }
    }
}

fn turn(label: &str, stopped: &mpsc::Receiver<()>) {
    for frame in FRAMES.chars().cycle() {
        eprint!("\r{frame} {label}");
        if stopped.recv_timeout(STEP) != Err(RecvTimeoutError::Timeout) {
            break;
        }
    }
    eprint!("\r\x1b[K");
}

const FRAMES: &str = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏";
const STEP: Duration = Duration::from_millis(100);
