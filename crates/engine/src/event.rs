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
}

/// One event. It carries no user name and no secret.
#[derive(Clone, Debug)]
pub struct Event {
    /// What happened.
    pub happening: Happening,
    /// When.
    pub at: UnixTime,
    /// To which application.
    pub app: AppId,
    /// Its client id.
    pub client_id: ClientId,
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
            app: app.id().clone(),
            client_id: app.definition().client_id.clone(),
            account: account.cloned(),
            scopes: scopes.clone(),
        };
        // Nobody listening is not a failure.
        let _ = self.0.send(event);
    }
}
