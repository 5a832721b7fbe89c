//! What other programs of the same user may want to know.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::broadcast;
use valetkey_model::{AccountId, ClientId, Partition, ScopeSet, UnixTime};
use valetkey_policy::{Account, Application, Subject as _};

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

/// One event. It carries no secret.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub happening: Happening,
    /// When.
    pub at: UnixTime,
    /// To which application; none when it happened to the cache as a whole.
    pub app: Option<EventApp>,
    /// To which account.
    pub account: Option<EventAccount>,
    /// For which scopes.
    pub scopes: ScopeSet,
}

/// The application that an event is about, also as rules know it.
#[derive(Clone, Debug)]
pub struct EventApp {
    /// Its id here.
    pub id: AppId,
    /// RFC 6749 `client_id`.
    pub client_id: ClientId,
    environment: String,
    name: Option<String>,
    is_shared: bool,
}

/// The account that an event is about, also as rules know it. The user name is for the policy alone, and as it was when it
/// happened: of who has signed out, nothing is there to be looked up.
#[derive(Clone, Debug)]
pub struct EventAccount {
    /// Home account id.
    pub id: AccountId,
    /// The provider's name in the cache.
    pub environment: String,
    /// What the person knows it by.
    pub username: Arc<str>,
}

impl EventApp {
    fn of(app: &ClientApplication) -> Self {
        let Application { environment, name, is_shared, .. } = app.definition().application();
        Self {
            id: app.id().clone(),
            client_id: app.definition().client_id.clone(),
            environment: environment.to_owned(),
            name: name.map(str::to_owned),
            is_shared,
        }
    }

    /// As far as the policy looks at it.
    pub fn for_policy(&self) -> Application<'_> {
        Application {
            client_id: self.client_id.as_str(),
            environment: &self.environment,
            name: self.name.as_deref(),
            is_shared: self.is_shared,
        }
    }
}

impl EventAccount {
    /// As far as the policy looks at it.
    pub fn for_policy(&self) -> Account<'_> {
        Account { environment: &self.environment, id: &self.id, username: &self.username }
    }
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
        account: Option<EventAccount>,
        scopes: &ScopeSet,
    ) {
        let (app, scopes) = (Some(EventApp::of(app)), scopes.clone());
        self.send(Event { happening, at, app, account, scopes });
    }

    /// Of something that is about no application.
    pub(crate) fn tell_of_user(
        &self,
        happening: Happening,
        at: UnixTime,
        account: Option<EventAccount>,
    ) {
        self.send(Event { happening, at, app: None, account, scopes: ScopeSet::default() });
    }

    fn send(&self, event: Event) {
        // Nobody listening is not a failure.
        let _ = self.0.send(event);
    }
}
