//! The configuration in force: what the file said when it was last read and whole.
//!
//! A changed file is read when somebody opens an application or asks for the status, and when a signal says so; of token
//! requests one in a second looks at the file, and the others at what is in force. A broken file changes nothing, and neither does one that is gone: an
//! editor may be about to write it.

mod policy;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use valetkey_engine::{AppId, Definition};
use valetkey_model::UnixTime;
use valetkey_policy::Policy;

use crate::config::{AppConfig, AppKind, Config, ConfigError, Loaded, Source, Stamp};
use crate::from_wire;

/// Where the configuration is read, and what is in force.
pub struct Configuration {
    source: Source,
    started_with: Config,
    in_force: RwLock<Arc<InForce>>,
    /// One reads at a time, and of two who come at once the later one finds what the earlier one has read.
    seen: Arc<AsyncMutex<Seen>>,
    /// Somebody has waited in vain for whoever reads.
    is_late: AtomicBool,
    /// The second of the last look on the way of other requests.
    kept_up_at: AtomicI64,
}

/// A configuration and what follows from it.
#[derive(Clone)]
pub struct InForce {
    epoch: Arc<Epoch>,
    loaded: Loaded,
    policy: Policy,
    /// The names of the public applications, whose ids follow from the configuration alone.
    names: HashMap<AppId, String>,
    problem: Option<String>,
}

/// The time during which declared applications, their credentials and those who may use them are the same.
#[derive(Debug, Default)]
pub struct Epoch {
    is_over: AtomicBool,
}

impl Epoch {
    /// From here on, what was decided in it holds no more.
    pub fn end(&self) {
        self.is_over.store(true, Ordering::Release);
    }

    /// Whether what was decided in it holds no more.
    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }
}

/// What the file looked like before it was last read.
struct Seen {
    stamp: Option<Stamp>,
    /// Whether the same stamp means the same content.
    is_settled: bool,
}

impl Configuration {
    /// Reads it for the first time.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn load(source: Source, now: UnixTime) -> Result<Self, ConfigError> {
        let seen = Seen::now(&source, now);
        let loaded = source.load()?;
        Ok(Self {
            started_with: loaded.config.clone(),
            in_force: RwLock::new(Arc::new(InForce::new(loaded))),
            source,
            seen: Arc::new(AsyncMutex::new(seen)),
            is_late: AtomicBool::default(),
            kept_up_at: AtomicI64::new(now.seconds()),
        })
    }

    /// What is in force, without a look at the file.
    pub fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What is in force, after a look at the file.
    pub async fn look(self: &Arc<Self>, now: UnixTime) -> Arc<InForce> {
        self.in_time(move |this, seen| this.read_if_changed(seen, now)).await
    }

    /// As [`Self::look`], once in a second: what was decided by another configuration is not relied on for longer.
    pub async fn keep_up(self: &Arc<Self>, now: UnixTime) {
        if self.kept_up_at.swap(now.seconds(), Ordering::Relaxed) != now.seconds() {
            self.look(now).await;
        }
    }

    /// As [`Self::look`], whatever the file looks like.
    pub async fn read_anew(self: &Arc<Self>, now: UnixTime) -> Arc<InForce> {
        self.in_time(move |this, seen| {
            this.read(seen, now);
            this.renew();
        })
        .await
    }

    /// Has everything decided anew that rests on what the configuration refers to.
    fn renew(&self) {
        self.put_in_force(InForce { epoch: Arc::default(), ..InForce::clone(&self.in_force()) });
    }

    fn put_in_force(&self, after: InForce) {
        let mut in_force = self.in_force.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&in_force.epoch, &after.epoch) {
            in_force.epoch.end();
        }
        *in_force = Arc::new(after);
    }

    /// The settings that the file has changed and that this process read at its start alone.
    pub fn waiting_for_restart(&self, has_key: bool) -> Vec<String> {
        let waiting = self.in_force().config().waiting_for_restart(&self.started_with, has_key);
        waiting.into_iter().map(str::to_owned).collect()
    }

    /// A file system may take its time, and others are being answered. One that does not answer at all holds one thread, and
    /// what was read before stays in force.
    async fn in_time(
        self: &Arc<Self>,
        work: impl FnOnce(&Self, &mut Seen) + Send + 'static,
    ) -> Arc<InForce> {
        let this = Arc::clone(self);
        let reading = async {
            let mut seen = Arc::clone(&self.seen).lock_owned().await;
            self.is_late.store(false, Ordering::Relaxed);
            spawn_blocking(move || work(&this, &mut seen)).await
        };
        let is_stuck = self.is_late.load(Ordering::Relaxed) && self.seen.try_lock().is_err();
        match timeout(if is_stuck { Duration::ZERO } else { PATIENCE }, reading).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "reading the configuration died"),
            Err(_) => self.tell_of_no_answer(),
        }
        self.in_force()
    }

    fn tell_of_no_answer(&self) {
        self.is_late.store(true, Ordering::Relaxed);
        let mut in_force = self.in_force.write().unwrap_or_else(PoisonError::into_inner);
        let path = in_force.file().or_else(|| self.preferred_file()).unwrap_or(Path::new(""));
        if let Some(told) = in_force.with_problem(&ConfigError::NoAnswer { path: path.into() }) {
            told.log();
            *in_force = Arc::new(told);
        }
    }

    fn read_if_changed(&self, seen: &mut Seen, now: UnixTime) {
        // What is wrong may be put right elsewhere than in the file, as the mode of a folder.
        let is_fine = seen.is_settled && self.in_force().problem().is_none();
        if !is_fine || seen.stamp != self.source.stamp() {
            self.read(seen, now);
        }
    }

    fn read(&self, seen: &mut Seen, now: UnixTime) {
        // Looked at before it is read: what is written meanwhile makes the next look differ.
        *seen = Seen::now(&self.source, now);
        let loaded = self.source.load();
        let before = self.in_force();
        let after = match loaded {
            Ok(loaded) => self.replace(&before, loaded),
            Err(error) => before.with_problem(&error),
        };
        if let Some(after) = after {
            after.log();
            self.put_in_force(after);
        }
    }

    fn replace(&self, before: &InForce, loaded: Loaded) -> Option<InForce> {
        if let Some(file) = &before.loaded.file
            && self.source.rank(loaded.file.as_deref()) > self.source.rank(Some(file))
        {
            return before.with_problem(&ConfigError::Gone { path: file.clone() });
        }
        let is_as_before = before.problem.is_none() && before.loaded == loaded;
        (!is_as_before).then(|| InForce::new(loaded))
    }

    /// Where a configuration could be written for this daemon to read.
    pub fn preferred_file(&self) -> Option<&Path> {
        self.source.preferred()
    }
}

impl Seen {
    fn now(source: &Source, now: UnixTime) -> Self {
        let stamp = source.stamp();
        let is_settled = stamp.as_ref().is_none_or(|stamp| stamp.is_settled(now));
        Self { stamp, is_settled }
    }
}

impl InForce {
    fn new(loaded: Loaded) -> Self {
        let apps = loaded.config.apps.iter().filter(|(_, app)| app.kind == AppKind::Public);
        let names = apps.filter_map(|(name, app)| {
            let definition = from_wire::definition(&app.definition()).ok()?;
            let definition = Definition { declared_as: Some(name.clone()), ..definition };
            Some((definition.app_id(), name.clone()))
        });
        Self {
            epoch: Arc::default(),
            names: names.collect(),
            policy: policy::policy(&loaded.config, &loaded.users),
            loaded,
            problem: None,
        }
    }

    /// The same, with what is wrong with the file; `None` when that is said already.
    fn with_problem(&self, error: &ConfigError) -> Option<Self> {
        let problem = Some(error.to_string());
        (self.problem != problem).then(|| Self { problem, ..self.clone() })
    }

    fn log(&self) {
        match &self.problem {
            Some(problem) => {
                tracing::warn!(problem, "the configuration before the last change stays in force");
            }
            None => tracing::info!(file = ?self.loaded.file, "the configuration was read anew"),
        }
    }

    /// How long what is decided by this holds.
    pub fn epoch(&self) -> &Arc<Epoch> {
        &self.epoch
    }

    /// As it was read.
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// The file that it was read from; `None` when there was none.
    pub fn file(&self) -> Option<&Path> {
        self.loaded.file.as_deref()
    }

    /// Why the file's present content is not in force; `None` when it is.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Who may ask for what.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The declared applications.
    pub fn apps(&self) -> &BTreeMap<String, AppConfig> {
        &self.loaded.config.apps
    }

    /// The name of a declared application.
    pub fn name_of(&self, app: &AppId) -> Option<&str> {
        self.names.get(app).map(String::as_str)
    }
}

/// How long a file on this machine could take at the most.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
