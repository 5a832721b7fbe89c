//! The real daemon, in a process and a folder of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use valetkey_client::{Endpoint, blocking};

use crate::{Outcome, now, programs};

/// A running daemon. Dropping it kills it.
pub(crate) struct Daemon {
    child: Child,
    socket: PathBuf,
}

/// How long it may take to listen.
const START_LIMIT: Duration = Duration::from_secs(20);

impl Daemon {
    /// Starts it on `folder`'s store, and waits until it listens.
    pub(crate) fn start(folder: &Path, config: &Path) -> Outcome<Self> {
        let daemon = Self::spawn(folder, config)?;
        let started = now();
        while std::os::unix::net::UnixStream::connect(daemon.socket()).is_err() {
            if started.elapsed() > START_LIMIT {
                return Err("the daemon did not start".into());
            }
            // sleep: nothing tells when another process begins to listen but trying to connect.
            thread::sleep(Duration::from_micros(200));
        }
        Ok(daemon)
    }

    /// Starts it and waits for nothing.
    pub(crate) fn spawn(folder: &Path, config: &Path) -> Outcome<Self> {
        let socket = folder.join("run").join("broker.sock");
        let child = Command::new(programs::ours("valetkeyd")?)
            .arg("--socket")
            .arg(&socket)
            .arg("--state-dir")
            .arg(folder.join("state"))
            .arg("--config")
            .arg(config)
            .env("VALETKEY_KEY_PROVIDER", "file")
            .env_remove("LISTEN_FDS")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, socket })
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::at(&self.socket)
    }

    /// A client of it, as any program's.
    pub(crate) fn client(&self) -> blocking::Client {
        blocking::Client::at(self.endpoint())
    }

    /// Ends it in good order.
    pub(crate) fn stop(mut self) -> Outcome {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.ok_or("the daemon has no process id")?, Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// Ends it without warning.
    pub(crate) fn kill(mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Its resident memory in bytes, as the kernel counts it.
    pub(crate) fn resident(&self) -> Outcome<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kibibytes = line.and_then(|line| line.split_whitespace().next());
        Ok(kibibytes.ok_or("the kernel does not say VmRSS")?.parse::<f64>()? * 1024.0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
