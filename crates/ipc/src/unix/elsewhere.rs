//! Processes where nothing of them is told: macOS and the BSDs.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use valetkey_model::{Caller, Confinement, FileId, Parent, ProcessId, Program, Unidentified};

/// What is kept of a process that connected: nothing.
pub(crate) struct Handle;

impl Handle {
    pub(crate) fn of_peer(_socket: BorrowedFd<'_>, _number: Option<i32>) -> Self {
        Self
    }
}

/// A process of which nothing is known but that it connected.
pub(crate) struct Process;

impl Process {
    pub(crate) fn behind(_handle: Handle) -> Self {
        Self
    }

    pub(crate) fn id(&self) -> Option<ProcessId> {
        None
    }

    pub(crate) fn is_running(&self) -> bool {
        true
    }

    pub(crate) fn executable(&self) -> (Option<PathBuf>, Option<FileId>) {
        (None, None)
    }

    /// There are neither flatpaks nor snaps.
    pub(crate) fn describe(&self, _caller: &Caller) -> Program {
        Program::unidentified(None, Unidentified::Hidden, Confinement::Free)
    }

    pub(crate) fn script(&self) -> Option<String> {
        None
    }

    pub(crate) fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}
