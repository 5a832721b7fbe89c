//! Who is at the other end of a connection.

use std::fmt;

use valetkey_model::{Caller, Parent, Program};

use crate::interpreter::is_interpreter;
use crate::platform;

/// The process that connected. The platform's handle to it is held for as long as this value lives, so that its number cannot
/// come to mean another process unnoticed.
pub struct Peer {
    caller: Caller,
    process: platform::Process,
}

impl Peer {
    pub(crate) fn new(caller: Caller, process: platform::Process) -> Self {
        Self { caller, process }
    }

    /// Who it is, as the kernel said when it connected.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Whether the process that connected still runs. What speaks may be a child of it that has the socket.
    pub fn is_running(&self) -> bool {
        self.process.is_running()
    }

    /// Whether its executable, as far as it is told, says what it runs. No system call is made for it: other reasons against that
    /// are in [`Self::describe`].
    pub fn is_told_by_path(&self) -> bool {
        self.caller.program.as_deref().is_some_and(|path| !is_interpreter(path))
    }

    /// What its program looks like at this moment: some system calls on files that are in memory.
    pub fn describe(&self) -> Program {
        self.process.describe(&self.caller)
    }

    /// The name of the file that an interpreter says it runs. Nothing may depend on it.
    pub fn script(&self) -> Option<String> {
        self.process.script()
    }

    /// The processes that it comes from, its parent first; empty where they are not told, or once it has ended.
    pub fn parents(&self) -> Vec<Parent> {
        self.process.parents()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").field(&self.caller).finish()
    }
}
