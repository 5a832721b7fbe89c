//! A gate that a test closes, so that it can look at what waits behind it.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

/// Open at first. Whoever comes while it is closed is held until it opens.
pub struct Gate {
    is_open: watch::Sender<bool>,
    held: AtomicUsize,
}

impl Default for Gate {
    fn default() -> Self {
        Self { is_open: watch::Sender::new(true), held: AtomicUsize::new(0) }
    }
}

impl Gate {
    /// Holds whoever comes from now on.
    pub fn close(&self) {
        self.is_open.send_replace(false);
    }

    /// Lets everyone through, those who wait already too.
    pub fn open(&self) {
        self.is_open.send_replace(true);
    }

    /// How many wait.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Goes through, as soon as the gate is open.
    pub async fn pass(&self) {
        let _counted = Counted::new(&self.held);
        // The sender lives in `self`, so the channel cannot close meanwhile.
        let _ = self.is_open.subscribe().wait_for(|is_open| *is_open).await;
    }
}

/// Counts a waiting one, also when it gives up.
struct Counted<'a>(&'a AtomicUsize);

impl<'a> Counted<'a> {
    fn new(held: &'a AtomicUsize) -> Self {
        held.fetch_add(1, Ordering::Relaxed);
        Self(held)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
