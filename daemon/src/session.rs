//! What one connection has opened.
//!
//! A public application is open to every program of its user. A confidential one is open to the connections that brought its
//! credential, or that the configuration's rules let use it; its id alone, wherever it shows, opens nothing.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use valetkey_engine::AppId;
use valetkey_model::{Caller, Partition};

/// A connection, and who is at its other end.
pub struct Session {
    /// As the kernel says.
    pub caller: Caller,
    /// The applications whose tokens are not in the user's shared cache, and where those are.
    opened: Mutex<HashMap<AppId, Partition>>,
}

impl Session {
    /// A new connection of `caller`'s.
    pub fn new(caller: Caller) -> Self {
        Self { caller, opened: Mutex::default() }
    }

    /// Remembers that this connection may use an application.
    pub fn remember(&self, app: AppId, partition: Partition) {
        self.opened().insert(app, partition);
    }

    /// Where the tokens of an application are that this connection has opened.
    pub fn find(&self, app: &AppId) -> Option<Partition> {
        self.opened().get(app).cloned()
    }

    /// Forgets an application.
    pub fn forget(&self, app: &AppId) {
        self.opened().remove(app);
    }

    /// Everywhere that this connection may look: the user's shared cache first.
    pub fn partitions(&self) -> Vec<Partition> {
        let mut partitions = vec![self.caller.partition.clone()];
        partitions.extend(self.opened().values().cloned());
        partitions
    }

    /// The applications of [`Session::remember`].
    pub fn apps(&self) -> Vec<(AppId, Partition)> {
        self.opened().iter().map(|(app, partition)| (app.clone(), partition.clone())).collect()
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<AppId, Partition>> {
        // Nothing under this lock can panic half-way.
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
