//! The same client for a thread that waits: no runtime, one system call to ask and one to be answered.

use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use valetkey_ipc::{BlockingStream, ConnectError, Endpoint};

pub use crate::app::BlockingApp as App;
pub use crate::event::BlockingEvents as Events;

use crate::call::Call;
use crate::connection::{Broken, Connection, Pool};
use crate::error::Error;
use crate::flow::Flows;
use crate::start::{Starting, may_start};
use crate::talk::{Errand, Talk};

/// The way to the daemon. Cloning is cheap, and clones share their connections; any number of threads may use one.
///
/// On Unix a call waits two minutes for its answer at most; the daemon itself is never that slow.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    endpoint: Endpoint,
    may_start: bool,
    idle: Pool<BlockingStream>,
    flows: Flows,
    /// One start at a time in this process.
    starting: Mutex<()>,
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
        let starting = Mutex::new(());
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
    pub(crate) fn run<T: DeserializeOwned>(&self, errand: &Errand<'_, T>) -> Result<T, Error> {
        if let Some(idle) = self.0.idle.take() {
            let mut talk = Talk::begin(errand, &idle.opened);
            match self.talk_over(idle, &mut talk) {
                Err(Broken::Gone(_)) => self.0.idle.clear(),
                outcome => return outcome?,
            }
        }
        match self.talk_anew(errand) {
            Err(Broken::Gone(_)) => self.talk_anew(errand)?,
            outcome => outcome?,
        }
    }

    pub(crate) fn call<T: DeserializeOwned>(&self, call: Call<T>) -> Result<T, Error> {
        self.run(&Errand::Plain(call))
    }

    fn talk_anew<T: DeserializeOwned>(
        &self,
        errand: &Errand<'_, T>,
    ) -> Result<Result<T, Error>, Broken> {
        let fresh = self.connect()?;
        let mut talk = Talk::begin(errand, &fresh.opened);
        match self.talk_over(fresh, &mut talk) {
            Err(Broken::Gone(error)) if !talk.is_repeatable() => Err(Broken::Failed(error)),
            outcome => outcome,
        }
    }

    fn talk_over<T: DeserializeOwned>(
        &self,
        mut connection: Connection<BlockingStream>,
        talk: &mut Talk<'_, T>,
    ) -> Result<Result<T, Error>, Broken> {
        loop {
            let (answer, here) = connection.exchange_blocking(talk.request())?;
            if let Some(told) = talk.take(answer, here)? {
                return Ok(self.0.idle.put_back(connection, told));
            }
        }
    }

    /// A new connection; the daemon is started if nobody listens.
    pub(crate) fn connect(&self) -> Result<Connection<BlockingStream>, Error> {
        match self.try_connect() {
            Err(ConnectError::NotRunning { .. }) if self.0.may_start => self.start(),
            outcome => outcome.map_err(Error::no_daemon),
        }
    }

    fn start(&self) -> Result<Connection<BlockingStream>, Error> {
        let _alone = self.0.starting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut starting = None;
        loop {
            match self.try_connect() {
                Ok(connection) if starting.is_some() => match connection.prove() {
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
            std::thread::sleep(starting.next_wait()?);
        }
    }

    pub(crate) fn flows(&self) -> &Flows {
        &self.0.flows
    }

    fn try_connect(&self) -> Result<Connection<BlockingStream>, ConnectError> {
        valetkey_ipc::connect_blocking(&self.0.endpoint).map(Connection::new_blocking)
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Client").field(&self.0.endpoint).finish()
    }
}
