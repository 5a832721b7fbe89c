//! A sign-in that was begun: what the person is invited to do, and where it stands. One or more callers take part in it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};
use tokio::sync::watch;
use valetkey_model::{CorrelationId, ScopeSet, UnixTime};
use valetkey_oauth::ExtraFields;
use valetkey_policy::Asker;

use super::auth_code::PendingCode;
use super::device_code::DevicePolling;
use crate::answer::TokenAnswer;
use crate::application::ClientApplication;
use crate::error::Error;
use crate::possession::Possession;
use crate::request::FlowRequest;

/// What all callers of one sign-in share.
pub struct SignIn {
    /// For which application.
    pub app: Arc<ClientApplication>,
    /// The scopes that were asked for, decorated.
    pub scopes: ScopeSet,
    /// When it ends by itself.
    pub expires_at: UnixTime,
    /// The identity of all its requests in logs.
    pub correlation_id: CorrelationId,
    /// What its callers need to know.
    pub invitation: Invitation,
    pub(super) progress: Progress,
    pub(super) possession: Possession,
    pub(super) fields: ExtraFields,
    pub(super) status: watch::Sender<FlowStatus>,
    /// Those who have not cancelled.
    callers: AtomicUsize,
    /// By way of whom the person signs in. Nobody, as soon as another program takes part: whose code or window the person has
    /// seen then, nobody knows.
    beginner: Mutex<Option<Arc<Asker>>>,
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
pub(super) enum Progress {
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

impl SignIn {
    /// With one caller: who began it.
    pub(super) fn new(
        request: &FlowRequest,
        scopes: ScopeSet,
        expires_at: UnixTime,
        invitation: Invitation,
        progress: Progress,
        possession: Possession,
    ) -> Arc<Self> {
        Arc::new(Self {
            app: Arc::clone(&request.app),
            scopes,
            expires_at,
            correlation_id: request.correlation_id.clone(),
            invitation,
            progress,
            possession,
            fields: request.fields.clone(),
            status: watch::Sender::new(FlowStatus::Pending { polls: 0 }),
            callers: AtomicUsize::new(1),
            beginner: Mutex::default(),
        })
    }

    pub(super) fn set_beginner(&self, asker: &Arc<Asker>) {
        *self.lock_beginner() = Some(Arc::clone(asker));
    }

    pub(super) fn note_joiner(&self, asker: &Asker) {
        self.lock_beginner().take_if(|beginner| beginner.program != asker.program);
    }

    /// By way of whom alone the person has signed in; told once.
    pub fn take_beginner(&self) -> Option<Arc<Asker>> {
        self.lock_beginner().take()
    }

    fn lock_beginner(&self) -> MutexGuard<'_, Option<Arc<Asker>>> {
        // Nothing under this lock can panic half-way.
        self.beginner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The kind's name, as the wire has it.
    pub fn kind(&self) -> &'static str {
        match &self.invitation {
            Invitation::Device(_) => "device_code",
            Invitation::AuthCode(_) => "auth_code",
            Invitation::Interactive(_) => "interactive",
        }
    }

    /// True until it has ended, by whatever hand.
    pub(super) fn is_pending(&self) -> bool {
        self.status.borrow().is_pending()
    }

    /// True while it can be finished, and so be joined.
    pub(super) fn is_open(&self, now: UnixTime) -> bool {
        self.is_pending() && now < self.expires_at
    }

    /// One caller more; false when all have left, who took the sign-in along.
    pub(super) fn join(&self) -> bool {
        if self.has_late_fields() {
            return false;
        }
        let one_more = |callers: usize| (callers > 0).then(|| callers + 1);
        self.callers.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).is_ok()
    }

    pub(super) fn is_shared(&self) -> bool {
        self.callers.load(Ordering::Relaxed) > 1
    }

    /// One caller less. The last one ends it.
    pub(super) fn leave(&self) {
        if self.callers.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.finish(Err(Error::FlowCancelled));
        }
    }

    /// Ends it, if it has not ended already.
    pub(super) fn finish(&self, outcome: Result<TokenAnswer, Error>) {
        self.status.send_if_modified(|status| {
            let is_open = status.is_pending();
            if is_open {
                *status = outcome.map_or_else(FlowStatus::Failed, FlowStatus::Completed);
            }
            is_open
        });
    }

    /// Resolves when it has ended, by whatever hand.
    pub(super) async fn ended(&self) {
        // The sender lives in `self`, so the channel cannot close meanwhile.
        let _ = self.status.subscribe().wait_for(|status| !status.is_pending()).await;
    }
}
