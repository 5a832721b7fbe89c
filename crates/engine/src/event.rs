//! What other programs of the same user may want to know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use valetkey_model::{AccountId, ClientId, Partition, ScopeSet, UnixTime};

use crate::application::{AppId, ClientApplication};

/// How many events a slow reader may fall behind before it misses some.
const BACKLOG: usize = 256;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// Only a person's sign-in can bring the token that was asked for.
    SignInNeeded,
    /// Somebody signed in.
    SignedIn,
    /// A token was refreshed.
    Refreshed,
    /// Somebody signed out.
    SignedOut,
    /// What another library cached was taken over: there may be other accounts.
    CacheImported,
    /// The cache was handed out in clear.
    CacheExported,
    /// A program may use an account, or may not any more.
    GrantChanged,
    /// Keys and tokens were dropped from memory.
    Locked,
    /// They can be had again.
    Unlocked,
}

/// One event. It carries no user name and no secret.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub happening: Happening,
    /// When.
    pub at: UnixTime,
    /// To which application; none when it happened to the cache as a whole.
    pub app: Option<AppId>,
    /// Its client id.
    pub client_id: Option<ClientId>,
    /// To which account.
    pub account: Option<AccountId>,
    /// For which scopes.
    pub scopes: ScopeSet,
}

/// The events of all users. They outlive what the engine has in memory of a user, which a lock or idleness takes from there: whoever
/// listens goes on to.
#[derive(Default)]
pub(crate) struct AllEvents(Mutex<HashMap<Partition, Arc<Events>>>);

impl AllEvents {
    pub(crate) fn of(&self, user: &Partition) -> Arc<Events> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MANY {
            all.retain(|_, events| Arc::strong_count(events) > 1 || events.0.receiver_count() > 0);
        }
        Arc::clone(all.entry(user.clone()).or_default())
    }

    /// Of something that is about each user who is meant.
    pub(crate) fn tell(
        &self,
        happening: Happening,
        at: UnixTime,
        is_meant: impl Fn(&Partition) -> bool,
    ) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, events) in all.iter().filter(|(user, _)| is_meant(user)) {
            events.tell_of_user(happening, at, None);
        }
    }
}

/// Users, before those are forgotten to whom nobody listens.
const MANY: usize = 256;

/// The events of one user.
pub(crate) struct Events(broadcast::Sender<Event>);

impl Default for Events {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Events {
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.0.subscribe()
    }

    pub(crate) fn tell(
        &self,
        happening: Happening,
        at: UnixTime,
        app: &ClientApplication,
        account: Option<&AccountId>,
        scopes: &ScopeSet,
    ) {
        let event = Event {
            happening,
            at,
            app: Some(app.id().clone()),
            client_id: Some(app.definition().client_id.clone()),
            account: account.cloned(),
            scopes: scopes.clone(),
        };
        self.send(event);
    }

    /// Of something that is about no application.
    pub(crate) fn tell_of_user(
        &self,
        happening: Happening,
        at: UnixTime,
        account: Option<AccountId>,
    ) {
        let (app, client_id) = (None, None);
        let scopes = ScopeSet::default();
        self.send(Event { happening, at, app, client_id, account, scopes });
    }

    fn send(&self, event: Event) {
        // Nobody listening is not a failure.
        let _ = self.0.send(event);
    }
}
