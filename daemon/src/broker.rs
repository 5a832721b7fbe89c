//! The broker: policy before engine, for every verb. Nothing reaches the engine but what `policy::decide` let pass.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast;
use valetkey_engine::{
    AccountsRequest, AppId, AppTokensRequest, ClientApplication, CompletionRequest, Definition,
    Engine, Error, Event, Flow, FlowStatus, FoundAccount, TokenAnswer, User,
};
use valetkey_model::{AccountId, CorrelationId, Secret};
use valetkey_proto::v1;
use valetkey_proto::v1::{AuditAct, ErrorCode};

use crate::audit::{Audit, Deed};
use crate::configuration::{Configuration, InForce};
use crate::consent::Consent;
use crate::failure::Failure;
use crate::from_wire::{self, TokenRequest};
use crate::in_memory::InMemory;
use crate::keys::Keys;
use crate::secrets::Secrets;
use crate::service::Service;
use crate::session::{self, Declared, Session};

mod administration;
mod consent;
mod decision;
mod declared;
mod managed_identity;
mod place;
mod private_cache;
mod probe;
#[cfg(target_os = "linux")]
mod prompting;
mod record;
mod shared_cache;
mod sight;

pub use declared::describe_unopened;
pub use managed_identity::OpenedIdentity;

/// The broker of one daemon.
pub struct Broker {
    engine: Arc<Engine>,
    configuration: Arc<Configuration>,
    secrets: Secrets,
    keys: Keys,
    in_memory: InMemory,
    audit: Audit,
    consent: Consent,
    service: Arc<Service>,
}

/// An application that a request named, and whose it is.
pub struct Opened {
    /// Whose.
    pub user: Arc<User>,
    /// Which.
    pub app: Arc<ClientApplication>,
}

impl Broker {
    /// A broker over `engine`, with the policy and the applications that the configuration declares.
    pub fn new(
        engine: Arc<Engine>,
        configuration: Arc<Configuration>,
        secrets: Secrets,
        audit: Audit,
        consent: Consent,
        service: Arc<Service>,
    ) -> Self {
        let keys = Keys::default();
        let in_memory = match service.serves_several() {
            true => InMemory::among_several(),
            false => InMemory::default(),
        };
        Self { engine, configuration, secrets, keys, in_memory, audit, consent, service }
    }

    /// What is declared, and the policy.
    pub fn configuration(&self) -> &Arc<Configuration> {
        &self.configuration
    }

    /// What the person says about programs.
    pub fn consent(&self) -> &Consent {
        &self.consent
    }

    /// The engine, for what needs no decision: its clock, its ids, its shutdown.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    /// Drops the keys of declared applications from memory.
    pub fn forget_keys(&self) {
        self.keys.forget();
    }

    /// What is held for the caller.
    ///
    /// # Errors
    /// When the store is locked or unreadable.
    pub async fn user(&self, session: &Session) -> Result<Arc<User>, Failure> {
        Ok(self.engine.user(&session.caller().partition).await?)
    }

    /// Opens an application, by its definition or by its name in the configuration. No network.
    ///
    /// # Errors
    /// When the definition cannot be, the name is unknown, or the policy says no.
    pub async fn open_app(
        &self,
        session: &Session,
        request: &v1::OpenAppRequest,
    ) -> Result<Opened, Failure> {
        let in_force = self.configuration.look(self.engine.now()).await;
        let Some(name) = &request.name else {
            let mut definition = from_wire::definition(request)?;
            if let Some(credential) = &request.credential {
                let _turn = session.share().take_turn().await;
                definition.credential = Some(self.keys.open(credential, self.engine.now()).await?);
            }
            return self.open_defined(session, &in_force, request, definition, None).await;
        };
        let alone = v1::OpenAppRequest { name: Some(name.clone()), ..Default::default() };
        if *request != alone {
            return Err(Failure::bad_member("name", "goes with no other member"));
        }
        self.open_declared(session, &in_force, name).await
    }

    async fn open_defined(
        &self,
        session: &Session,
        in_force: &InForce,
        request: &v1::OpenAppRequest,
        definition: Definition,
        declared: Option<Declared>,
    ) -> Result<Opened, Failure> {
        let mut definition = self.decide_by(session, in_force, definition).await?.into_request();
        if let Some(route) = definition.route.take() {
            // A proxy's password could be guessed at with a digest that anybody can make.
            let id = self.mark(&[b"route", route.id().as_bytes()]).await?;
            definition.route = Some(Arc::new(Arc::unwrap_or_clone(route).with_id(id)));
        }
        definition.partition = self.place(session.caller(), request, &definition).await?;
        let Some(partition) = definition.partition.clone() else {
            let user = self.user(session).await?;
            let app = self.open_of(&user, definition)?;
            return Ok(Opened { user, app });
        };
        let in_use = self.enter(session, &partition).await?;
        let user = self.engine.user(&partition).await?;
        let app = self.open_of(&user, definition)?;
        let name = declared.as_ref().map(|declared| declared.name.as_str());
        self.in_memory.note_opening(session.caller(), &partition, app.id(), name);
        session.remember(app.id().clone(), session::Opened { partition, in_use, declared });
        Ok(Opened { user, app })
    }

    fn open_of(
        &self,
        user: &User,
        definition: Definition,
    ) -> Result<Arc<ClientApplication>, Failure> {
        if user.find_app(&definition.app_id()).is_none() {
            self.engine.check_room_to_go_on(user.partition(), definition.size())?;
        }
        Ok(user.open_app(definition)?)
    }

    /// The caller's application with this id, or this name in the configuration.
    ///
    /// # Errors
    /// When the caller has none.
    pub async fn find_app(&self, session: &Session, id: &str) -> Result<Opened, Failure> {
        self.configuration.keep_up(self.engine.now()).await;
        let app_id = AppId::from_text(id);
        self.recall(session, &app_id).await?;
        let partition = session.find(&app_id).unwrap_or_else(|| session.caller().partition.clone());
        let user = match self.engine.find_user(&partition) {
            Some(user) => user,
            None => self.engine.user(&partition).await?,
        };
        if let Some(app) = user.find_app(&app_id) {
            return Ok(Opened { user, app });
        }
        let in_force = self.configuration.in_force();
        let name = in_force.name_of(&app_id).unwrap_or(id);
        if let Some(declared) = in_force.apps().get(name)
            && self.may_know(session, name, declared).await?
        {
            let request = v1::OpenAppRequest { name: Some(name.to_owned()), ..Default::default() };
            return self.open_app(session, &request).await;
        }
        let description = format!("no open application {id:?}");
        Err(Failure::request(ErrorCode::UnknownApp, description))
    }

    fn default_scopes(&self, session: &Session, app: &AppId) -> Vec<String> {
        let name = self.name_of(session, app);
        let in_force = self.configuration.in_force();
        let declared = name.and_then(|name| in_force.apps().get(&name));
        declared.map(|app| app.scopes.clone()).unwrap_or_default()
    }

    /// A token without asking the person.
    ///
    /// # Errors
    /// When there is none, or the request cannot be.
    pub async fn acquire(
        &self,
        session: &Session,
        opened: Opened,
        mut request: v1::TokenRequest,
        correlation_id: CorrelationId,
    ) -> Result<TokenAnswer, Failure> {
        let Opened { user, app } = opened;
        if request.scopes.is_empty() {
            request.scopes = self.default_scopes(session, app.id());
        }
        let app = match request.tenant.take() {
            Some(tenant) => self.open_of(&user, at_tenant(&app, &tenant)?)?,
            None => app,
        };
        let answer = match from_wire::token_request(Arc::clone(&app), request, correlation_id)? {
            TokenRequest::Silent(request) => {
                let authorized = self.decide_on_silent(session, &user, request).await?;
                self.engine.acquire_token_silent(&user, &authorized).await?
            }
            TokenRequest::ByGrant(request) => {
                self.check_room(&user, BROUGHT)?;
                let authorized = self.decide(session, request).await?;
                let answer = self.engine.acquire_token_by_grant(&user, &authorized).await?;
                self.welcome(session, (&user, &app), &answer).await?;
                answer
            }
        };
        self.note(session, &Deed::of(AuditAct::TokenGiven, &app).with(&answer));
        Ok(answer)
    }

    /// Starts a sign-in, or joins the one that is open.
    ///
    /// # Errors
    /// When the request cannot be, or the provider refuses.
    pub async fn start_flow(
        &self,
        session: &Session,
        opened: Opened,
        mut request: v1::StartFlowRequest,
        correlation_id: CorrelationId,
    ) -> Result<(Arc<Flow>, bool), Failure> {
        let Opened { user, app } = opened;
        if request.scopes.is_empty() {
            request.scopes = self.default_scopes(session, app.id());
        }
        self.check_room(&user, BROUGHT)?;
        let request = from_wire::flow_request(app, request, correlation_id)?;
        let authorized = self.decide_on_sign_in(session, request).await?;
        Ok(self.engine.start_flow(&user, &authorized, &session.attendant()).await?)
    }

    /// The caller's flow with this id.
    ///
    /// # Errors
    /// When the caller has none.
    pub async fn find_flow(
        &self,
        session: &Session,
        id: &str,
    ) -> Result<(Arc<User>, Arc<Flow>), Failure> {
        self.configuration.keep_up(self.engine.now()).await;
        self.recall_all(session).await;
        for partition in session.partitions() {
            let user = self.engine.user(&partition).await?;
            if let Ok(flow) = self.engine.find_flow(&user, id) {
                flow.attend(session.attendant());
                return Ok((user, flow));
            }
        }
        Err(Error::UnknownFlow.into())
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

    /// Takes what the caller of a flow brings back to it; where the flow stands then.
    ///
    /// # Errors
    /// When it cannot be, or the policy says no.
    pub async fn complete_flow(
        &self,
        session: &Session,
        (user, flow): (&Arc<User>, &Arc<Flow>),
        request: v1::CompleteFlowRequest,
    ) -> Result<FlowStatus, Failure> {
        let completion = from_wire::completion(&flow.app, request)?;
        let request = CompletionRequest { app: Arc::clone(&flow.app), completion };
        let authorized = self.decide(session, request).await?;
        Ok(self.engine.complete_flow(user, flow, authorized).await?)
    }

    /// The caller's accounts at the application's provider, but for those that are not for this program.
    ///
    /// # Errors
    /// When the policy says no.
    pub async fn accounts(
        &self,
        session: &Session,
        opened: Opened,
        correlation_id: CorrelationId,
    ) -> Result<Vec<FoundAccount>, Failure> {
        let Opened { user, app } = opened;
        let request = AccountsRequest { app: Arc::clone(&app), account: None, correlation_id };
        let authorized = self.decide(session, request).await?;
        let accounts = self.engine.accounts(&user, &authorized).await;
        self.leave_out_unseen(session, &app, accounts).await
    }

    /// Signs an account out.
    ///
    /// # Errors
    /// When it is not there, or the store cannot be written.
    pub async fn sign_out(
        &self,
        session: &Session,
        opened: Opened,
        account: AccountId,
        correlation_id: CorrelationId,
    ) -> Result<(), Failure> {
        let Opened { user, app } = opened;
        let request = AccountsRequest { app: Arc::clone(&app), account: None, correlation_id };
        let request = self.decide(session, request).await?.into_request();
        let found = self.engine.account(&user, &app, &account).await?;
        let request = AccountsRequest { account: Some(found), ..request };
        let authorized = self.decide(session, request).await?;
        self.engine.sign_out(&user, &authorized).await?;
        self.forget_sign_ins((&user, &app), &account).await;
        self.note(session, &Deed::of(AuditAct::SignedOut, &app).to(&account));
        Ok(())
    }

    /// Forgets the application's own tokens.
    ///
    /// # Errors
    /// When it has none by its kind, or the store cannot be written.
    pub async fn remove_app_tokens(
        &self,
        session: &Session,
        Opened { user, app }: Opened,
    ) -> Result<(), Failure> {
        let authorized = self.decide(session, AppTokensRequest { app }).await?;
        Ok(self.engine.remove_app_tokens(&user, &authorized).await?)
    }

    /// Signs a proof for a request that the caller makes with a token of the application's.
    ///
    /// # Errors
    /// When the request cannot be, or no key of the application's is there to prove.
    pub async fn sign_proof(
        &self,
        session: &Session,
        Opened { user, app }: Opened,
        request: v1::ProofRequest,
    ) -> Result<Secret, Failure> {
        let request = from_wire::proof_request(Arc::clone(&app), request)?;
        let authorized = self.decide(session, request).await?;
        let proof = self.engine.sign_dpop_proof(&user, &authorized).await?;
        self.note(session, &Deed::of(AuditAct::ProofSigned, &app));
        Ok(proof)
    }

    /// The caller's events from now on; of a locked store as well, whose unlocking is one.
    pub fn subscribe(&self, session: &Session) -> broadcast::Receiver<Event> {
        self.engine.subscribe(&session.caller().partition)
    }
}

/// The same application at another tenant of its authority: an application of its own, beside it.
fn at_tenant(app: &ClientApplication, tenant: &str) -> Result<Definition, Failure> {
    let definition = app.definition().clone();
    let authority = definition.authority.with_tenant(tenant).ok_or_else(|| {
        Failure::bad_member("tenant", "must be a tenant's id or domain, at an authority of Entra's")
    })?;
    Ok(Definition { authority, ..definition })
}

/// Bytes that a sign-in or a grant may bring, as a rule.
const BROUGHT: usize = 64 * 1024;

#[cfg(test)]
mod tests;
