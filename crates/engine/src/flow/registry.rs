//! The open flows of one user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;
use valetkey_model::UnixTime;

use super::{Flow, FlowId};
use crate::application::AppId;
use crate::error::Error;
use crate::keyed_lock::KeyedLocks;
use crate::request::{FlowKind, FlowRequest, Hints};

/// How many flows one user may have open: a person signs in to one at a time.
const MAX_FLOWS: usize = 64;
/// How many flows are kept, open or ended.
const MAX_REMEMBERED: usize = 512;
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

/// The flows of one user, by id and by what they are for.
#[derive(Default)]
pub(crate) struct FlowRegistry {
    flows: Mutex<HashMap<FlowId, (JoinKey, Arc<Flow>)>>,
    starting: KeyedLocks,
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

    /// The open flow that `key` can join.
    pub(crate) fn find_open(&self, key: &JoinKey, now: UnixTime) -> Option<Arc<Flow>> {
        let is_open = |flow: &Flow| flow.status().is_pending() && now < flow.expires_at;
        let flows = self.lock();
        let same = flows
            .values()
            .find(|(known, flow)| known.can_be_joined() && known == key && is_open(flow));
        same.map(|(_, flow)| Arc::clone(flow))
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Flow>> {
        self.lock().get(id).map(|(_, flow)| Arc::clone(flow))
    }

    /// Forgets old flows, and says whether there is room for one more.
    pub(crate) fn make_room(&self, now: UnixTime) -> Result<(), Error> {
        let mut flows = self.lock();
        flows.retain(|_, (_, flow)| now < flow.expires_at.plus_seconds(REMEMBER_SECONDS));
        if flows.len() >= MAX_REMEMBERED {
            flows.retain(|_, (_, flow)| flow.status().is_pending());
        }
        let open = flows.values().filter(|(_, flow)| flow.status().is_pending()).count();
        if open >= MAX_FLOWS {
            return Err(Error::TooMany { what: "sign-in flows", limit: MAX_FLOWS });
        }
        Ok(())
    }

    pub(crate) fn insert(&self, key: JoinKey, flow: &Arc<Flow>) {
        self.lock().insert(flow.id.clone(), (key, Arc::clone(flow)));
    }

    /// How many flows are open.
    pub(crate) fn open(&self) -> usize {
        self.lock().values().filter(|(_, flow)| flow.status().is_pending()).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FlowId, (JoinKey, Arc<Flow>)>> {
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
