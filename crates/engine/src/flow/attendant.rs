//! Who takes part in a flow: a program, by way of a connection.

use std::sync::{Arc, Weak};

use valetkey_model::ProcessId;

/// A program at the other end of a connection. It attends to its flows for as long as the connection is open.
#[derive(Clone, Debug)]
pub struct Attendant {
    process: Option<ProcessId>,
    connection: Weak<()>,
}

impl Attendant {
    /// Of a connection that lets go of `connection` when it is closed.
    pub fn new(process: Option<ProcessId>, connection: &Arc<()>) -> Self {
        Self { process, connection: Arc::downgrade(connection) }
    }

    /// The process, where the platform tells.
    pub fn process(&self) -> Option<ProcessId> {
        self.process
    }

    /// True while the connection is open.
    pub fn is_there(&self) -> bool {
        self.connection.strong_count() > 0
    }

    /// Where the platform tells no process, the connection stands for the program.
    pub fn is_same_program(&self, other: &Self) -> bool {
        match (self.process, other.process) {
            (Some(one), Some(other)) => one == other,
            _ => self.connection.ptr_eq(&other.connection),
        }
    }
}
