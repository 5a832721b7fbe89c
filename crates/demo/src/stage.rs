//! The stage: a temporary folder, the provider, and the daemon in a process of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::process::{Child, Command};
use valetkey_client::{Client, Endpoint};
use valetkey_testkit::entra::{EntraEmulator, Options, Rotation, Settings};

/// The story's failures are read by a person, once.
pub type Failure = Box<dyn std::error::Error>;

/// How long the daemon may take to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Everything that the story plays on. [`Stage::close`] ends the daemon and removes the folder.
pub struct Stage {
    /// The provider.
    pub provider: EntraEmulator,
    endpoint: PathBuf,
    daemon: Option<Child>,
    // The last to be dropped: the daemon writes to it until it is gone.
    folder: TempDir,
}

impl Stage {
    /// Opens the stage: an empty folder, and a provider that rotates refresh tokens and revokes the family when an old
    /// one is used again more than ten seconds later, as strict providers do.
    pub async fn open() -> Result<Self, Failure> {
        let settings = Settings {
            rotation: Rotation::Rotate { grace_seconds: 10 },
            device_interval: 1,
            ..Settings::default()
        };
        let provider = EntraEmulator::start(Options { settings, ..Options::default() }).await?;
        let folder = tempfile::Builder::new().prefix("valetkey-demo-").tempdir()?;
        let endpoint = if cfg!(windows) {
            PathBuf::from(format!(r"\\.\pipe\valetkey-demo-{}", std::process::id()))
        } else {
            folder.path().join("run").join("broker.sock")
        };
        Ok(Self { provider, endpoint, daemon: None, folder })
    }

    /// The temporary folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The daemon's endpoint.
    pub fn endpoint(&self) -> &Path {
        &self.endpoint
    }

    /// A client like any other program's.
    pub fn client(&self) -> Client {
        Client::at(Endpoint::at(&self.endpoint))
    }

    /// Starts the daemon, and returns how long it took until it answered.
    pub async fn start_daemon(&mut self) -> Result<Duration, Failure> {
        let started = now();
        let daemon = Command::new(std::env::current_exe()?)
            .arg(crate::AS_DAEMON)
            .arg("--socket")
            .arg(&self.endpoint)
            .arg("--state-dir")
            .arg(self.folder.path().join("state"))
            .env("VALETKEY_KEY_PROVIDER", "file")
            .env("VALETKEY_CONFIG", self.write_config()?)
            .env_remove("LISTEN_FDS")
            .stderr(Stdio::from(self.log()?))
            .kill_on_drop(true)
            .spawn()?;
        self.daemon = Some(daemon);
        let client = self.client();
        while client.status().await.is_err() {
            if started.elapsed() > START_LIMIT {
                return Err(format!("the daemon did not start:\n{}", self.read_log()).into());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(started.elapsed())
    }

    /// Kills the daemon without a warning: SIGKILL, which no program can catch.
    pub async fn kill_daemon(&mut self) -> Result<(), Failure> {
        if let Some(daemon) = &mut self.daemon {
            // It may have ended already: Ctrl-C reaches every program of a terminal.
            let _ = daemon.start_kill();
            daemon.wait().await?;
            self.daemon = None;
        }
        Ok(())
    }

    /// Ends the daemon, waits for its end, and removes the folder.
    pub async fn close(mut self) -> Result<(), Failure> {
        self.kill_daemon().await?;
        Ok(self.folder.close()?)
    }

    /// How many refreshes the provider has answered.
    pub fn refreshes(&self) -> u64 {
        self.provider.control().counters().get("refresh_token").map_or(0, |count| count.answered)
    }

    /// Lets access tokens live this long from now on.
    pub fn set_access_token_lifetime(&self, seconds: i64) {
        let settings = self.provider.control().settings();
        self.provider
            .control()
            .set_settings(Settings { access_token_lifetime: seconds, ..settings });
    }

    fn write_config(&self) -> Result<PathBuf, Failure> {
        let path = self.folder.path().join("config.toml");
        let mut file = std::fs::File::create(&path)?;
        std::io::Write::write_all(&mut file, b"# nothing: the defaults are good\n")?;
        Ok(path)
    }

    fn log(&self) -> std::io::Result<std::fs::File> {
        std::fs::OpenOptions::new().create(true).append(true).open(self.log_path())
    }

    fn read_log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("daemon.log")
    }
}

/// What time it is, for measuring.
#[expect(clippy::disallowed_methods, reason = "the demo measures, which no argument can do for it")]
pub fn now() -> Instant {
    Instant::now()
}
