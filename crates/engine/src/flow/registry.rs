//! The open flows of one user.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;
use valetkey_cache::extended_cache_key;
use valetkey_model::UnixTime;

use super::{Flow, FlowId, SignIn};
use crate::application::AppId;
use crate::error::Error;
use crate::keyed_lock::KeyedLocks;
use crate::possession::Binding;
use crate::request::{FlowKind, FlowRequest, Hints};

/// How many sign-ins one user may have open: a person signs in to one at a time.
const MAX_SIGN_INS: usize = 64;
/// How many of these for one application, so that no single one keeps the others out.
const MAX_SIGN_INS_OF_APP: usize = 16;
/// How many sign-ins that have ended are remembered.
const MAX_ENDED: usize = 64;
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
    /// Of the form's own fields.
    extension: Option<String>,
    binding: Binding,
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
    /// Those that have ended, the oldest first.
    ended: VecDeque<Arc<SignIn>>,
}

impl JoinKey {
    pub(crate) fn of(request: &FlowRequest) -> Self {
        Self {
            app: request.app.id().clone(),
            kind: request.kind.clone(),
            scopes: request.scopes.target().to_owned(),
            claims: request.claims_challenge.clone(),
            hints: request.hints.clone(),
            extension: extended_cache_key(request.fields.iter()),
            binding: Binding::of_flow(request),
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
        let Known { flows, sign_ins, ended } = &mut *self.lock();
        let over = sign_ins.extract_if(.., |(_, sign_in)| !sign_in.is_open(now));
        ended.extend(over.map(|(_, sign_in)| sign_in));
        while ended.len() > MAX_ENDED {
            let Some(oldest) = ended.pop_front() else { break };
            flows.retain(|_, flow| !Arc::ptr_eq(&flow.sign_in, &oldest));
        }
        flows.retain(|_, flow| now < flow.expires_at.plus_seconds(REMEMBER_SECONDS));
        if flows.len() >= MAX_FLOWS {
            flows.retain(|_, flow| flow.status(now).is_pending());
        }
        match flows.len() < MAX_FLOWS {
            true => Ok(()),
            false => Err(Error::TooMany { what: "sign-in flows", limit: MAX_FLOWS }),
        }
    }

    /// Whether there is room for one more sign-in to this application.
    pub(crate) fn check_may_begin(&self, key: &JoinKey) -> Result<(), Error> {
        if self.open() >= MAX_SIGN_INS {
            return Err(Error::TooMany { what: "sign-in flows", limit: MAX_SIGN_INS });
        }
        if self.count_open(|other| other.app == key.app) >= MAX_SIGN_INS_OF_APP {
            let what = "sign-in flows of this application";
            return Err(Error::TooMany { what, limit: MAX_SIGN_INS_OF_APP });
        }
        Ok(())
    }

    /// The applications that somebody is signing in to.
    pub(crate) fn open_apps(&self) -> HashSet<AppId> {
        let known = self.lock();
        let open = known.sign_ins.iter().filter(|(_, it)| it.status.borrow().is_pending());
        open.map(|(key, _)| key.app.clone()).collect()
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
        self.count_open(|_| true)
    }

    fn count_open(&self, is_meant: impl Fn(&JoinKey) -> bool) -> usize {
        let known = self.lock();
        let meant = known.sign_ins.iter().filter(|(key, _)| is_meant(key));
        meant.filter(|(_, sign_in)| sign_in.status.borrow().is_pending()).count()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
