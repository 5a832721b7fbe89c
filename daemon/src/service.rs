//! Whom this daemon is for. One of a user's own is that user's, and the listener sees to it. The system's looks its users up:
//! the configuration names them, and the kernel has said of each connection whose it is.
//!
//! Names are looked up on a thread that may hang, a minute apart, so that who has joined a group or left the directory is
//! known without a restart. Until they are known, those alone are let in who need no look-up.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Mutex as AsyncMutex;
use valetkey_model::{Caller, UnixTime};
use valetkey_policy::{
    Clientele, Members, ServiceDenial, Users, decide_connection, decide_on_shared_administration,
};

use crate::config::{self, ServiceConfig, UserName};
use crate::configuration::{Configuration, Epoch};
use crate::file_work::FileWork;
use crate::session::Session;
use crate::users::{find_members, numbered_members};

/// Whom a daemon is for.
pub struct Service {
    serves_several: bool,
    look_ups: FileWork,
    looking: AsyncMutex<()>,
    known: Mutex<Option<Known>>,
}

#[derive(Clone)]
struct Known {
    clientele: Arc<Clientele>,
    /// Those whom the configuration names and the machine does not know.
    missing: Vec<UserName>,
    /// By the configuration of this epoch.
    epoch: Arc<Epoch>,
    at: UnixTime,
    /// How often it has changed.
    number: u64,
}

impl Known {
    fn holds(&self, now: UnixTime) -> bool {
        !self.epoch.is_over() && (0..LOOK_UP_SECONDS).contains(&now.seconds_since(self.at))
    }
}

impl Service {
    /// For several users, or for the daemon's own.
    pub fn new(serves_several: bool) -> Self {
        let (look_ups, looking) = (FileWork::default(), AsyncMutex::default());
        Self { serves_several, look_ups, looking, known: Mutex::default() }
    }

    /// Whether other users than the daemon's own are served.
    pub fn serves_several(&self) -> bool {
        self.serves_several
    }

    /// Whether a connection's user is served, by what is in force at this moment.
    ///
    /// # Errors
    /// When the service is for others.
    pub async fn admit(
        &self,
        session: &Session,
        configuration: &Configuration,
        now: UnixTime,
    ) -> Result<(), ServiceDenial> {
        if !self.serves_several {
            return Ok(());
        }
        let known = self.look(configuration, now).await;
        if session.is_admitted_by(known.number) {
            return Ok(());
        }
        decide_connection(&known.clientele, session.caller())?;
        session.remember_admission(known.number);
        Ok(())
    }

    /// Whether a connection's user sees to what all users share.
    ///
    /// # Errors
    /// When others do.
    pub async fn admit_to_administration(
        &self,
        session: &Session,
        configuration: &Configuration,
        now: UnixTime,
    ) -> Result<(), ServiceDenial> {
        if !self.serves_several {
            return decide_on_shared_administration(&Clientele::OwnUser, session.caller());
        }
        let known = self.look(configuration, now).await;
        decide_on_shared_administration(&known.clientele, session.caller())
    }

    /// Whether the service is known to be for others than this caller, without looking anybody up.
    pub fn is_known_stranger(&self, caller: &Caller) -> bool {
        let known = self.known();
        known.as_ref().is_some_and(|known| decide_connection(&known.clientele, caller).is_err())
    }

    async fn look(&self, configuration: &Configuration, now: UnixTime) -> Known {
        if let Some(known) = self.recall(now) {
            return known;
        }
        let _alone = self.looking.lock().await;
        if let Some(known) = self.recall(now) {
            return known;
        }
        let in_force = configuration.in_force();
        let (config, epoch) = (in_force.config().service.clone(), Arc::clone(in_force.epoch()));
        let current = Arc::new(Mutex::new(String::new()));
        let (asked, told) = (config.clone(), Arc::clone(&current));
        let work = move || look_up(&asked, &told);
        let found = self.look_ups.perform("the users of the service", work).await;
        let (clientele, missing) = found.unwrap_or_else(|error| {
            let user = current.lock().unwrap_or_else(PoisonError::into_inner);
            tracing::warn!(%error, %user, "the users of the service cannot be looked up; those with a number alone are let in");
            (without_names(&config), Vec::new())
        });
        self.remember(clientele, missing, epoch, now)
    }

    fn recall(&self, now: UnixTime) -> Option<Known> {
        self.known().clone().filter(|known| known.holds(now))
    }

    fn remember(
        &self,
        clientele: Clientele,
        missing: Vec<UserName>,
        epoch: Arc<Epoch>,
        now: UnixTime,
    ) -> Known {
        let mut known = self.known();
        let were_missing = known.as_ref().map(|before| &before.missing[..]).unwrap_or_default();
        for user in missing.iter().filter(|user| !were_missing.contains(user)) {
            tracing::warn!(%user, "[service] names one who is none of this machine's; mend the name, or take it out");
        }
        let number = match &*known {
            Some(before) if *before.clientele == clientele => before.number,
            Some(before) => before.number + 1,
            // Zero is what a session has that nobody has decided about.
            None => 1,
        };
        let clientele = Arc::new(clientele);
        known.insert(Known { clientele, missing, epoch, at: now, number }).clone()
    }

    fn known(&self) -> MutexGuard<'_, Option<Known>> {
        // Nothing under this lock can panic half-way.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whom the configuration means, and those whom the machine does not know. `current` has at each moment who is looked up.
fn look_up(config: &ServiceConfig, current: &Mutex<String>) -> (Clientele, Vec<UserName>) {
    let begin = |user: &UserName| {
        *current.lock().unwrap_or_else(PoisonError::into_inner) = user.to_string();
    };
    let mut missing = Vec::new();
    let find = |listed: &_| find_members(listed, begin, |user| missing.push(user.clone()));
    let clientele = clientele(config, find);
    (clientele, missing)
}

fn without_names(config: &ServiceConfig) -> Clientele {
    clientele(config, numbered_members)
}

/// Where the section is gone since the start, nobody is named by it.
fn clientele(
    config: &ServiceConfig,
    mut find: impl FnMut(&config::Members) -> Members,
) -> Clientele {
    let users = match &config.users {
        Some(config::Users::Everybody(config::Everybody::All)) => Users::All,
        Some(config::Users::Listed(listed)) => Users::Listed(find(listed)),
        None => Users::Listed(Members::default()),
    };
    Clientele::Several { users, administrators: find(&config.administrators) }
}

/// How long what was looked up is believed.
const LOOK_UP_SECONDS: i64 = 60;
