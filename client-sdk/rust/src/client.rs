//! The client for tokio: connections, and what happens when one is gone.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use valetkey_ipc::{ConnectError, Endpoint, Stream};

use crate::call::Call;
use crate::connection::{Broken, Connection, Pool};
use crate::error::Error;
use crate::flow::Flows;
use crate::start::{Starting, may_start};
use crate::talk::{Errand, Talk};

/// The way to the daemon. Cloning is cheap, and clones share their connections.
///
/// Calls may be dropped at any time: their connection is closed with them, and what the daemon began for them goes on there;
/// [`Client::finish_flow`] alone cancels what it waited for. There is no time limit but the daemon's own; wrap a call in
/// `tokio::time::timeout` to have one. The runtime must have I/O and time enabled, and a client stays with the runtime it was
/// first used on.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    may_start: bool,
    idle: Pool<Stream>,
    flows: Flows,
    /// One start at a time in this process.
    starting: tokio::sync::Mutex<()>,
}

impl Client {
    /// A client of this user's daemon, which is started at the first call if need be and if `VALETKEY_AUTOSTART` is not `0`.
    ///
    /// # Errors
    /// When the environment names no endpoint.
    pub fn new() -> Result<Self, Error> {
        let endpoint = Endpoint::of_this_user().map_err(Error::no_daemon)?;
        let may_start = may_start(&endpoint);
        Ok(Self::build(endpoint, may_start))
    }

    /// A client of the daemon at this endpoint, which is never started.
    pub fn at(endpoint: Endpoint) -> Self {
        Self::build(endpoint, false)
    }

    fn build(endpoint: Endpoint, may_start: bool) -> Self {
        let starting = tokio::sync::Mutex::new(());
        Self(Arc::new(Inner {
            endpoint,
            may_start,
            idle: Pool::new(),
            flows: Flows::default(),
            starting,
        }))
    }

    /// Where the daemon is looked for.
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Asks over a kept-alive connection; when that turns out to be closed, once more over a new one. A daemon that is just
    /// ending still takes new connections, and closes them unheard: what may be repeated is asked once more, of the next one.
    pub(crate) async fn run<T: DeserializeOwned>(
        &self,
        errand: &Errand<'_, T>,
    ) -> Result<T, Error> {
        if let Some(idle) = self.0.idle.take() {
            let mut talk = Talk::begin(errand, &idle.opened);
            match self.talk_over(idle, &mut talk).await {
                Err(Broken::Gone(_)) => self.0.idle.clear(),
                outcome => return outcome?,
            }
        }
        match self.talk_anew(errand).await {
            Err(Broken::Gone(_)) => self.talk_anew(errand).await?,
            outcome => outcome?,
        }
    }

    pub(crate) async fn call<T: DeserializeOwned>(&self, call: Call<T>) -> Result<T, Error> {
        self.run(&Errand::Plain(call)).await
    }

    async fn talk_anew<T: DeserializeOwned>(
        &self,
        errand: &Errand<'_, T>,
    ) -> Result<Result<T, Error>, Broken> {
        let fresh = self.connect().await?;
        let mut talk = Talk::begin(errand, &fresh.opened);
        match self.talk_over(fresh, &mut talk).await {
            Err(Broken::Gone(error)) if !talk.is_repeatable() => Err(Broken::Failed(error)),
            outcome => outcome,
        }
    }

    async fn talk_over<T: DeserializeOwned>(
        &self,
        mut connection: Connection<Stream>,
        talk: &mut Talk<'_, T>,
    ) -> Result<Result<T, Error>, Broken> {
        loop {
            let (answer, here) = connection.exchange(talk.request()).await?;
            if let Some(told) = talk.take(answer, here)? {
                return Ok(self.0.idle.put_back(connection, told));
            }
        }
    }

    /// A new connection; the daemon is started if nobody listens.
    pub(crate) async fn connect(&self) -> Result<Connection<Stream>, Error> {
        match self.try_connect().await {
            Err(ConnectError::NotRunning { .. }) if self.0.may_start => self.start().await,
            outcome => outcome.map_err(Error::no_daemon),
        }
    }

    async fn start(&self) -> Result<Connection<Stream>, Error> {
        let _alone = self.0.starting.lock().await;
        let mut starting = None;
        loop {
            match self.try_connect().await {
                Ok(connection) if starting.is_some() => match connection.prove().await {
                    Err(Broken::Gone(_)) => {}
                    outcome => return Ok(outcome?),
                },
                Err(ConnectError::NotRunning { .. }) => {}
                outcome => return outcome.map_err(Error::no_daemon),
            }
            let starting: &mut Starting = match &mut starting {
                Some(starting) => starting,
                none => none.insert(Starting::begin(&self.0.endpoint)?),
            };
            tokio::time::sleep(starting.next_wait()?).await;
        }
    }

    pub(crate) fn flows(&self) -> &Flows {
        &self.0.flows
    }

    async fn try_connect(&self) -> Result<Connection<Stream>, ConnectError> {
        valetkey_ipc::connect(&self.0.endpoint).await.map(Connection::new)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Client").field(&self.0.endpoint).finish()
    }
}
