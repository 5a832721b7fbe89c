//! What other programs of the same user may want to know.

use tokio::sync::broadcast;
use valetkey_model::{AccountId, ClientId, ScopeSet, UnixTime};

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
    /// The cache was handed out in clear.
    CacheExported,
    /// A program may use an account, or may not any more.
    GrantChanged,
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
