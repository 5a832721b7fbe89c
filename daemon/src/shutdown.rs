//! Stopping: asked for by a signal, heard by everything that waits. And the signal that asks for the configuration to be
//! read anew, which must not stop anything.

use std::io;

use tokio::sync::watch;

/// What the process is told by a signal waits for as long as this is there. Until it can hear, each of them would end it: a
/// request to read the configuration anew, too.
#[derive(Debug)]
pub struct HeldSignals(());

impl HeldSignals {
    /// Holds them back from the call on, in this thread and in those and the processes that it starts. The first line of `main` is
    /// the place.
    pub fn hold() -> Self {
        #[cfg(unix)]
        // Fails for no set of signals that there are.
        let _ = held().thread_block();
        Self(())
    }

    /// Lets go of those that a process has inherited from a thread that holds them.
    #[cfg(unix)]
    pub fn release() {
        let _ = held().thread_unblock();
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        #[cfg(unix)]
        Self::release();
    }
}

#[cfg(unix)]
fn held() -> nix::sys::signal::SigSet {
    use nix::sys::signal::Signal;

    [Signal::SIGHUP, Signal::SIGINT, Signal::SIGTERM].into_iter().collect()
}

/// Asks everything to stop.
#[derive(Debug)]
pub struct Shutdown(watch::Sender<bool>);

/// Hears when everything is to stop. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct ShutdownSignal(watch::Receiver<bool>);

impl Shutdown {
    /// A switch that nobody has pressed.
    pub fn new() -> (Self, ShutdownSignal) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), ShutdownSignal(receiver))
    }

    /// Presses it.
    pub fn request(&self) {
        self.0.send_replace(true);
    }
}

impl ShutdownSignal {
    /// Resolves when stopping was asked for, at once if it was before.
    pub async fn requested(&mut self) {
        // An error means that nobody is left who could ask, which is the end as well.
        let _ = self.0.wait_for(|requested| *requested).await;
    }

    /// True from the moment when stopping was asked for.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

/// Watches, from the call on, for the system or the person at the terminal to end the process; the future resolves then.
///
/// # Errors
/// When the signals cannot be watched.
#[cfg(unix)]
pub fn watch_for_termination() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Watches, from the call on, for the system or the person at the terminal to end the process; the future resolves then.
///
/// # Errors
/// When the signals cannot be watched.
#[cfg(windows)]
pub fn watch_for_termination() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

    let (mut interrupt, mut stop) = (ctrl_c()?, ctrl_break()?);
    let (mut close, mut end_of_system) = (ctrl_close()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = stop.recv() => {}
            _ = close.recv() => {}
            _ = end_of_system.recv() => {}
        }
    })
}

/// Each time that somebody asks for the configuration to be read anew.
#[cfg(unix)]
pub struct Reloads(tokio::signal::unix::Signal);

/// Elsewhere nobody can ask; a changed file is seen all the same.
#[cfg(not(unix))]
pub struct Reloads;

/// Watches, from the call on, for SIGHUP, as `systemctl --user reload` sends it.
///
/// # Errors
/// When the signal cannot be watched.
#[cfg(unix)]
pub fn watch_for_reloads() -> io::Result<Reloads> {
    use tokio::signal::unix::{SignalKind, signal};

    signal(SignalKind::hangup()).map(Reloads)
}

/// Watches for nothing.
///
/// # Errors
/// None; the signature is that of Unix.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of Unix")]
pub fn watch_for_reloads() -> io::Result<Reloads> {
    Ok(Reloads)
}

impl Reloads {
    /// Resolves at the next.
    #[cfg(unix)]
    pub async fn next(&mut self) {
        self.0.recv().await;
    }

    /// Never resolves.
    #[cfg(not(unix))]
    pub async fn next(&mut self) {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_listens_later_hears_it_too() {
        let (shutdown, signal) = Shutdown::new();
        let mut early = signal.clone();
        assert!(!signal.is_requested());
        shutdown.request();
        early.requested().await;
        signal.clone().requested().await;
        assert!(signal.is_requested());
    }
}
