//! Being asked to end in the middle of the story: by Ctrl-C, by the system, or by whoever closes the terminal.

use std::io;

/// What ended the story: not a failure, but it does not go on either.
#[derive(Debug)]
pub struct Interrupted {
    /// What a shell reports of a program that the same signal ended.
    pub exit_code: u8,
}

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted; its daemon has ended and its folder is removed")
    }
}

impl std::error::Error for Interrupted {}

/// Watches, from the call on, for such a request; the future resolves then.
#[cfg(unix)]
pub fn watch() -> io::Result<impl Future<Output = Interrupted>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        let signal = tokio::select! {
            _ = hangup.recv() => 1,
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
        };
        Interrupted { exit_code: 128 + signal }
    })
}

/// Watches, from the call on, for such a request; the future resolves then.
#[cfg(windows)]
pub fn watch() -> io::Result<impl Future<Output = Interrupted>> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(async move {
        interrupt.recv().await;
        Interrupted { exit_code: 130 }
    })
}
