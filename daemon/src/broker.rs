//! The broker: policy before engine, for every verb. Nothing reaches the engine but what `policy::decide` let pass.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use valetkey_engine::{
    AccountsRequest, AppId, ClientApplication, Engine, Event, Flow, FlowStatus, FoundAccount,
    TokenAnswer, User,
};
use valetkey_model::{AccountId, Caller, CorrelationId};
use valetkey_policy::{Policy, decide};
use valetkey_proto::v1;
use valetkey_proto::v1::ErrorCode;

use crate::failure::Failure;
use crate::from_wire;

/// The broker of one daemon.
pub struct Broker {
    engine: Arc<Engine>,
    policy: Policy,
    named_apps: BTreeMap<String, NamedApp>,
}

/// An application that the configuration declares.
pub struct NamedApp {
    /// What defines it, as a caller would say it.
    pub definition: v1::OpenAppRequest,
    /// Asked for when a caller names no scopes.
    pub scopes: Vec<String>,
}

/// An application that a request named, and whose it is.
pub struct Opened {
    /// Whose.
    pub user: Arc<User>,
    /// Which.
    pub app: Arc<ClientApplication>,
}

impl Broker {
    /// A broker over `engine`, with the applications that the configuration declares.
    pub fn new(
        engine: Arc<Engine>,
        policy: Policy,
        named_apps: BTreeMap<String, NamedApp>,
    ) -> Self {
        Self { engine, policy, named_apps }
    }

    /// The engine, for what needs no decision: its clock, its ids, its shutdown.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// What is held for the caller.
    ///
    /// # Errors
    /// When the store is locked or unreadable.
    pub async fn user(&self, caller: &Caller) -> Result<Arc<User>, Failure> {
        Ok(self.engine.user(&caller.partition).await?)
    }

    /// Opens an application, by its definition or by its name in the configuration. No network.
    ///
    /// # Errors
    /// When the definition cannot be, the name is unknown, or the policy says no.
    pub async fn open_app(
        &self,
        caller: &Caller,
        request: &v1::OpenAppRequest,
    ) -> Result<Opened, Failure> {
        let definition = from_wire::definition(self.resolve_name(request)?)?;
        let authorized = decide(&self.policy, caller, definition)?;
        let user = self.user(caller).await?;
        let app = user.open_app(authorized.into_request())?;
        Ok(Opened { user, app })
    }

    fn resolve_name<'a>(
        &'a self,
        request: &'a v1::OpenAppRequest,
    ) -> Result<&'a v1::OpenAppRequest, Failure> {
        let Some(name) = &request.name else { return Ok(request) };
        let alone = v1::OpenAppRequest { name: Some(name.clone()), ..Default::default() };
        if *request != alone {
            return Err(Failure::bad_member("name", "goes with no other member"));
        }
        self.named_apps.get(name).map(|named| &named.definition).ok_or_else(|| {
            let known: Vec<_> = self.named_apps.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let description = format!("the configuration has no [apps.{name}]; it has: {known}");
            Failure::request(ErrorCode::UnknownApp, description)
        })
    }

    /// The name and declaration that the configuration has for an application, if it does.
    pub fn named_app(&self, app: &AppId) -> Option<(&str, &NamedApp)> {
        let has_id = |named: &NamedApp| {
            from_wire::definition(&named.definition)
                .is_ok_and(|definition| definition.app_id() == *app)
        };
        self.named_apps
            .iter()
            .find(|(_, named)| has_id(named))
            .map(|(name, named)| (name.as_str(), named))
    }

    /// The names that the configuration declares.
    pub fn app_names(&self) -> impl Iterator<Item = &str> {
        self.named_apps.keys().map(String::as_str)
    }

    /// The caller's application with this id, or this name in the configuration.
    ///
    /// # Errors
    /// When the caller has none.
    pub async fn find_app(&self, caller: &Caller, id: &str) -> Result<Opened, Failure> {
        let user = match self.engine.find_user(&caller.partition) {
            Some(user) => user,
            None => self.user(caller).await?,
        };
        if let Some(app) = user.find_app(&AppId::from_text(id)) {
            return Ok(Opened { user, app });
        }
        if self.named_apps.contains_key(id) {
            let request = v1::OpenAppRequest { name: Some(id.to_owned()), ..Default::default() };
            return self.open_app(caller, &request).await;
        }
        let description = format!("no open application {id:?}; open it with POST /v1/apps");
        Err(Failure::request(ErrorCode::UnknownApp, description))
    }

    fn default_scopes(&self, app: &AppId) -> Vec<String> {
        self.named_app(app).map(|(_, named)| named.scopes.clone()).unwrap_or_default()
    }

    /// A token without asking the person.
    ///
    /// # Errors
    /// When there is none, or the request cannot be.
    pub async fn acquire(
        &self,
        caller: &Caller,
        opened: Opened,
        mut request: v1::TokenRequest,
        correlation_id: CorrelationId,
    ) -> Result<TokenAnswer, Failure> {
        let Opened { user, app } = opened;
        if request.scopes.is_empty() {
            request.scopes = self.default_scopes(app.id());
        }
        let request = from_wire::silent_request(app, request, correlation_id)?;
        let authorized = decide(&self.policy, caller, request)?;
        Ok(self.engine.acquire_token_silent(&user, &authorized).await?)
    }

    /// Starts a sign-in, or joins the one that is open.
    ///
    /// # Errors
    /// When the request cannot be, or the provider refuses.
    pub async fn start_flow(
        &self,
        caller: &Caller,
        opened: Opened,
        mut request: v1::StartFlowRequest,
        correlation_id: CorrelationId,
    ) -> Result<(Arc<Flow>, bool), Failure> {
        let Opened { user, app } = opened;
        if request.scopes.is_empty() {
            request.scopes = self.default_scopes(app.id());
        }
        let request = from_wire::flow_request(app, request, correlation_id)?;
        let authorized = decide(&self.policy, caller, request)?;
        Ok(self.engine.start_flow(&user, &authorized).await?)
    }

    /// The caller's flow with this id.
    ///
    /// # Errors
    /// When the caller has none.
    pub async fn find_flow(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(Arc<User>, Arc<Flow>), Failure> {
        let user = self.user(caller).await?;
        let flow = self.engine.find_flow(&user, id)?;
        Ok((user, flow))
    }

    /// Where a flow stands, once it has ended or `patience` is over.
    pub async fn wait_for_flow(
        &self,
        user: &Arc<User>,
        flow: &Arc<Flow>,
        patience: Duration,
    ) -> FlowStatus {
        self.engine.wait_for_flow(user, flow, patience).await
    }

    /// The caller's accounts at the application's provider.
    ///
    /// # Errors
    /// When the policy says no.
    pub fn accounts(
        &self,
        caller: &Caller,
        opened: Opened,
        correlation_id: CorrelationId,
    ) -> Result<Vec<FoundAccount>, Failure> {
        let Opened { user, app } = opened;
        let request =
            decide(&self.policy, caller, AccountsRequest { app, account: None, correlation_id })?;
        Ok(self.engine.accounts(&user, &request))
    }

    /// Signs an account out.
    ///
    /// # Errors
    /// When it is not there, or the store cannot be written.
    pub async fn sign_out(
        &self,
        caller: &Caller,
        opened: Opened,
        account: AccountId,
        correlation_id: CorrelationId,
    ) -> Result<(), Failure> {
        let Opened { user, app } = opened;
        let request = AccountsRequest { app, account: Some(account), correlation_id };
        let authorized = decide(&self.policy, caller, request)?;
        Ok(self.engine.sign_out(&user, &authorized).await?)
    }

    /// The caller's events from now on.
    ///
    /// # Errors
    /// When the store is locked or unreadable.
    pub async fn subscribe(&self, caller: &Caller) -> Result<broadcast::Receiver<Event>, Failure> {
        let user = self.user(caller).await?;
        Ok(self.engine.subscribe(&user))
    }
}
