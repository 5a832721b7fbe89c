//! What one connection has opened.
//!
//! A public application is open to every program of its user. A confidential one is open to the processes that brought its
//! credential (`in_memory.rs` knows which), or that the configuration's rules let use it; its id alone, wherever it shows, opens
//! nothing.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use valetkey_engine::{AppId, Attendant};
use valetkey_ipc::Peer;
use valetkey_model::{Caller, Partition, ProcessId};
use valetkey_policy::Asker;

use crate::configuration::Epoch;
use crate::in_memory::Use;
use crate::share::Share;

/// A connection, and who is at its other end.
pub struct Session {
    /// As the kernel says.
    peer: Peer,
    /// What the user of the connection may use up.
    share: Arc<Share>,
    /// Gone when the connection is.
    presence: Arc<()>,
    /// The applications whose tokens are not in the user's shared cache.
    opened: Mutex<HashMap<AppId, Opened>>,
    /// The process, where the path of its executable does not tell what it runs: two scripts are two programs.
    own_process: Option<ProcessId>,
    /// A digest of what was last noted of it for the record.
    last_noted: AtomicU64,
    /// Who asks, as the policy sees it where it looks at the user alone.
    asker: Arc<Asker>,
    /// The same where it looks at the program, for as long as the rules are the same.
    described: Mutex<Option<(Arc<Epoch>, Arc<Asker>)>>,
    /// Keeps what the user's programs share in memory, where it would leave.
    home: OnceLock<Use>,
    /// By which look at the service's users it was let in; zero for none.
    admitted_by: AtomicU64,
}

/// An application that a connection may use, and where its tokens are.
pub struct Opened {
    /// Where.
    pub partition: Partition,
    /// Keeps it in memory.
    pub in_use: Use,
    /// By what, when not by its credential.
    pub declared: Option<Declared>,
}

/// By what a connection may use an application whose credential it has not brought.
#[derive(Clone, Debug)]
pub struct Declared {
    /// Its name in the configuration.
    pub name: String,
    /// How long the decision holds, and the secrets that it rests on: as long as none of these is over.
    pub epochs: Vec<Arc<Epoch>>,
}

impl Opened {
    /// A decision of another configuration is none: the application is opened again, and decided on anew.
    fn holds(&self) -> bool {
        let epochs = self.declared.iter().flat_map(|declared| &declared.epochs);
        !epochs.into_iter().any(|epoch| epoch.is_over())
    }
}

impl Session {
    /// A new connection of `peer`'s.
    pub fn new(peer: Peer, share: Arc<Share>) -> Self {
        Self {
            asker: Asker::plain(peer.caller()),
            own_process: peer.caller().process.filter(|_| !peer.is_told_by_path()),
            peer,
            share,
            presence: Arc::default(),
            opened: Mutex::default(),
            last_noted: AtomicU64::default(),
            described: Mutex::default(),
            home: OnceLock::new(),
            admitted_by: AtomicU64::default(),
        }
    }

    /// What the user of the connection may use up.
    pub fn share(&self) -> &Share {
        &self.share
    }

    /// Who is at the other end.
    pub fn caller(&self) -> &Caller {
        self.peer.caller()
    }

    /// The same, as the engine wants to know of who signs in.
    pub fn attendant(&self) -> Attendant {
        Attendant::new(self.caller().process, &self.presence)
    }

    /// The program at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Who asks, where the policy looks at no more than the user.
    pub fn asker(&self) -> &Arc<Asker> {
        &self.asker
    }

    /// Who asks, as it was described while these rules were in force.
    pub fn described_asker(&self, epoch: &Arc<Epoch>) -> Option<Arc<Asker>> {
        let described = self.described.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, asker) = described.as_ref().filter(|(then, _)| Arc::ptr_eq(then, epoch))?;
        Some(Arc::clone(asker))
    }

    /// Keeps a description of who asks for as long as these rules are in force.
    pub fn describe_asker(&self, epoch: &Arc<Epoch>, asker: &Arc<Asker>) {
        let described = Some((Arc::clone(epoch), Arc::clone(asker)));
        *self.described.lock().unwrap_or_else(PoisonError::into_inner) = described;
    }

    /// By what else than the path of its executable the program is another one than others.
    pub fn own_process(&self) -> Option<ProcessId> {
        self.own_process
    }

    /// Whether what is noted of this connection, by a digest, is not what was noted last.
    pub fn is_news(&self, digest: u64) -> bool {
        self.last_noted.swap(digest, Ordering::Relaxed) != digest
    }

    /// Whether it was let in by this look at the service's users.
    pub fn is_admitted_by(&self, look: u64) -> bool {
        self.admitted_by.load(Ordering::Relaxed) == look
    }

    /// Remembers that it was.
    pub fn remember_admission(&self, look: u64) {
        self.admitted_by.store(look, Ordering::Relaxed);
    }

    /// Keeps what the user's programs share in memory for as long as the connection is there.
    pub fn stay(&self, enter: impl FnOnce(&Partition) -> Use) {
        self.home.get_or_init(|| enter(&self.caller().partition));
    }

    /// Remembers that this connection may use an application.
    pub fn remember(&self, app: AppId, opened: Opened) {
        self.opened().insert(app, opened);
    }

    /// Where the tokens of an application are that this connection has opened.
    pub fn find(&self, app: &AppId) -> Option<Partition> {
        let opened = self.opened();
        opened.get(app).filter(|opened| opened.holds()).map(|opened| opened.partition.clone())
    }

    /// The name in the configuration by which an application was opened.
    pub fn name_of(&self, app: &AppId) -> Option<String> {
        let opened = self.opened();
        opened.get(app)?.declared.as_ref().map(|declared| declared.name.clone())
    }

    /// Forgets an application.
    pub fn forget(&self, app: &AppId) {
        self.opened().remove(app);
    }

    /// Everywhere that this connection may look: the user's shared cache first.
    pub fn partitions(&self) -> Vec<Partition> {
        let mut partitions = vec![self.caller().partition.clone()];
        partitions.extend(self.apps().into_iter().map(|(_, partition)| partition));
        partitions
    }

    /// The applications of [`Session::remember`].
    pub fn apps(&self) -> Vec<(AppId, Partition)> {
        let opened = self.opened();
        let holding = opened.iter().filter(|(_, opened)| opened.holds());
        holding.map(|(app, opened)| (app.clone(), opened.partition.clone())).collect()
    }

    fn opened(&self) -> MutexGuard<'_, HashMap<AppId, Opened>> {
        // Nothing under this lock can panic half-way.
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
