//! Starting the daemon when nobody listens.
//!
//! The daemon that comes up belongs to nobody: it outlives the program that happened to start it, and its terminal. Two
//! programs may start one each at the same time; the daemon that finds the name taken ends by itself, without an error.
//! It takes the name before it opens its store, and may still find that it cannot go on: it is up when it answers.

mod log;
#[cfg_attr(unix, path = "start/unix.rs")]
#[cfg_attr(windows, path = "start/windows.rs")]
mod platform;

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use valetkey_ipc::Endpoint;

pub(crate) use self::log::state_folder;
use self::log::{Log, NoLog};
use crate::error::{Error, NoDaemon};

/// True unless `VALETKEY_AUTOSTART=0`, and unless it is for the system to start what listens there.
pub(crate) fn may_start(endpoint: &Endpoint) -> bool {
    is_allowed_by_environment() && !endpoint.is_of_the_system()
}

/// True unless `VALETKEY_AUTOSTART=0`.
pub(crate) fn is_allowed_by_environment() -> bool {
    env::var_os("VALETKEY_AUTOSTART").is_none_or(|value| value != "0")
}

/// A daemon that was started and is not listening yet.
pub(crate) struct Starting {
    program: PathBuf,
    child: Option<Child>,
    /// Without a log the daemon starts all the same; why there is none is told when it ends.
    log: Result<Log, NoLog>,
    waits: Waits,
}

impl Starting {
    /// Starts the daemon for this endpoint.
    pub(crate) fn begin(endpoint: &Endpoint) -> Result<Self, Error> {
        let program = find_daemon().ok_or_else(|| Error::no_daemon(NoDaemon::NotInstalled))?;
        reap_earlier_ones();
        let (log, stderr) = match log::open() {
            Ok((log, file)) => (Ok(log), file.into()),
            Err(reason) => (Err(reason), Stdio::null()),
        };
        let child = spawn(&program, endpoint, stderr).map_err(|source| {
            Error::no_daemon(NoDaemon::NotStartable { program: program.clone(), source })
        })?;
        Ok(Self { program, child: Some(child), log, waits: Waits::new() })
    }

    /// How long to wait before the next look whether it answers.
    pub(crate) fn next_wait(&mut self) -> Result<Duration, Error> {
        let ended = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten());
        if ended.is_some() {
            self.waits.hurry();
        }
        self.waits.next().ok_or_else(|| self.give_up(ended))
    }

    fn give_up(&self, ended: Option<ExitStatus>) -> Error {
        let program = self.program.clone();
        let log = self.log.as_ref().ok().map(|log| log.path().to_owned());
        let last_words = || match &self.log {
            Ok(log) => log.last_words(),
            Err(reason) => format!("its log cannot be kept: {reason}"),
        };
        Error::no_daemon(match ended {
            Some(status) => NoDaemon::Exited { program, status, last_words: last_words(), log },
            None => NoDaemon::NotListening { program, log },
        })
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        STARTED.lock().unwrap_or_else(PoisonError::into_inner).extend(self.child.take());
    }
}

/// Kept so that a daemon that ended is reaped when the next one is started, and does not remain as a zombie.
static STARTED: Mutex<Vec<Child>> = Mutex::new(Vec::new());

fn reap_earlier_ones() {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    started.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
}

/// Short waits that grow, up to a limit in all. They are counted and not measured, so that no clock is needed.
struct Waits {
    next: Duration,
    left: Duration,
}

impl Waits {
    fn new() -> Self {
        Self { next: FIRST_WAIT, left: PATIENCE }
    }

    /// The process ended: another one may have won the name and be about to listen, but not for long.
    fn hurry(&mut self) {
        self.left = self.left.min(GRACE.saturating_sub(PATIENCE.saturating_sub(self.left)));
    }

    fn next(&mut self) -> Option<Duration> {
        let wait = self.next.min(self.left);
        self.left -= wait;
        self.next = (self.next * 2).min(LONGEST_WAIT);
        Some(wait).filter(|wait| !wait.is_zero())
    }
}

/// What somebody chose, else what was installed with this program, else what is on PATH.
pub(crate) fn find_daemon() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os("VALETKEY_DAEMON").filter(|value| !value.is_empty()) {
        return Some(chosen.into());
    }
    let own = env::current_exe().ok();
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_owned);
    let path = env::var_os("PATH").unwrap_or_default();
    // An empty entry means the working directory, where anybody may have put anything.
    let folders = env::split_paths(&path).filter(|folder| folder.is_absolute());
    beside.into_iter().chain(folders).map(|folder| folder.join(PROGRAM)).find(|path| path.is_file())
}

fn spawn(program: &Path, endpoint: &Endpoint, stderr: Stdio) -> std::io::Result<Child> {
    let mut command = Command::new(program);
    command
        // This program's endpoint may have been chosen in code.
        .env("VALETKEY_SOCKET", endpoint.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr);
    platform::detach(&mut command);
    command.spawn()
}

const PROGRAM: &str = if cfg!(windows) { "valetkeyd.exe" } else { "valetkeyd" };
const FIRST_WAIT: Duration = Duration::from_millis(2);
const LONGEST_WAIT: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_end_after_ten_seconds() {
        let mut waits = Waits::new();
        let all: Vec<_> = std::iter::from_fn(|| waits.next()).collect();
        assert_eq!(all.iter().sum::<Duration>(), PATIENCE);
        assert_eq!(all[0], FIRST_WAIT);
        assert!(all.iter().all(|wait| *wait <= LONGEST_WAIT));
    }

    #[test]
    fn after_the_end_of_the_process_only_the_grace_is_left() {
        let mut waits = Waits::new();
        let before = waits.next().unwrap() + waits.next().unwrap();
        waits.hurry();
        let after: Duration = std::iter::from_fn(|| waits.next()).sum();
        assert_eq!(before + after, GRACE);
    }
}
