//! Sign-in flows: what a person takes part in. One file for each kind; what they share is here.

pub(crate) mod auth_code;
mod device_code;
mod interactive;
pub(crate) mod registry;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};
use tokio::sync::watch;
use valetkey_model::{CorrelationId, ScopeSet, UnixTime};
use valetkey_policy::Authorized;

use self::auth_code::PendingCode;
use self::device_code::DevicePolling;
use self::registry::JoinKey;
use crate::answer::TokenAnswer;
use crate::application::ClientApplication;
use crate::engine::Engine;
use crate::error::Error;
use crate::request::{FlowKind, FlowRequest};
use crate::user::User;

/// An unguessable name; good for the user who started the flow, and nobody else.
pub type FlowId = String;

/// A flow that was started.
pub struct Flow {
    /// Its id.
    pub id: FlowId,
    /// For which application.
    pub app: Arc<ClientApplication>,
    /// The scopes that were asked for, decorated.
    pub scopes: ScopeSet,
    /// When it ends by itself.
    pub expires_at: UnixTime,
    /// The identity of all its requests in logs.
    pub correlation_id: CorrelationId,
    /// What its starter needs to know.
    pub invitation: Invitation,
    progress: Progress,
    status: watch::Sender<FlowStatus>,
}

/// What the person is invited to do.
pub enum Invitation {
    /// Type a code: the provider's answer, without the device code.
    Device(Map<String, Value>),
    /// Open a URL, and hand in the redirect's parameters.
    AuthCode(Visit),
    /// Open a URL; the daemon takes the redirect.
    Interactive(Visit),
}

/// A page of the provider to open in a browser.
pub struct Visit {
    /// The page.
    pub auth_uri: String,
    /// Where the provider sends the person back.
    pub redirect_uri: Option<String>,
    /// The `state` of the redirect.
    pub state: String,
}

/// What only one kind of flow keeps while it is open.
enum Progress {
    Device(DevicePolling),
    AuthCode(PendingCode),
    Interactive,
}

/// Where a flow stands.
#[derive(Clone)]
pub enum FlowStatus {
    /// The person is not done; with how often the provider was asked so far.
    Pending {
        /// Answers of the provider so far; a first `wait` sees at least one.
        polls: u32,
    },
    /// Signed in, and saved.
    Completed(TokenAnswer),
    /// It came to nothing.
    Failed(Error),
}

impl FlowStatus {
    /// True while the person may still finish.
    pub fn is_pending(&self) -> bool {
        matches!(self, Self::Pending { .. })
    }
}

impl Flow {
    fn new(
        engine: &Engine,
        request: &FlowRequest,
        scopes: ScopeSet,
        expires_at: UnixTime,
        invitation: Invitation,
        progress: Progress,
    ) -> Arc<Self> {
        Arc::new(Self {
            id: URL_SAFE_NO_PAD.encode(engine.random::<16>()),
            app: Arc::clone(&request.app),
            scopes,
            expires_at,
            correlation_id: request.correlation_id.clone(),
            invitation,
            progress,
            status: watch::Sender::new(FlowStatus::Pending { polls: 0 }),
        })
    }

    /// Where it stands.
    pub fn status(&self) -> FlowStatus {
        self.status.borrow().clone()
    }

    /// Ends the flow, if it has not ended already.
    fn finish(&self, outcome: Result<TokenAnswer, Error>) {
        self.status.send_if_modified(|status| {
            let is_open = status.is_pending();
            if is_open {
                *status = outcome.map_or_else(FlowStatus::Failed, FlowStatus::Completed);
            }
            is_open
        });
    }

    /// Resolves when the flow has ended, by whatever hand.
    async fn ended(&self) {
        // The sender lives in `self`, so the channel cannot close meanwhile.
        let _ = self.status.subscribe().wait_for(|status| !status.is_pending()).await;
    }
}

impl Engine {
    /// Starts a sign-in, or joins the one that is open for the same: N callers, one browser window. The flag says which.
    ///
    /// # Errors
    /// When the provider cannot be asked, or refuses already.
    pub async fn start_flow(
        self: &Arc<Self>,
        user: &Arc<User>,
        authorized: &Authorized<FlowRequest>,
    ) -> Result<(Arc<Flow>, bool), Error> {
        let request = authorized.request();
        let key = JoinKey::of(request);
        let _starting = user.flows.starting(&key).await;
        if let Some(flow) = user.flows.find_open(&key, self.now()) {
            return Ok((flow, true));
        }
        user.flows.make_room(self.now())?;
        let flow = match &request.kind {
            FlowKind::DeviceCode => self.start_device_code(user, request).await?,
            FlowKind::AuthCode { .. } => self.start_auth_code(user, request).await?,
            FlowKind::Interactive { .. } => self.start_interactive(user, request).await?,
        };
        user.flows.insert(key, &flow);
        Ok((flow, false))
    }

    /// The user's flow with this id.
    ///
    /// # Errors
    /// When there is none, or it is another user's.
    pub fn find_flow(&self, user: &User, id: &str) -> Result<Arc<Flow>, Error> {
        user.flows.find(id).ok_or(Error::UnknownFlow)
    }

    /// Waits until the flow has ended, but not longer than `patience`. A device flow's polling begins with the first
    /// wait, and that one sees at least one answer of the provider.
    pub async fn wait_for_flow(
        self: &Arc<Self>,
        user: &Arc<User>,
        flow: &Arc<Flow>,
        patience: Duration,
    ) -> FlowStatus {
        self.poll_device_code(user, flow);
        let mut status = flow.status.subscribe();
        let first_answer = async {
            if matches!(flow.progress, Progress::Device(_)) {
                let _ = status
                    .wait_for(|status| !matches!(status, FlowStatus::Pending { polls: 0 }))
                    .await;
            }
        };
        first_answer.await;
        if !patience.is_zero() {
            tokio::select! {
                () = flow.ended() => {}
                () = self.ports.clock.sleep(patience) => {}
            }
        }
        flow.status()
    }

    /// Hands in the redirect's parameters of an auth code flow. A redirect that belongs to another sign-in leaves the flow
    /// open; any other ends it.
    ///
    /// # Errors
    /// When the flow is none that its caller completes, has ended, or the redirect is not its own.
    pub async fn complete_flow(
        self: &Arc<Self>,
        user: &Arc<User>,
        flow: &Arc<Flow>,
        parameters: BTreeMap<String, String>,
        scopes: Option<ScopeSet>,
    ) -> Result<FlowStatus, Error> {
        let Progress::AuthCode(pending) = &flow.progress else {
            return Err(Error::NotCompletedByCaller(flow.kind()));
        };
        let code = pending.take(flow, &parameters, self.now())?;
        let (this, user, running) = (Arc::clone(self), Arc::clone(user), Arc::clone(flow));
        // A task of its own: the code is good for one use, and a caller who hangs up must not waste it.
        let task =
            tokio::spawn(async move { this.finish_code(&user, &running, code, scopes).await });
        task.await.map_err(|_| Error::Bug("a code redemption died"))?;
        Ok(flow.status())
    }

    /// Cancels a flow. One that has ended stays as it ended.
    pub fn cancel_flow(&self, flow: &Flow) {
        flow.finish(Err(Error::FlowCancelled));
    }
}

impl Flow {
    /// The kind's name, as the wire has it.
    pub fn kind(&self) -> &'static str {
        match &self.invitation {
            Invitation::Device(_) => "device_code",
            Invitation::AuthCode(_) => "auth_code",
            Invitation::Interactive(_) => "interactive",
        }
    }
}
