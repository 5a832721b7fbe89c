//! `GET /v1/status`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_engine::User;
use valetkey_model::UnixTime;
use valetkey_proto::v1::{
    AutoLock, ConfigurationStatus, Counts, KeyStatus, ProtectionStatus, ServiceStatus, Status,
    StoreStatus,
};
use valetkey_vault::{KeyChoice, VaultError};

use super::Api;
use super::answer::json;
use crate::config::KeyName;
use crate::hardening::Confined;
use crate::http_client::Surroundings;
use crate::session::Session;
use crate::store::StoreReport;

/// What is true of this process from its start to its end.
pub struct Process {
    /// The endpoint it listens on.
    pub socket: String,
    /// When it started.
    pub started: UnixTime,
    /// Where the store's key is, as the environment says; then the configuration is not asked.
    pub key_of_environment: Option<KeyChoice>,
    /// What the kernel keeps it from.
    pub confined: Confined,
    /// What its environment says of the way to providers.
    pub surroundings: Surroundings,
}

/// How long to wait for the store before telling what is known without it.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response<Body> {
    json(StatusCode::OK, &tell(&api, &session).await)
}

/// The daemon's state, for one user.
pub(super) async fn tell(api: &Api, session: &Session) -> Status {
    let status = tell_all(api, session).await;
    match api.broker.serves_several() {
        true => as_one_of_several(api, session, status).await,
        false => status,
    }
}

async fn tell_all(api: &Api, session: &Session) -> Status {
    let engine = api.broker.engine();
    let user = loaded_user(api, session).await;
    let mut report = api.store.report();
    let configuration = api.broker.configuration();
    let in_force = configuration.look(engine.now()).await;
    let has_key = api.process.key_of_environment.is_some() || report.key().is_some();
    // A file that is not in force says nothing of it, and would be refused for itself.
    if api.process.key_of_environment.is_none() && in_force.problem().is_none() {
        report.problems.extend(refusal_at_next_start(&report, in_force.config().vault.key));
    }
    let vault = &in_force.config().vault;
    let counts = user.as_ref().map(|user| {
        let cached = user.counts();
        Counts {
            apps: api.broker.open_apps(user).len(),
            accounts: cached.accounts,
            access_tokens: cached.access_tokens,
            refresh_tokens: cached.refresh_tokens,
            flows: user.open_flows(),
        }
    });
    Status {
        version: super::guard::VERSION.to_owned(),
        pid: std::process::id(),
        uptime_seconds: engine.now().seconds_since(api.process.started),
        socket: api.process.socket.clone(),
        locked: report.locked,
        key: KeyStatus {
            provider: report.key_provider,
            protection: report.key_protection,
            to_be_chosen: report.key_to_be_chosen,
            passphrase_file: vault.passphrase_file.as_deref().map(display),
            made_at: report.key_made_at.and_then(|at| i64::try_from(at).ok()),
            data_made_at: report.data_key_made_at.and_then(|at| i64::try_from(at).ok()),
            records: report.records,
            sealing_anew: report.sealing_anew,
        },
        auto_lock: AutoLock {
            after_idle: Some(vault.lock_after_idle).filter(|seconds| *seconds > 0),
            on: vault.lock_on.iter().map(|on| on.name().to_owned()).collect(),
            problem: api.session_watch.problem(),
        },
        store: StoreStatus {
            path: report.path,
            problems: report.problems,
            unsaved: user.map_or(0, |user| user.unsaved()),
        },
        configuration: ConfigurationStatus {
            path: in_force.file().map(display),
            expected_at: match in_force.file() {
                Some(_) => None,
                None => configuration.preferred_file().map(display),
            },
            problem: in_force.problem().map(str::to_owned),
            at_next_start: configuration.waiting_for_restart(has_key),
        },
        protection: ProtectionStatus {
            files: api.process.confined.files,
            system_calls: api.process.confined.calls,
            keys_in_swap: valetkey_vault::keys_in_swap(),
            callers_unseen: !api.process.confined.sees_callers(),
        },
        counts: counts.unwrap_or_default(),
        service: None,
    }
}

/// Among several users, what is wrong with the store or the configuration may name others and what is theirs.
async fn as_one_of_several(api: &Api, session: &Session, mut status: Status) -> Status {
    let administrator = api.broker.is_administrator(session).await;
    let locked_by_you = api.broker.engine().is_locked_by(&session.caller().partition);
    status.service = Some(ServiceStatus { administrator, locked_by_you });
    if !administrator {
        status.key.passphrase_file = None;
        // Where the key is, and how many records others have.
        status.key.records = None;
        status.key.protection = describe_to_others(&status).to_owned();
        let problems = [&mut status.configuration.problem];
        problems.into_iter().flatten().for_each(|problem| *problem = FOR_OTHERS.to_owned());
        if !status.store.problems.is_empty() {
            status.store.problems = vec![FOR_OTHERS.to_owned()];
        }
    }
    status
}

fn describe_to_others(status: &Status) -> &'static str {
    match (status.locked, status.key.provider.as_str()) {
        (true, "file") => "the last resort, a file beside the store; it is locked",
        (true, _) => "the store is locked",
        (false, "file") => "the last resort, a file beside the store, by its permissions alone",
        (false, "keyring") => "the keyring of the user that the daemon runs as",
        (false, "credential") => "a credential that systemd hands to the service",
        (false, _) => "derived from a passphrase; kept nowhere",
    }
}

const FOR_OTHERS: &str =
    "it has problems, which `valetkey status` names to those who administer it";

fn display(path: &Path) -> String {
    path.display().to_string()
}

/// What the next start would say to a configuration that asks by now for another key than the store has.
fn refusal_at_next_start(report: &StoreReport, wanted: KeyName) -> Option<String> {
    let (Some(recorded), KeyChoice::Only(wanted)) = (report.key(), wanted.into()) else {
        return None;
    };
    let path = PathBuf::from(&report.path);
    let refusal = VaultError::OtherProvider { path, recorded, wanted };
    (wanted != recorded).then(|| format!("valetkeyd will not start again: {refusal}"))
}

/// A locked store is a state to tell of, not a failure of telling. Nobody waits for one whose thread is busy, perhaps with
/// a passphrase.
async fn loaded_user(api: &Api, session: &Session) -> Option<Arc<User>> {
    if api.store.awaits_passphrase() {
        return api.broker.engine().find_user(&session.caller().partition);
    }
    tokio::time::timeout(PATIENCE, api.broker.user(session)).await.ok()?.ok()
}
