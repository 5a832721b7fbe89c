//! Putting the daemon together, serving, and taking it apart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use valetkey_engine::ports::Clock;
use valetkey_engine::{Engine, Ports};
use valetkey_ipc::{BindError, Listener};
use valetkey_safe_path::PathError;
use valetkey_vault::{KeyChoice, OpenOptions, UnknownKeyChoice, VaultError};

use crate::api::{self, Api, Process};
use crate::audit::Audit;
use crate::broker::Broker;
use crate::clock::SystemClock;
use crate::config::{ConfigError, LockOn, Source, VaultConfig};
use crate::configuration::Configuration;
use crate::consent::{self, Consent, Pinentry};
use crate::endpoint::{self, Inherited, OpenError, Purpose};
use crate::folders;
use crate::hardening::{self, Confined, Confinement, Lookout};
use crate::http_client::{MachineClient, ReqwestClient, Surroundings};
#[cfg(target_os = "linux")]
use crate::locking::session;
use crate::locking::{AutoLock, Locking, Watch};
use crate::paths::{self, Lookup, NoStateDir};
use crate::redirect_listener::LoopbackListener;
use crate::rng::SystemRng;
use crate::secrets::Secrets;
use crate::serve::{Limits, serve};
use crate::service::Service;
use crate::shutdown::{
    HeldSignals, Reloads, Shutdown, ShutdownSignal, watch_for_reloads, watch_for_termination,
};
use crate::store::VaultStore;

/// What the command line and the service manager say.
#[derive(Default)]
pub struct Options {
    /// `--socket`
    pub socket: Option<PathBuf>,
    /// `--state-dir`
    pub state_dir: Option<PathBuf>,
    /// `--config`
    pub config: Option<PathBuf>,
    /// `--system`
    pub is_systems: bool,
    /// The socket that systemd passed on.
    pub inherited: Option<Inherited>,
    /// Let go of as soon as they can be heard.
    pub held_signals: Option<HeldSignals>,
    /// Looks at callers for a process that is to be confined; without it, as where the daemon is a part of another program,
    /// the process stays as it is.
    pub lookout: Option<Lookout>,
}

/// Why the daemon does not run. Each says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// No folder for the store.
    #[error(transparent)]
    StateDir(#[from] NoStateDir),
    /// No endpoint.
    #[error(transparent)]
    Endpoint(#[from] OpenError),
    /// `VALETKEY_KEY_PROVIDER` names none.
    #[error("read VALETKEY_KEY_PROVIDER: {0}")]
    KeyProvider(#[from] UnknownKeyChoice),
    /// `[vault] passphrase_file` cannot be read.
    #[error("use the passphrase file: {0}")]
    PassphraseFile(#[source] PathError),
    /// The passphrase was changed, and the file was not.
    #[error(
        "open the store: the passphrase in {} (`passphrase_file` of [vault]) is not the one that the store has; write that one \
         into the file, or take `passphrase_file` out and run `valetkey unlock`", .0.display()
    )]
    OtherPassphrase(PathBuf),
    /// The store cannot be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// No thread can be started to record who got what.
    #[error("start the thread that records who got what: {0}")]
    Audit(#[source] std::io::Error),
    /// The process cannot hear signals.
    #[error("watch for signals: {0}")]
    Signals(#[source] std::io::Error),
}

impl RunError {
    /// True when there is nothing to do, since a daemon runs already.
    pub fn is_already_running(&self) -> bool {
        matches!(self, Self::Endpoint(OpenError::Bind(BindError::AlreadyRunning { .. })))
    }
}

/// Runs until a signal asks to stop.
///
/// # Errors
/// When it cannot start.
pub async fn run(options: Options, lookup: Lookup<'_>) -> Result<(), RunError> {
    // Who may start us may stop us at once, and what is asked for before the configuration is read is asked for still.
    let termination = watch_for_termination().map_err(RunError::Signals)?;
    let reloads = watch_for_reloads().map_err(RunError::Signals)?;
    drop(options.held_signals);
    let source = Source::new(options.config.as_deref(), lookup).for_system(options.is_systems);
    let configuration = Arc::new(Configuration::load(source, SystemClock.now())?);
    let in_force = configuration.in_force();
    let config = in_force.config();
    let state_dir = match options.state_dir {
        Some(chosen) => chosen,
        None => paths::state_dir(lookup, options.is_systems)?,
    };
    // The endpoint first: of two daemons that start at once, the loser leaves before it touches the store.
    let purpose =
        Purpose { is_systems: options.is_systems, serves_several: config.serves_several() };
    let listener = endpoint::open(options.socket.as_deref(), options.inherited, purpose, lookup)?;
    folders::close(&state_dir, &listener, purpose, lookup);
    let lookout = options.lookout.clone();
    let (confined, pinentry) = match options.lookout {
        Some(lookout) => {
            let program = consent::find_pinentry(config.policy.pinentry.as_ref(), lookup);
            let confined = confine(&lookout, &state_dir, &listener, program.as_deref());
            (confined, program.map(|_| Pinentry::new(lookout)))
        }
        None => (Confined::default(), None),
    };
    let audit = Audit::start(state_dir.join("audit")).map_err(RunError::Audit)?;
    let store = Arc::new(open_store_when_free(state_dir, &config.vault, lookup).await?);
    let (shutdown, signal) = Shutdown::new();
    let api = Arc::new(assemble(
        Arc::clone(&configuration),
        Arc::clone(&store),
        audit,
        &listener,
        confined,
        signal.clone(),
        lookup,
    ));
    let engine = Arc::clone(api.broker.engine());

    tell_service_manager(Stage::Ready);
    tracing::info!(endpoint = %listener.endpoint(), "ready");
    let limits = Limits::within(hardening::descriptor_limit());
    let reloading = tokio::spawn(read_anew_at_each(reloads, configuration));
    let sweeping = tokio::spawn(sweep_in_memory(Arc::clone(&api)));
    let prompting = tokio::spawn(ask_on_desktop(Arc::clone(&api), pinentry));
    let saving = tokio::spawn(save_left_overs(Arc::clone(&engine)));
    let idle = tokio::spawn(lock_when_idle(Arc::clone(&api)));
    let watching = watch_session(&api, &config.vault.lock_on);
    let limits = if api.broker.serves_several() { limits.among_several() } else { limits };
    let router = api::router(Arc::clone(&api));
    let ending = async {
        tokio::select! {
            () = termination => {}
            () = end_of(lookout) => {}
        }
    };
    let serving = serve(&listener, router, api::door(&api), signal, limits);
    let (deadline, ()) = tokio::join!(stop_after(ending, &shutdown, limits.grace), serving);
    finish_flights(&engine, deadline).await;
    prompting.abort();
    watching.abort();
    idle.abort();
    saving.abort();
    sweeping.abort();
    reloading.abort();
    engine.save_unsaved().await;
    api.broker.audit().flush();
    tracing::info!("stopped");
    Ok(())
}

/// Before the first thread is started, and after everything was made that is outside of the daemon's own folders.
fn confine(
    lookout: &Lookout,
    state_dir: &Path,
    listener: &Listener,
    prompt: Option<&Path>,
) -> Confined {
    // What is not there yet could not be written to later on; why it cannot be made, the store says.
    let _ = valetkey_safe_path::create_folder(state_dir);
    // Somebody may have put a link in its place.
    let audit = state_dir.join("audit");
    let of_socket = if listener.is_adopted() { None } else { listener.endpoint().path().parent() };
    let cleared: Vec<_> = of_socket.into_iter().collect();
    let written = [state_dir, &*audit];
    hardening::confine(lookout, Confinement { written: &written, cleared: &cleared, prompt })
}

async fn read_anew_at_each(mut reloads: Reloads, configuration: Arc<Configuration>) {
    loop {
        reloads.next().await;
        configuration.read_anew(SystemClock.now()).await;
    }
}

/// What could not be saved (disk full, read-only) is tried again while nobody asks for anything, too.
async fn save_left_overs(engine: Arc<Engine>) {
    loop {
        tokio::time::sleep(SAVING_PAUSE).await;
        engine.save_unsaved().await;
    }
}

/// The person whose daemon it is has a desktop; a service of the system's has none.
#[cfg(target_os = "linux")]
async fn ask_on_desktop(api: Arc<Api>, pinentry: Option<Pinentry>) {
    let user = rustix::process::getuid().as_raw();
    let user = valetkey_model::Partition::of_uid(user);
    api.broker.ask_on_desktop(user, pinentry).await;
}

/// Elsewhere `valetkey grants watch` asks.
#[cfg(not(target_os = "linux"))]
async fn ask_on_desktop(_api: Arc<Api>, _pinentry: Option<Pinentry>) {}

async fn lock_when_idle(api: Arc<Api>) {
    AutoLock(api).watch_idleness(&SystemClock).await;
}

/// Locks with the screen and before sleep, if it is to.
fn watch_session(api: &Arc<Api>, on: &[LockOn]) -> JoinHandle<()> {
    let (api, on) = (Arc::clone(api), on.to_vec());
    tokio::spawn(async move {
        if on.is_empty() {
            return;
        }
        #[cfg(target_os = "linux")]
        session::watch(&on, &AutoLock(Arc::clone(&api)), &api.session_watch, &SystemClock).await;
        #[cfg(not(target_os = "linux"))]
        api.session_watch.set(Some("only systemd-logind tells of them, on Linux".to_owned()));
    })
}

/// A program that died has closed nothing.
async fn sweep_in_memory(api: Arc<Api>) {
    loop {
        SystemClock.sleep(SWEEPING_PAUSE).await;
        api.broker.sweep_in_memory().await;
    }
}

/// Without its lookout a daemon cannot go on, as that says.
#[cfg(target_os = "linux")]
async fn end_of(lookout: Option<Lookout>) {
    match lookout {
        Some(lookout) => lookout.gone().await,
        None => std::future::pending().await,
    }
}

#[cfg(not(target_os = "linux"))]
async fn end_of(_lookout: Option<Lookout>) {
    std::future::pending().await
}

/// Passes the signal on when it comes, and answers until when everything has to be over.
async fn stop_after(
    termination: impl Future<Output = ()>,
    shutdown: &Shutdown,
    grace: Duration,
) -> Instant {
    termination.await;
    tell_service_manager(Stage::Stopping);
    shutdown.request();
    Instant::now() + grace
}

/// A refresh whose caller hung up may hold the only copy of a rotated refresh token: it is let finish.
async fn finish_flights(engine: &Engine, deadline: Instant) {
    let landed = async {
        while engine.flights_under_way() > 0 {
            tokio::time::sleep(LANDING_CHECK).await;
        }
    };
    if tokio::time::timeout_at(deadline, landed).await.is_err() {
        tracing::warn!("refreshes were still under way at the end of the grace period");
    }
}

/// How often a stopping daemon looks whether its refreshes have landed.
const LANDING_CHECK: Duration = Duration::from_millis(20);

/// How often to look for what nobody uses any more.
const SWEEPING_PAUSE: Duration = Duration::from_secs(60);

/// How long to leave a disk alone that took no change.
const SAVING_PAUSE: Duration = Duration::from_secs(30);

fn assemble(
    configuration: Arc<Configuration>,
    store: Arc<VaultStore>,
    audit: Audit,
    listener: &Listener,
    confined: Confined,
    stop: ShutdownSignal,
    lookup: Lookup<'_>,
) -> Api {
    let in_force = configuration.in_force();
    let network = &in_force.config().network;
    let service = Arc::new(Service::new(in_force.config().serves_several()));
    let ports = Ports {
        http: Arc::new(ReqwestClient::new(network, lookup)),
        clock: Arc::new(SystemClock),
        rng: Arc::new(SystemRng),
        store: Arc::clone(&store) as _,
        redirects: Arc::new(LoopbackListener),
        machine: Arc::new(MachineClient::new(network, lookup)),
    };
    let engine = Engine::with_room(ports, service.serves_several().then_some(MOST_BYTES));
    let credentials_directory = lookup("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let secrets = Secrets::new(Arc::clone(&store), credentials_directory);
    let consent = Consent::new(Arc::clone(&store), stop.clone());
    Api {
        broker: Broker::new(engine, configuration, secrets, audit, consent, service),
        store,
        locking: Locking::default(),
        session_watch: Watch::default(),
        process: Process {
            socket: listener.endpoint().to_string(),
            started: SystemClock.now(),
            key_of_environment: read_key_choice(lookup).ok().flatten(),
            confined,
            surroundings: Surroundings::named_by(lookup),
        },
        stop,
    }
}

/// What one user's programs may take up of the memory, where several users are served.
const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Goes before `[vault] key`.
const KEY_PROVIDER: &str = "VALETKEY_KEY_PROVIDER";

fn read_key_choice(lookup: Lookup<'_>) -> Result<Option<KeyChoice>, UnknownKeyChoice> {
    lookup(KEY_PROVIDER).map(|name| name.to_string_lossy().parse()).transpose()
}

/// A daemon that ends has given its socket away already, and keeps the store until providers have answered. Whoever started us
/// waits for ten seconds.
async fn open_store_when_free(
    state_dir: PathBuf,
    config: &VaultConfig,
    lookup: Lookup<'_>,
) -> Result<VaultStore, RunError> {
    for _ in 0..160 {
        match open_store(state_dir.clone(), config, lookup) {
            Err(RunError::Vault(VaultError::InUse { .. })) => {
                SystemClock.sleep(Duration::from_millis(50)).await;
            }
            opened => return opened,
        }
    }
    open_store(state_dir, config, lookup)
}

fn open_store(
    state_dir: PathBuf,
    config: &VaultConfig,
    lookup: Lookup<'_>,
) -> Result<VaultStore, RunError> {
    let now: crate::store::UnixSeconds =
        Arc::new(|| u64::try_from(SystemClock.now().seconds()).unwrap_or_default());
    let mut options = OpenOptions::new(state_dir, now());
    options.key = read_key_choice(lookup)?.unwrap_or_else(|| config.key.into());
    options.passphrase = config.read_passphrase().map_err(RunError::PassphraseFile)?;
    options.credentials_directory = lookup("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    VaultStore::open(options, now).map_err(|error| match (error, &config.passphrase_file) {
        (VaultError::WrongPassphrase, Some(path)) => RunError::OtherPassphrase(path.clone()),
        (error, _) => error.into(),
    })
}

/// What a service manager wants to know.
enum Stage {
    Ready,
    Stopping,
}

#[cfg(unix)]
fn tell_service_manager(stage: Stage) {
    use sd_notify::NotifyState;

    let state = match stage {
        Stage::Ready => NotifyState::Ready,
        Stage::Stopping => NotifyState::Stopping,
    };
    // Nobody listens outside of systemd, which is no error.
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "tell systemd of the state");
    }
}

#[cfg(not(unix))]
fn tell_service_manager(_stage: Stage) {}
