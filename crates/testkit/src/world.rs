//! The world of the engine, in a test's hands: time, network, disk, browsers, two providers, and who asks.
//!
//! People and applications go by name. A test is a story, told to [`run`]; what it does not bring about does not happen.

#![expect(clippy::expect_used, reason = "a world that cannot be made is a failed test")]

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use valetkey_cache::{Account, Entry};
use valetkey_engine::{
    AccountSelector, AccountsRequest, Attendant, ClientApplication, Completion, CompletionRequest,
    Definition, Engine, Error, Extras, Flow, FlowKind, FlowRequest, FlowStatus, FoundAccount,
    Grant, GrantRequest, Hints, Invitation, Patience, Ports, SilentRequest, TokenAnswer, User,
    Visit,
};
use valetkey_model::{
    AccountId, Authority, AuthorityOptions, Caller, ClientId, Partition, ScopeSet, UnixTime,
};
use valetkey_oauth::ExtraFields;
use valetkey_policy::{Asker, Authorized, Denial, Grants, Policy, Subject, decide};

use crate::clock::FakeClock;
use crate::http::FakeHttp;
use crate::http::provider::{Dialect, TinyProvider};
use crate::machine::FakeMachine;
use crate::power::Powered;
use crate::redirects::FakeRedirects;
use crate::rng::SeededRng;
use crate::store::MemoryStore;

pub use crate::idle::{run, settle};

/// When every story begins.
pub const START: UnixTime = UnixTime::from_seconds(1_700_000_000);

/// What each user's programs may take up of the memory.
pub const ROOM: usize = 1024 * 1024;

/// An engine and all that is around it. Cloning it gives another hand on the same world.
#[derive(Clone)]
pub struct TestWorld {
    /// Time.
    pub clock: Arc<FakeClock>,
    /// The network.
    pub http: Arc<FakeHttp>,
    /// The disk.
    pub store: Arc<MemoryStore>,
    /// What gives managed identities.
    pub machine: Arc<FakeMachine>,
    /// Browsers that come back.
    pub redirects: Arc<FakeRedirects>,
    /// Microsoft Entra ID, `https://login.microsoftonline.com/contoso`.
    pub entra: Arc<TinyProvider>,
    /// A plain OpenID Connect provider, `https://op.example`.
    pub op: Arc<TinyProvider>,
    /// The engine as it is since the last restart.
    pub engine: Arc<Engine>,
    /// Who asks.
    pub caller: Caller,
    /// By way of what.
    pub connection: Arc<()>,
    rng: Arc<SeededRng>,
    power: Arc<watch::Sender<bool>>,
}

impl Default for TestWorld {
    fn default() -> Self {
        Self::new()
    }
}

impl TestWorld {
    /// A world in which nobody has signed in yet.
    pub fn new() -> Self {
        let (clock, http) = (Arc::new(FakeClock::at(START)), Arc::new(FakeHttp::default()));
        let entra = TinyProvider::new("https://login.microsoftonline.com/contoso", Dialect::Entra);
        let op = TinyProvider::new("https://op.example", Dialect::Oidc);
        let (entra, op) = (Arc::new(entra), Arc::new(op));
        http.add_host("login.microsoftonline.com", Arc::<TinyProvider>::clone(&entra));
        http.add_host("op.example", Arc::<TinyProvider>::clone(&op));
        let (store, redirects) = (Arc::<MemoryStore>::default(), Arc::<FakeRedirects>::default());
        let (rng, power) = (Arc::new(SeededRng::from_seed(1)), Arc::new(watch::Sender::new(true)));
        let machine = Arc::new(FakeMachine::on(&http));
        let ports = Ports {
            http: Powered::new(&http, &power),
            clock: Arc::<FakeClock>::clone(&clock),
            rng: Arc::<SeededRng>::clone(&rng),
            store: Powered::new(&store, &power),
            redirects: Arc::<FakeRedirects>::clone(&redirects),
            machine: Arc::<FakeMachine>::clone(&machine),
        };
        let (engine, caller) = (Engine::with_room(ports, Some(ROOM)), caller_of(1000));
        let connection = Arc::default();
        Self {
            clock,
            http,
            store,
            machine,
            redirects,
            entra,
            op,
            engine,
            caller,
            connection,
            rng,
            power,
        }
    }

    /// Kills the engine where it stands, and starts another one on what is on the disk.
    pub fn restart(&mut self) {
        self.power.send_replace(false);
        self.power = Arc::new(watch::Sender::new(true));
        let ports = Ports {
            http: Powered::new(&self.http, &self.power),
            clock: Arc::<FakeClock>::clone(&self.clock),
            rng: Arc::<SeededRng>::clone(&self.rng),
            store: Powered::new(&self.store, &self.power),
            redirects: Arc::<FakeRedirects>::clone(&self.redirects),
            machine: Arc::<FakeMachine>::clone(&self.machine),
        };
        self.engine = Engine::with_room(ports, Some(ROOM));
    }

    /// Locks the store, as the daemon does.
    ///
    /// # Errors
    /// When something would be lost.
    pub async fn lock(&self) -> Result<(), Error> {
        let quiet = self.engine.quiet_down(Patience::USUAL).await?;
        self.store.lock_up();
        quiet.forget_users();
        Ok(())
    }

    /// The same world, as another user of the machine sees it.
    pub fn as_uid(&self, uid: u32) -> Self {
        Self { caller: caller_of(uid), ..self.clone() }
    }

    /// The partition of who asks.
    pub fn partition(&self) -> &Partition {
        &self.caller.partition
    }

    /// Who asks, with a loaded cache.
    pub async fn user(&self) -> Arc<User> {
        self.engine.user(self.partition()).await.expect("the store can be read")
    }

    /// An application at Entra.
    pub async fn app(&self, client_id: &str) -> Arc<ClientApplication> {
        self.open(define(client_id, &self.entra.authority, false)).await
    }

    /// An application at the OpenID Connect provider.
    pub async fn op_app(&self, client_id: &str) -> Arc<ClientApplication> {
        self.open(define(client_id, &self.op.authority, true)).await
    }

    /// Opens an application.
    pub async fn open(&self, definition: Definition) -> Arc<ClientApplication> {
        self.user().await.open_app(definition).expect("there is room for one more")
    }

    /// A silent request for the only account.
    pub fn request(&self, app: &Arc<ClientApplication>, scopes: &str) -> SilentRequest {
        SilentRequest {
            app: Arc::clone(app),
            scopes: ScopeSet::from_target(scopes),
            account: AccountSelector::Only,
            force_refresh: false,
            claims_challenge: None,
            min_validity: 0,
            client_assertion: None,
            extras: Extras::default(),
            bound: None,
            correlation_id: self.engine.new_correlation_id(),
        }
    }

    /// Asks for a token.
    pub async fn ask(&self, request: SilentRequest) -> Result<TokenAnswer, Error> {
        let user = self.user().await;
        self.engine.acquire_token_silent(&user, &self.authorize(request)).await
    }

    /// Asks for a token for the only account, and says in words what came of it.
    pub async fn token(&self, app: &Arc<ClientApplication>, scopes: &str) -> String {
        tell(&self.ask(self.request(app, scopes)).await)
    }

    /// A request for what an application has in its hands.
    pub fn grant_request(
        &self,
        app: &Arc<ClientApplication>,
        grant: Grant,
        scopes: &str,
    ) -> GrantRequest {
        GrantRequest {
            app: Arc::clone(app),
            grant,
            scopes: ScopeSet::from_target(scopes),
            force_refresh: false,
            claims_challenge: None,
            client_assertion: None,
            extras: Extras::default(),
            bound: None,
            sites: None,
            correlation_id: self.engine.new_correlation_id(),
        }
    }

    /// Asks for a token for what an application has in its hands, and says in words what came of it.
    pub async fn redeem(&self, request: GrantRequest) -> String {
        let user = self.user().await;
        tell(&self.engine.acquire_token_by_grant(&user, &self.authorize(request)).await)
    }

    /// Somebody asks for a token in a task of their own.
    pub fn spawn_ask(&self, request: SilentRequest) -> JoinHandle<String> {
        let world = self.clone();
        tokio::spawn(async move { tell(&world.ask(request).await) })
    }

    /// A sign-in flow without any hints.
    pub fn flow_request(
        &self,
        app: &Arc<ClientApplication>,
        kind: FlowKind,
        scopes: &str,
    ) -> FlowRequest {
        FlowRequest {
            app: Arc::clone(app),
            kind,
            scopes: ScopeSet::from_target(scopes),
            claims_challenge: None,
            hints: Hints::default(),
            fields: ExtraFields::default(),
            auth_scheme: None,
            correlation_id: self.engine.new_correlation_id(),
        }
    }

    /// Starts a flow; the flag says whether it was open already.
    pub async fn start(&self, request: FlowRequest) -> Result<(Arc<Flow>, bool), Error> {
        let (user, attendant) = (self.user().await, Attendant::new(None, &self.connection));
        self.engine.start_flow(&user, &self.authorize(request), &attendant).await
    }

    /// Hands a redirect in.
    pub async fn complete(
        &self,
        flow: &Arc<Flow>,
        redirect: BTreeMap<String, String>,
    ) -> Result<FlowStatus, Error> {
        let completion = Completion { parameters: redirect, ..Completion::default() };
        self.complete_with(flow, completion).await
    }

    /// Hands in whatever the caller of a flow brings back.
    pub async fn complete_with(
        &self,
        flow: &Arc<Flow>,
        completion: Completion,
    ) -> Result<FlowStatus, Error> {
        let request = CompletionRequest { app: Arc::clone(&flow.app), completion };
        self.engine.complete_flow(&self.user().await, flow, self.authorize(request)).await
    }

    /// A person signs in to an application by the authorization code flow, and all goes well.
    pub async fn sign_in(
        &self,
        app: &Arc<ClientApplication>,
        person: &str,
        scopes: &str,
    ) -> String {
        let outcome = self.try_sign_in(app, person, scopes).await;
        assert!(outcome.is_ok(), "sign-in of {person}: {}", tell(&outcome));
        tell(&outcome)
    }

    /// A person signs in to an application by the authorization code flow.
    pub async fn try_sign_in(
        &self,
        app: &Arc<ClientApplication>,
        person: &str,
        scopes: &str,
    ) -> Result<TokenAnswer, Error> {
        let (flow, _) = self.start(self.flow_request(app, auth_code(), scopes)).await?;
        let redirect = self.provider_of(app).sign_in(&visit_of(&flow).auth_uri, person);
        match self.complete(&flow, redirect).await? {
            FlowStatus::Completed(answer) => Ok(answer),
            FlowStatus::Failed(error) => Err(error),
            FlowStatus::Pending { .. } => Err(Error::Bug("a completed flow is pending")),
        }
    }

    /// An account as it was stored earlier, under any of its host's names. The person's name is what stands before the `@`.
    pub fn put_account(&self, username: &str, host: &str, realm: &str) {
        let person = username.split('@').next().unwrap_or_default();
        let account = Account {
            environment: host.into(),
            home_account_id: AccountId::new(&format!("{person}.home")).expect("it has a name"),
            realm: realm.into(),
            local_account_id: None,
            username: username.into(),
            authority_type: "MSSTS".into(),
            account_source: None,
            added_at: START,
            extra: None,
        };
        self.store.put(self.partition(), Entry::Account(Arc::new(account)));
    }

    /// The user names of the accounts that an application sees.
    pub async fn accounts(&self, app: &Arc<ClientApplication>) -> Vec<String> {
        let request = self.authorize(self.accounts_request(app, None));
        let accounts = self.engine.accounts(&*self.user().await, &request).await;
        accounts.iter().map(|account| account.username.to_string()).collect()
    }

    /// A person signs out of an application.
    pub async fn sign_out(&self, app: &Arc<ClientApplication>, person: &str) -> Result<(), Error> {
        let user = self.user().await;
        let account = self.engine.account(&user, app, &self.account_id(app, person)).await?;
        let request = self.accounts_request(app, Some(account));
        self.engine.sign_out(&user, &self.authorize(request)).await
    }

    /// A person's home account id at the provider of an application.
    pub fn account_id(&self, app: &ClientApplication, person: &str) -> AccountId {
        let is_entra = Arc::ptr_eq(self.provider_of(app), &self.entra);
        let text = if is_entra { format!("{person}.home") } else { person.to_owned() };
        AccountId::new(&text).expect("a person has a name")
    }

    /// What a policy says of a request.
    pub fn decide<T: Subject>(&self, policy: &Policy, request: T) -> Result<Authorized<T>, Denial> {
        decide(policy, &Asker::plain(&self.caller), &Grants::default(), request, START)
            .without_asking()
    }

    /// The policy's leave.
    pub fn authorize<T: Subject>(&self, request: T) -> Authorized<T> {
        self.decide(&Policy::of_user(), request).expect("a user's own broker denies nothing")
    }

    fn accounts_request(
        &self,
        app: &Arc<ClientApplication>,
        account: Option<FoundAccount>,
    ) -> AccountsRequest {
        let correlation_id = self.engine.new_correlation_id();
        AccountsRequest { app: Arc::clone(app), account, correlation_id }
    }

    fn provider_of(&self, app: &ClientApplication) -> &Arc<TinyProvider> {
        let is_op = app.definition().authority.as_str() == self.op.authority;
        if is_op { &self.op } else { &self.entra }
    }
}

/// A public client with nothing special about it.
pub fn define(client_id: &str, authority: &str, oidc: bool) -> Definition {
    let options = AuthorityOptions { oidc, ..AuthorityOptions::default() };
    Definition::new(
        ClientId::new(client_id).expect("a client id"),
        Authority::parse(authority, options).expect("an authority"),
    )
}

/// An authorization code flow whose redirect the application takes.
pub fn auth_code() -> FlowKind {
    let redirect_uri = Some("http://localhost:8400".to_owned());
    FlowKind::AuthCode { redirect_uri, state: None, response_mode: None }
}

/// The page that a flow wants opened.
pub fn visit_of(flow: &Flow) -> &Visit {
    match &flow.invitation {
        Invitation::AuthCode(visit) | Invitation::Interactive(visit) => visit,
        Invitation::Device(_) => panic!("a device flow has no page of its own"),
    }
}

/// What came of a request, in words: `cached at-1`, `issued at-2`, or the error.
pub fn tell(outcome: &Result<TokenAnswer, Error>) -> String {
    match outcome {
        Ok(TokenAnswer::Cached(token)) => format!("cached {}", token.secret.expose()),
        Ok(TokenAnswer::Issued(token)) => format!("issued {}", token.access_token.expose()),
        Ok(TokenAnswer::Signed(_, answer)) => {
            format!("signed with {}", tell(&Ok(TokenAnswer::clone(answer))))
        }
        Err(error) => error.to_string(),
    }
}

/// Where a flow stands, in words.
pub fn tell_status(status: &FlowStatus) -> String {
    match status {
        FlowStatus::Pending { polls } => format!("pending after {polls}"),
        FlowStatus::Completed(answer) => tell(&Ok(answer.clone())),
        FlowStatus::Failed(error) => error.to_string(),
    }
}

fn caller_of(uid: u32) -> Caller {
    Caller::of(Partition::of_uid(uid))
}
