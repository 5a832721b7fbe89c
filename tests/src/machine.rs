//! A machine of one user: folders of its own, a daemon, and what the daemon wrote to its log.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use valetkey_ipc::{ConnectError, Endpoint};

use crate::connection::{Answer, Connection, patiently};
use crate::programs::{self, Program};

/// A home folder and a daemon. Dropping it kills the daemon and removes all.
pub struct Machine {
    daemon: Option<Child>,
    environment: Vec<(OsString, OsString)>,
    endpoint: Endpoint,
    // The last to be dropped: the daemon writes to it until it is gone.
    folder: TempDir,
}

impl Machine {
    /// A machine on which no daemon runs.
    ///
    /// # Panics
    /// When there is no room for temporary files.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "run", "state", "config"] {
            make_private_folder(&folder.path().join(name));
        }
        let endpoint = endpoint_in(folder.path());
        let mut machine = Self { daemon: None, environment: Vec::new(), endpoint, folder };
        let base = machine.base_environment();
        machine.environment.extend(base);
        machine
    }

    /// A machine whose daemon runs.
    pub async fn start() -> Self {
        let mut machine = Self::new();
        machine.launch().await;
        machine
    }

    /// Sets a variable for all programs of this machine.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a variable for all programs that this machine starts from now on.
    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.into(), value.as_ref().into()));
    }

    /// A program of ours, with this machine's environment and none of the test's.
    pub fn command(&self, program: Program) -> Command {
        self.command_of(program.path())
    }

    /// Any program, with this machine's environment and none of the test's.
    pub fn command_of(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear();
        // Windows finds its own libraries by these.
        let of_system = ["SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "WINDIR"];
        command.envs(of_system.iter().filter_map(|name| Some((*name, std::env::var_os(name)?))));
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(self.folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts the daemon and waits until it listens.
    ///
    /// # Panics
    /// When it does not.
    pub async fn launch(&mut self) {
        let command = self.command(Program::Daemon);
        self.launch_by(command).await;
    }

    /// As [`Self::launch`], by a command that ends in the daemon.
    ///
    /// # Panics
    /// When the daemon does not listen.
    pub async fn launch_by(&mut self, mut command: Command) {
        assert!(self.daemon.is_none(), "the daemon runs already");
        let mut daemon = self.spawn(&mut command);
        let listening = patiently("the daemon's start", self.wait_for_listener(&mut daemon));
        if let Err(status) = listening.await {
            panic!("the daemon ended with {status}; its log:\n{}", self.logs());
        }
        self.daemon = Some(daemon);
    }

    /// Starts a command that ends in a daemon, with its log kept.
    ///
    /// # Panics
    /// When it does not start.
    pub fn spawn(&self, command: &mut Command) -> Child {
        command.stdout(Stdio::null()).stderr(self.open_log());
        command.spawn().expect("the daemon starts")
    }

    async fn wait_for_listener(&self, daemon: &mut Child) -> Result<(), ExitStatus> {
        loop {
            match valetkey_ipc::connect(&self.endpoint).await {
                Ok(_) => return Ok(()),
                Err(ConnectError::NotRunning { .. } | ConnectError::Busy { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            if let Some(status) = daemon.try_wait().unwrap() {
                return Err(status);
            }
            // sleep: nothing tells when another process begins to listen but trying to connect.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// What a daemon says that cannot start.
    ///
    /// # Panics
    /// When it can.
    pub async fn launch_in_vain(&self) -> String {
        let output = self.command(Program::Daemon).output();
        let output = patiently("the daemon's end", output).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "it ended well: {said}");
        said
    }

    /// Ends the daemon without warning (SIGKILL).
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&mut self) {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        daemon.kill().await.unwrap();
    }

    /// Kills the daemon and starts it anew.
    pub async fn restart(&mut self) {
        self.kill().await;
        self.launch().await;
    }

    /// Asks the daemon to end (SIGTERM) and waits for it.
    ///
    /// # Panics
    /// When it does not end.
    #[cfg(unix)]
    pub async fn stop(&mut self) -> ExitStatus {
        self.ask_to_stop();
        self.wait_for_exit().await
    }

    /// Asks the daemon to end (SIGTERM).
    ///
    /// # Panics
    /// When it does not run.
    #[cfg(unix)]
    pub fn ask_to_stop(&self) {
        self.send_signal(rustix::process::Signal::TERM);
    }

    /// Asks the daemon to read its configuration anew (SIGHUP).
    ///
    /// # Panics
    /// When it does not run.
    #[cfg(unix)]
    pub fn ask_to_reload(&self) {
        self.send_signal(rustix::process::Signal::HUP);
    }

    #[cfg(unix)]
    fn send_signal(&self, signal: rustix::process::Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(pid.unwrap(), signal).unwrap();
    }

    /// Waits until the daemon has ended.
    ///
    /// # Panics
    /// When it does not run, or does not end.
    pub async fn wait_for_exit(&mut self) -> ExitStatus {
        let mut daemon = self.daemon.take().expect("a daemon runs");
        patiently("the daemon's end", daemon.wait()).await.unwrap()
    }

    /// True when the daemon has ended by itself.
    ///
    /// # Panics
    /// When none was started.
    pub fn has_ended(&mut self) -> bool {
        self.daemon.as_mut().expect("a daemon was started").try_wait().unwrap().is_some()
    }

    /// The daemon's process id.
    ///
    /// # Panics
    /// When it does not run.
    pub fn pid(&self) -> u32 {
        self.daemon.as_ref().and_then(Child::id).expect("a daemon runs")
    }

    /// What all daemons of this machine wrote to their log.
    pub fn logs(&self) -> String {
        let log = std::fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Where the daemon listens.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The folder that holds all of the others.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The folder of the store.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state").join("valetkey")
    }

    /// Writes a file below [`Self::folder`], for this user alone.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder().join(path);
        std::fs::create_dir_all(path.parent().expect("a file is in a folder")).unwrap();
        File::create(path).unwrap().write_all(content.as_ref()).unwrap();
    }

    /// A new connection to the daemon.
    ///
    /// # Panics
    /// When nobody listens.
    pub async fn connect(&self) -> Connection {
        match self.try_connect().await {
            Ok(connection) => connection,
            Err(error) => panic!("{error}; the daemon's log:\n{}", self.logs()),
        }
    }

    /// As [`Self::connect`], for a daemon that may be down. A queue that is full is waited for.
    ///
    /// # Errors
    /// When nobody listens.
    pub async fn try_connect(&self) -> Result<Connection, ConnectError> {
        loop {
            match valetkey_ipc::connect(&self.endpoint).await {
                Ok(stream) => return Ok(Connection::over(stream)),
                Err(ConnectError::Busy { .. }) => {
                    // sleep: nothing tells when the daemon has taken a connection from the queue.
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A connection to a daemon that somebody else is starting.
    ///
    /// # Panics
    /// When none comes.
    pub async fn connect_when_up(&self) -> Connection {
        let connecting = async {
            loop {
                match self.try_connect().await {
                    Err(ConnectError::NotRunning { .. }) => {}
                    outcome => return outcome.unwrap(),
                }
                // sleep: nothing tells when another process begins to listen but trying to connect.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        patiently("a daemon", connecting).await
    }

    /// One `GET` over a connection of its own.
    pub async fn get(&self, path: &str) -> Answer {
        self.connect().await.get(path).await
    }

    /// `GET /v1/status`.
    pub async fn status(&self) -> Value {
        self.get("/v1/status").await.success()
    }

    fn base_environment(&self) -> Vec<(OsString, OsString)> {
        let folder = self.folder.path();
        let mut path = vec![programs::folder()];
        path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
        let variables = [
            ("HOME", folder.join("home").into_os_string()),
            ("XDG_RUNTIME_DIR", folder.join("run").into_os_string()),
            ("XDG_STATE_HOME", folder.join("state").into_os_string()),
            ("XDG_CONFIG_HOME", folder.join("config").into_os_string()),
            ("VALETKEY_KEY_PROVIDER", "file".into()),
            ("PATH", std::env::join_paths(path).unwrap()),
        ];
        let mut variables: Vec<_> =
            variables.into_iter().map(|(name, value)| (name.into(), value)).collect();
        // A pipe has no folder that would make its name this machine's own.
        if cfg!(windows) {
            let pipe = self.endpoint.path().as_os_str().to_owned();
            variables.push(("VALETKEY_SOCKET".into(), pipe));
        }
        variables
    }

    fn log_file(&self) -> PathBuf {
        self.folder.path().join("valetkeyd.log")
    }

    fn open_log(&self) -> File {
        File::options().append(true).create(true).open(self.log_file()).unwrap()
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(unix)]
fn endpoint_in(folder: &Path) -> Endpoint {
    Endpoint::at(folder.join("run/valetkey/broker.sock"))
}

#[cfg(windows)]
fn endpoint_in(folder: &Path) -> Endpoint {
    let unique = folder.file_name().unwrap().to_string_lossy();
    Endpoint::at(format!(r"\\.\pipe\valetkey-test-{unique}"))
}

fn make_private_folder(path: &Path) {
    std::fs::create_dir(path).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
}
