//! Sign-in flows: what a person takes part in. One file for each kind; what they share is here.

mod attendant;
pub(crate) mod auth_code;
mod device_code;
mod interactive;
pub(crate) mod registry;
mod sign_in;

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use valetkey_model::{AccountId, Partition, UnixTime};
use valetkey_policy::Authorized;

pub use self::attendant::Attendant;
use self::registry::JoinKey;
use self::sign_in::Progress;
pub use self::sign_in::{FlowStatus, Invitation, SignIn, Visit};
use crate::credential::Proof;
use crate::engine::Engine;
use crate::error::Error;
use crate::possession::Binding;
use crate::request::{Completion, CompletionRequest, FlowKind, FlowRequest};
use crate::signed_request::Signer;
use crate::user::User;

/// An unguessable name; good for the user who started the flow, and nobody else.
pub type FlowId = String;

/// A caller's part in a sign-in. N callers who need the same one share it, and each may leave it without ending it for the
/// others.
pub struct Flow {
    /// Its id, the caller's own.
    pub id: FlowId,
    sign_in: Arc<SignIn>,
    is_cancelled: watch::Sender<bool>,
    /// Who asked about it last.
    attendant: Mutex<Attendant>,
    /// Signs what its caller wants to have signed; each has a request of its own.
    signer: Option<Signer>,
}

impl Flow {
    fn new(
        engine: &Engine,
        sign_in: Arc<SignIn>,
        attendant: &Attendant,
        signer: Option<Signer>,
    ) -> Arc<Self> {
        let id = engine.new_id();
        let attendant = Mutex::new(attendant.clone());
        Arc::new(Self { id, sign_in, is_cancelled: watch::Sender::new(false), attendant, signer })
    }

    /// Whoever asks about it attends to it from now on.
    pub fn attend(&self, attendant: Attendant) {
        *self.attendant.lock().unwrap_or_else(PoisonError::into_inner) = attendant;
    }

    fn attendant(&self) -> Attendant {
        self.attendant.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True while somebody is there who wants it to go on.
    fn is_attended(&self) -> bool {
        !*self.is_cancelled.borrow() && self.attendant().is_there()
    }

    /// Where it stands for its caller.
    pub fn status(&self, now: UnixTime) -> FlowStatus {
        let status = match *self.is_cancelled.borrow() {
            true => FlowStatus::Failed(Error::FlowCancelled),
            false => self.sign_in.status.borrow().clone(),
        };
        match (status, &self.signer) {
            (FlowStatus::Completed(answer), Some(signer)) => {
                FlowStatus::Completed(signer.sign(answer, now))
            }
            (status, _) => status,
        }
    }

    /// Resolves when it has ended for its caller.
    async fn ended(&self) {
        let mut is_cancelled = self.is_cancelled.subscribe();
        tokio::select! {
            () = self.sign_in.ended() => {}
            // The sender lives in `self`, so the channel cannot close meanwhile.
            _ = is_cancelled.wait_for(|is_cancelled| *is_cancelled) => {}
        }
    }

    /// Takes its caller out of the sign-in, once.
    fn cancel(&self) {
        let is_first = self.is_cancelled.send_if_modified(|is_cancelled| {
            self.sign_in.status.borrow().is_pending() && !std::mem::replace(is_cancelled, true)
        });
        if is_first {
            self.sign_in.leave();
        }
    }
}

impl Deref for Flow {
    type Target = SignIn;

    fn deref(&self) -> &SignIn {
        &self.sign_in
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
        attendant: &Attendant,
    ) -> Result<(Arc<Flow>, bool), Error> {
        let request = authorized.request();
        let key = JoinKey::of(request);
        let possession = self.possess(user, &request.app, Binding::of_flow(request)).await?;
        let signer = Signer::new(&possession, request.auth_scheme.as_ref());
        let _starting = user.flows.starting(&key).await;
        user.flows.make_room(attendant, self.now())?;
        if let Some(sign_in) = user.flows.join_open(&key, self.now()) {
            sign_in.note_joiner(authorized.asker());
            let flow = Flow::new(self, sign_in, attendant, signer);
            user.flows.insert(&flow);
            return Ok((flow, true));
        }
        user.flows.make_room_to_begin(&key, attendant)?;
        let sign_in = match &request.kind {
            FlowKind::DeviceCode => self.start_device_code(user, request, possession).await?,
            FlowKind::AuthCode { .. } => self.start_auth_code(user, request, possession).await?,
            FlowKind::Interactive { .. } => {
                self.start_interactive(user, request, possession).await?
            }
        };
        sign_in.set_beginner(authorized.asker());
        user.flows.begin(key, attendant, &sign_in);
        let flow = Flow::new(self, sign_in, attendant, signer);
        user.flows.insert(&flow);
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
        flow.end_if_too_late(self.now());
        self.poll_device_code(user, &flow.sign_in);
        let mut status = flow.sign_in.status.subscribe();
        let patience = async {
            if matches!(flow.progress, Progress::Device(_)) {
                let is_answered =
                    |status: &FlowStatus| !matches!(status, FlowStatus::Pending { polls: 0 });
                let _ = status.wait_for(is_answered).await;
            }
            if !patience.is_zero() {
                self.ports.clock.sleep(patience).await;
            }
        };
        tokio::select! {
            () = flow.ended() => {}
            () = patience => {}
        }
        flow.status(self.now())
    }

    /// Hands in the redirect's parameters of an auth code flow; to a device flow, form fields alone. A redirect that belongs to
    /// another sign-in leaves the flow open; any other ends it.
    ///
    /// # Errors
    /// When the flow is none that its caller completes, has ended, or the redirect is not its own.
    pub async fn complete_flow(
        self: &Arc<Self>,
        user: &Arc<User>,
        flow: &Arc<Flow>,
        authorized: Authorized<CompletionRequest>,
    ) -> Result<FlowStatus, Error> {
        let Completion { parameters, scopes, client_assertion: assertion, fields } =
            authorized.into_request().completion;
        let pending = match &flow.progress {
            Progress::AuthCode(pending) => pending,
            Progress::Device(_) if parameters.is_empty() && !fields.is_empty() => {
                flow.add_form_fields(fields)?;
                return Ok(flow.status(self.now()));
            }
            Progress::Device(_) | Progress::Interactive => {
                return Err(Error::NotCompletedByCaller(flow.kind()));
            }
        };
        // Before the redirect is taken: whoever must make an assertion first comes back with the same redirect.
        if let Some(provider) = pending.provider() {
            let proof = Proof { assertion: assertion.as_ref(), fmi_path: None };
            self.authenticate(&flow.app, &provider, proof)?;
        }
        let code = pending.take(flow, &parameters, self.now())?.with(assertion, fields);
        let (this, user) = (Arc::clone(self), Arc::clone(user));
        let running = Arc::clone(&flow.sign_in);
        // A task of its own: the code is good for one use, and a caller who hangs up must not waste it.
        let task =
            tokio::spawn(async move { this.finish_code(&user, &running, code, scopes).await });
        task.await.map_err(|_| Error::Bug("a code redemption died"))?;
        Ok(flow.status(self.now()))
    }

    /// Forgets the sign-ins that have brought this account: what they brought is to be had no more by asking where they stand.
    pub fn forget_sign_ins(&self, user: &User, account: &AccountId) {
        user.flows.forget_completed(account);
    }

    /// The same in all that is the owner's, by way of whichever application.
    pub fn forget_all_sign_ins(&self, owner: &Partition, account: &AccountId) {
        for user in self.loaded_users() {
            if user.partition().is_of_owner_of(owner) {
                self.forget_sign_ins(&user, account);
            }
        }
    }

    /// Cancels a flow for its caller. The sign-in ends when nobody is left in it; one that has ended stays as it ended.
    pub fn cancel_flow(&self, flow: &Flow) {
        flow.cancel();
    }
}
