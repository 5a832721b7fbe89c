//! `GET /v1/status`.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_engine::User;
use valetkey_model::UnixTime;
use valetkey_proto::v1::{ConfigurationStatus, Counts, KeyStatus, Status, StoreStatus};

use super::Api;
use super::answer::json;
use crate::session::Session;

/// What is true of this process from its start to its end.
pub struct Process {
    /// The endpoint it listens on.
    pub socket: String,
    /// When it started.
    pub started: UnixTime,
}

/// How long to wait for the store before telling what is known without it.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response<Body> {
    let engine = api.broker.engine();
    let user = loaded_user(&api, &session).await;
    let report = api.store.report();
    let configuration = api.broker.configuration();
    let in_force = configuration.look(engine.now()).await;
    let counts = user.as_ref().map(|user| {
        let cached = user.counts();
        Counts {
            apps: user.apps().len(),
            accounts: cached.accounts,
            access_tokens: cached.access_tokens,
            refresh_tokens: cached.refresh_tokens,
            flows: user.open_flows(),
        }
    });
    json(
        StatusCode::OK,
        &Status {
            version: super::guard::VERSION.to_owned(),
            pid: std::process::id(),
            uptime_seconds: engine.now().seconds_since(api.process.started),
            socket: api.process.socket.clone(),
            locked: report.locked,
            key: KeyStatus {
                provider: report.key_provider,
                protection: report.key_protection,
                to_be_chosen: report.key_to_be_chosen,
            },
            store: StoreStatus {
                path: report.path,
                problems: report.problems,
                unsaved: user.map_or(0, |user| user.unsaved()),
            },
            configuration: ConfigurationStatus {
                path: in_force.file().map(|file| file.display().to_string()),
                problem: in_force.problem().map(str::to_owned),
                at_next_start: configuration.waiting_for_restart(),
            },
            counts: counts.unwrap_or_default(),
        },
    )
}

/// A locked store is a state to tell of, not a failure of telling. Nobody waits for one whose thread is busy, perhaps with
/// a passphrase.
async fn loaded_user(api: &Api, session: &Session) -> Option<Arc<User>> {
    if api.store.awaits_passphrase() {
        return api.broker.engine().find_user(&session.caller.partition);
    }
    tokio::time::timeout(PATIENCE, api.broker.user(session)).await.ok()?.ok()
}
