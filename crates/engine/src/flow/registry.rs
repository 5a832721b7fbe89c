//! The open flows of one user.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;
use valetkey_cache::extended_cache_key;
use valetkey_model::{AccountId, UnixTime};

use super::{Attendant, Flow, FlowId, FlowStatus, SignIn};
use crate::application::AppId;
use crate::error::Error;
use crate::keyed_lock::KeyedLocks;
use crate::possession::Binding;
use crate::request::{FlowKind, FlowRequest, Hints};

/// How many sign-ins one user may have open: a person signs in to one at a time.
const MAX_SIGN_INS: usize = 64;
/// How many of these for one application, so that no single one keeps the others out.
const MAX_SIGN_INS_OF_APP: usize = 16;
/// How many of these by one program, for the same reason.
const MAX_SIGN_INS_OF_PROGRAM: usize = 16;
/// How many sign-ins that have ended are remembered.
const MAX_ENDED: usize = 64;
/// How many flows are kept, open or ended. A thousand programs that join one sign-in after a login are honest.
const MAX_FLOWS: usize = 4096;
/// How many of these by one program.
const MAX_FLOWS_OF_PROGRAM: usize = 1024;
/// Bytes of a flow or a sign-in without its texts; a token that it brought is in the cache as well.
const FLOW_SIZE: usize = 2 * 1024;
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
    /// The oldest first.
    sign_ins: Vec<Begun>,
    /// Those that have ended, the oldest first.
    ended: VecDeque<Arc<SignIn>>,
}

struct Begun {
    key: JoinKey,
    beginner: Attendant,
    sign_in: Arc<SignIn>,
    size: usize,
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
        let same = known.sign_ins.iter().find(|Begun { key: other, sign_in, .. }| {
            other.can_be_joined() && other == key && sign_in.is_open(now) && sign_in.join()
        });
        same.map(|begun| Arc::clone(&begun.sign_in))
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Flow>> {
        self.lock().flows.get(id).cloned()
    }

    /// Forgets old flows, and whether there is room for one more of this program's. Of too many those give way that nobody
    /// attends to.
    pub(crate) fn make_room(&self, attendant: &Attendant, now: UnixTime) -> Result<(), Error> {
        let mut known = self.lock();
        known.forget_old(now);
        let is_own = |flow: &Flow| flow.attendant().is_same_program(attendant);
        known.drop_abandoned(|_| true, "sign-in flows", MAX_FLOWS)?;
        known.drop_abandoned(is_own, "sign-in flows of this program", MAX_FLOWS_OF_PROGRAM)
    }

    /// Whether there is room for one more sign-in to this application by this program. Of too many the oldest one gives way
    /// that nobody attends to, else the oldest of a program that has more than this one.
    pub(crate) fn make_room_to_begin(
        &self,
        key: &JoinKey,
        beginner: &Attendant,
    ) -> Result<(), Error> {
        let known = self.lock();
        let is_of_app = |begun: &Begun| begun.key.app == key.app;
        let is_of_program = |begun: &Begun| begun.beginner.is_same_program(beginner);
        let make_room = |is_meant: &dyn Fn(&Begun) -> bool, what, limit| {
            known.end_one(is_meant, beginner, what, limit)
        };
        make_room(&|_| true, "sign-in flows", MAX_SIGN_INS)?;
        make_room(&is_of_app, "sign-in flows of this application", MAX_SIGN_INS_OF_APP)?;
        make_room(&is_of_program, "sign-in flows of this program", MAX_SIGN_INS_OF_PROGRAM)
    }

    /// The applications that somebody is signing in to.
    pub(crate) fn open_apps(&self) -> HashSet<AppId> {
        let known = self.lock();
        known.open(|_| true).map(|begun| begun.key.app.clone()).collect()
    }

    pub(crate) fn begin(&self, key: JoinKey, beginner: &Attendant, sign_in: &Arc<SignIn>) {
        let (beginner, sign_in) = (beginner.clone(), Arc::clone(sign_in));
        // Here, and in its request.
        let size = 2 * format!("{key:?}").len() + FLOW_SIZE;
        self.lock().sign_ins.push(Begun { key, beginner, sign_in, size });
    }

    pub(crate) fn insert(&self, flow: &Arc<Flow>) {
        self.lock().flows.insert(flow.id.clone(), Arc::clone(flow));
    }

    /// Ends all that are open.
    pub(crate) fn end_all(&self, error: &Error) {
        for begun in &self.lock().sign_ins {
            begun.sign_in.finish(Err(error.clone()));
        }
    }

    /// About how many bytes of memory they take up. Visits the sign-ins, of which there are not many.
    pub(crate) fn size(&self) -> usize {
        let known = self.lock();
        let begun: usize = known.sign_ins.iter().map(|begun| begun.size).sum();
        begun + (known.ended.len() + known.flows.len()) * FLOW_SIZE
    }

    /// Forgets those that have brought this account.
    pub(crate) fn forget_completed(&self, account: &AccountId) {
        let has_brought = |flow: &Flow| matches!(&*flow.sign_in.status.borrow(), FlowStatus::Completed(answer) if answer.account() == Some(account));
        self.lock().flows.retain(|_, flow| !has_brought(flow));
    }

    /// How many sign-ins are open.
    pub(crate) fn open(&self) -> usize {
        self.lock().open(|_| true).count()
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget_old(&mut self, now: UnixTime) {
        let Self { flows, sign_ins, ended } = self;
        let over = sign_ins.extract_if(.., |begun| !begun.sign_in.is_open(now));
        ended.extend(over.map(|begun| begun.sign_in));
        while ended.len() > MAX_ENDED {
            let Some(oldest) = ended.pop_front() else { break };
            flows.retain(|_, flow| !Arc::ptr_eq(&flow.sign_in, &oldest));
        }
        flows.retain(|_, flow| now < flow.expires_at.plus_seconds(REMEMBER_SECONDS));
        if flows.len() >= MAX_FLOWS {
            flows.retain(|_, flow| flow.sign_in.is_pending());
        }
    }

    fn drop_abandoned(
        &mut self,
        is_meant: impl Fn(&Flow) -> bool,
        what: &'static str,
        limit: usize,
    ) -> Result<(), Error> {
        let is_full = |flows: &HashMap<FlowId, Arc<Flow>>| {
            let open = flows.values().filter(|flow| flow.sign_in.is_pending() && is_meant(flow));
            flows.len() >= limit && open.count() >= limit
        };
        if is_full(&self.flows) {
            let abandoned = self.flows.extract_if(|_, flow| !flow.is_attended());
            abandoned.for_each(|(_, flow)| flow.cancel());
        }
        match is_full(&self.flows) {
            true => Err(Error::TooMany { what, limit }),
            false => Ok(()),
        }
    }

    fn open(&self, is_meant: impl Fn(&Begun) -> bool) -> impl Iterator<Item = &Begun> {
        let pending = self.sign_ins.iter().filter(|it| it.sign_in.is_pending());
        pending.filter(move |begun| is_meant(begun))
    }

    fn end_one(
        &self,
        is_meant: impl Fn(&Begun) -> bool,
        beginner: &Attendant,
        what: &'static str,
        limit: usize,
    ) -> Result<(), Error> {
        let open: Vec<_> = self.open(is_meant).collect();
        if open.len() < limit {
            return Ok(());
        }
        let is_attended = |begun: &Begun| {
            let mut flows = self.flows.values();
            flows.any(|flow| Arc::ptr_eq(&flow.sign_in, &begun.sign_in) && flow.is_attended())
        };
        let of = |program: &Attendant| {
            open.iter().filter(|begun| begun.beginner.is_same_program(program)).count()
        };
        let own = of(beginner);
        let abandoned = open.iter().find(|begun| !is_attended(begun));
        // The first of equals is the oldest.
        let of_greediest = || open.iter().rev().max_by_key(|begun| of(&begun.beginner));
        let is_greedier = |begun: &&&Begun| of(&begun.beginner) > own + 1;
        let gives_way = abandoned.or_else(|| of_greediest().filter(is_greedier));
        let gives_way = gives_way.ok_or(Error::TooMany { what, limit })?;
        gives_way.sign_in.finish(Err(Error::FlowCancelled));
        Ok(())
    }
}
