//! `GET` and `POST /v1/apps`, `DELETE /v1/apps/{app}`: client applications, and the handle on an open one.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{self, OpenAppRequest};

use crate::blocking;
use crate::call::Call;
use crate::client::Client;
use crate::definition::{AssertionNeeded, Definition, Opening};
use crate::error::Error;
use crate::http1::fill;
use crate::talk::Errand;

/// An open client application. Cloning is cheap.
///
/// A daemon that was started anew has forgotten which applications were open; the handle then opens its own again, once a
/// call, and the caller notices nothing. One with a credential or a cache of its own is opened over each connection.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) client: Client,
    pub(crate) definition: Arc<Definition>,
}

/// As [`App`], for a thread that waits.
#[derive(Clone, Debug)]
pub struct BlockingApp {
    pub(crate) client: blocking::Client,
    pub(crate) definition: Arc<Definition>,
}

impl Client {
    /// Opens a client application: creates it, or finds the one that was defined in the same way. The daemon asks nobody
    /// for it, so this works without a network.
    ///
    /// # Errors
    /// When the definition is not acceptable.
    pub async fn open_app(&self, definition: OpenAppRequest) -> Result<App, Error> {
        self.open(Opening::new(definition, None)).await
    }

    /// As [`Client::open_app`], for an application that makes its client assertions itself (`assertion_callback`): `make` is
    /// called whenever the daemon needs one, and must not wait for long. A program whose assertions take their time, or may
    /// fail, asks without it, and repeats what was answered with `client_assertion_needed`.
    ///
    /// # Errors
    /// When the definition is not acceptable.
    pub async fn open_app_with_assertions(
        &self,
        definition: OpenAppRequest,
        make: impl Fn(&AssertionNeeded) -> String + Send + Sync + 'static,
    ) -> Result<App, Error> {
        self.open(Opening::new(definition, Some(Box::new(make)))).await
    }

    async fn open(&self, opening: Opening) -> Result<App, Error> {
        let opened = self.run(&Errand::Open(opening.call(), opening.key)).await?;
        Ok(App { client: self.clone(), definition: Definition::new(Some(opening), opened) })
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

    /// Closes it for this program; what other programs of the user may use stays open for them. Its tokens stay.
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub async fn close(self) -> Result<(), Error> {
        self.call(close).await
    }

    pub(crate) async fn call<T: DeserializeOwned>(
        &self,
        build: impl Fn(&str) -> Call<T> + Sync,
    ) -> Result<T, Error> {
        self.client.run(&Errand::OfApp(&self.definition, &build)).await
    }
}

impl blocking::Client {
    /// As [`Client::open_app`].
    ///
    /// # Errors
    /// When the definition is not acceptable.
    pub fn open_app(&self, definition: OpenAppRequest) -> Result<BlockingApp, Error> {
        self.open(Opening::new(definition, None))
    }

    /// As [`Client::open_app_with_assertions`].
    ///
    /// # Errors
    /// When the definition is not acceptable.
    pub fn open_app_with_assertions(
        &self,
        definition: OpenAppRequest,
        make: impl Fn(&AssertionNeeded) -> String + Send + Sync + 'static,
    ) -> Result<BlockingApp, Error> {
        self.open(Opening::new(definition, Some(Box::new(make))))
    }

    fn open(&self, opening: Opening) -> Result<BlockingApp, Error> {
        let opened = self.run(&Errand::Open(opening.call(), opening.key))?;
        Ok(BlockingApp { client: self.clone(), definition: Definition::new(Some(opening), opened) })
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

    /// Closes it for this program; what other programs of the user may use stays open for them. Its tokens stay.
    ///
    /// # Errors
    /// When the daemon does not confirm it.
    pub fn close(self) -> Result<(), Error> {
        self.call(close)
    }

    pub(crate) fn call<T: DeserializeOwned>(
        &self,
        build: impl Fn(&str) -> Call<T> + Sync,
    ) -> Result<T, Error> {
        self.client.run(&Errand::OfApp(&self.definition, &build))
    }
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
