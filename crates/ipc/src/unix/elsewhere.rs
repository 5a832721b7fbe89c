//! Processes where nothing of them is told: macOS and the BSDs.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use valetkey_model::{Caller, Executable, FileId, Parent, ProcessId, Program, Unidentified};

/// A process of which nothing is known but that it connected.
pub(crate) struct Process;

impl Process {
    pub(crate) fn of_peer(_socket: BorrowedFd<'_>, _number: Option<i32>) -> Self {
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

    pub(crate) fn describe(&self, _caller: &Caller) -> Program {
        Program::unidentified(None, Unidentified::Hidden)
    }

    pub(crate) fn parents(&self) -> Vec<Parent> {
        Vec::new()
    }
}
