//! `GET` and `POST /v1/apps`, `DELETE /v1/apps/{app}`: client applications, and the handle on an open one.

use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{self, ErrorCode, OpenAppRequest};

use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::error::Error;
use crate::http1::fill;

/// An open client application. Cloning is cheap.
///
/// A daemon that was started anew has forgotten which applications were open; the handle then opens its own again, once a
/// call, and the caller notices nothing.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) client: Client,
    definition: Arc<Definition>,
}

/// As [`App`], for a thread that waits.
#[derive(Clone, Debug)]
pub struct BlockingApp {
    pub(crate) client: blocking::Client,
    definition: Arc<Definition>,
}

/// What defines the application, and what the daemon made of it.
#[derive(Debug)]
struct Definition {
    /// None for a handle on an application that somebody else defined.
    request: Option<OpenAppRequest>,
    opened: Mutex<Arc<v1::App>>,
}

impl Definition {
    fn new(request: Option<OpenAppRequest>, opened: v1::App) -> Arc<Self> {
        Arc::new(Self { request, opened: Mutex::new(Arc::new(opened)) })
    }

    fn opened(&self) -> Arc<v1::App> {
        Arc::clone(&self.opened.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How to open it again, if that is what the outcome asks for.
    fn reopen_after<T>(&self, outcome: &Result<T, Error>) -> Option<Call<v1::App>> {
        let is_forgotten = outcome.as_ref().is_err_and(|error| error.is(ErrorCode::UnknownApp));
        self.request.as_ref().filter(|_| is_forgotten).map(open)
    }

    /// The id stays as it is, unless a configuration defines its name otherwise by now.
    fn reopened(&self, opened: v1::App) -> Arc<v1::App> {
        let opened = Arc::new(opened);
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&opened);
        opened
    }
}

impl Client {
    /// Opens a client application: creates it, or finds the one that was defined in the same way. The daemon asks nobody
    /// for it, so this works without a network.
    ///
    /// # Errors
    /// When the definition is not acceptable.
    pub async fn open_app(&self, definition: OpenAppRequest) -> Result<App, Error> {
        let opened = self.call(open(&definition)).await?;
        Ok(App { client: self.clone(), definition: Definition::new(Some(definition), opened) })
    }

    /// Opens the client application of this name in the daemon's configuration.
    ///
    /// # Errors
    /// `unknown_app` when the configuration has none of this name.
    pub async fn open_named_app(&self, name: &str) -> Result<App, Error> {
        self.open_app(named(name)).await
    }

    /// This user's open applications, and those of the configuration.
    ///
    /// # Errors
    /// When the daemon does not answer with them.
    pub async fn apps(&self) -> Result<Vec<v1::App>, Error> {
        Ok(self.call(list()).await?.apps)
    }

    /// A handle on one of [`Client::apps`]. Only who defined it can open it again, so this one may become `unknown_app`.
    pub fn handle(&self, app: v1::App) -> App {
        App { client: self.clone(), definition: Definition::new(None, app) }
    }
}

impl App {
    /// What the daemon knows of it.
    pub fn describe(&self) -> Arc<v1::App> {
        self.definition.opened()
    }

    /// Closes it, for every program of this user. Its tokens stay.
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub async fn close(self) -> Result<(), Error> {
        self.client.call(close(&self.describe().app)).await
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        build: impl Fn(&str) -> Call<T>,
    ) -> Result<T, Error> {
        let outcome = self.client.call(build(&self.describe().app)).await;
        let Some(reopen) = self.definition.reopen_after(&outcome) else { return outcome };
        let opened = self.client.call(reopen).await?;
        self.client.call(build(&self.definition.reopened(opened).app)).await
    }
}

impl blocking::Client {
    /// As [`Client::open_app`].
    ///
    /// # Errors
    /// When the definition is not acceptable.
    pub fn open_app(&self, definition: OpenAppRequest) -> Result<BlockingApp, Error> {
        let opened = self.call(open(&definition))?;
        Ok(BlockingApp {
            client: self.clone(),
            definition: Definition::new(Some(definition), opened),
        })
    }

    /// As [`Client::open_named_app`].
    ///
    /// # Errors
    /// `unknown_app` when the configuration has none of this name.
    pub fn open_named_app(&self, name: &str) -> Result<BlockingApp, Error> {
        self.open_app(named(name))
    }

    /// As [`Client::apps`].
    ///
    /// # Errors
    /// When the daemon does not answer with them.
    pub fn apps(&self) -> Result<Vec<v1::App>, Error> {
        Ok(self.call(list())?.apps)
    }

    /// As [`Client::handle`].
    pub fn handle(&self, app: v1::App) -> BlockingApp {
        BlockingApp { client: self.clone(), definition: Definition::new(None, app) }
    }
}

impl BlockingApp {
    /// What the daemon knows of it.
    pub fn describe(&self) -> Arc<v1::App> {
        self.definition.opened()
    }

    /// Closes it, for every program of this user. Its tokens stay.
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub fn close(self) -> Result<(), Error> {
        self.client.call(close(&self.describe().app))
    }

    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        build: impl Fn(&str) -> Call<T>,
    ) -> Result<T, Error> {
        let outcome = self.client.call(build(&self.describe().app));
        let Some(reopen) = self.definition.reopen_after(&outcome) else { return outcome };
        let opened = self.client.call(reopen)?;
        self.client.call(build(&self.definition.reopened(opened).app))
    }
}

fn open(definition: &OpenAppRequest) -> Call<v1::App> {
    Call::post(route::APPS, definition).repeatable()
}

fn named(name: &str) -> OpenAppRequest {
    OpenAppRequest { name: Some(name.to_owned()), ..OpenAppRequest::default() }
}

fn list() -> Call<v1::Apps> {
    Call::get(route::APPS)
}

fn close(app: &str) -> Call<()> {
    Call::delete(&fill(route::APP, &[app]))
}
