//! The open flows of one user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;
use valetkey_model::UnixTime;

use super::{Flow, FlowId, SignIn};
use crate::application::AppId;
use crate::error::Error;
use crate::keyed_lock::KeyedLocks;
use crate::request::{FlowKind, FlowRequest, Hints};

/// How many sign-ins one user may have open: a person signs in to one at a time.
const MAX_SIGN_INS: usize = 64;
/// How many flows are kept, open or ended. A thousand programs that join one sign-in after a login are honest.
const MAX_FLOWS: usize = 4096;
/// How long the outcome of a flow can be asked for after its end, in seconds.
const REMEMBER_SECONDS: i64 = 600;

/// What makes two sign-ins the same, so that the second joins the first.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct JoinKey {
    app: AppId,
    kind: FlowKind,
    scopes: String,
    claims: Option<String>,
    hints: Hints,
}

/// The flows of one user, by id, and the sign-ins that they take part in, by what these are for.
#[derive(Default)]
pub(crate) struct FlowRegistry {
    known: Mutex<Known>,
    starting: KeyedLocks,
}

#[derive(Default)]
struct Known {
    flows: HashMap<FlowId, Arc<Flow>>,
    sign_ins: Vec<(JoinKey, Arc<SignIn>)>,
}

impl JoinKey {
    pub(crate) fn of(request: &FlowRequest) -> Self {
        Self {
            app: request.app.id().clone(),
            kind: request.kind.clone(),
            scopes: request.scopes.target().to_owned(),
            claims: request.claims_challenge.clone(),
            hints: request.hints.clone(),
        }
    }

    /// An auth code flow's `state` belongs to one web session, so two of them are never the same.
    fn can_be_joined(&self) -> bool {
        !matches!(self.kind, FlowKind::AuthCode { .. })
    }
}

impl FlowRegistry {
    /// Held while a flow is started, so that two callers who come at once start one.
    pub(crate) async fn starting(&self, key: &JoinKey) -> OwnedMutexGuard<()> {
        self.starting.lock(format!("{key:?}")).await
    }

    /// The open sign-in that `key` can join, with one caller more.
    pub(crate) fn join_open(&self, key: &JoinKey, now: UnixTime) -> Option<Arc<SignIn>> {
        let known = self.lock();
        let same = known.sign_ins.iter().find(|(other, sign_in)| {
            other.can_be_joined() && other == key && sign_in.is_open(now) && sign_in.join()
        });
        same.map(|(_, sign_in)| Arc::clone(sign_in))
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Flow>> {
        self.lock().flows.get(id).cloned()
    }

    /// Forgets old flows, and says whether there is room for one more.
    pub(crate) fn make_room(&self, now: UnixTime) -> Result<(), Error> {
        let Known { flows, sign_ins } = &mut *self.lock();
        sign_ins.retain(|(_, sign_in)| sign_in.is_open(now));
        flows.retain(|_, flow| now < flow.expires_at.plus_seconds(REMEMBER_SECONDS));
        if flows.len() >= MAX_FLOWS {
            flows.retain(|_, flow| flow.status().is_pending());
        }
        match flows.len() < MAX_FLOWS {
            true => Ok(()),
            false => Err(Error::TooMany { what: "sign-in flows", limit: MAX_FLOWS }),
        }
    }

    /// Whether there is room for one more sign-in.
    pub(crate) fn check_may_begin(&self) -> Result<(), Error> {
        match self.open() < MAX_SIGN_INS {
            true => Ok(()),
            false => Err(Error::TooMany { what: "sign-in flows", limit: MAX_SIGN_INS }),
        }
    }

    pub(crate) fn begin(&self, key: JoinKey, sign_in: &Arc<SignIn>) {
        self.lock().sign_ins.push((key, Arc::clone(sign_in)));
    }

    pub(crate) fn insert(&self, flow: &Arc<Flow>) {
        self.lock().flows.insert(flow.id.clone(), Arc::clone(flow));
    }

    /// Ends all that are open.
    pub(crate) fn end_all(&self, error: &Error) {
        for (_, sign_in) in &self.lock().sign_ins {
            sign_in.finish(Err(error.clone()));
        }
    }

    /// How many sign-ins are open.
    pub(crate) fn open(&self) -> usize {
        let known = self.lock();
        known.sign_ins.iter().filter(|(_, sign_in)| sign_in.status.borrow().is_pending()).count()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
