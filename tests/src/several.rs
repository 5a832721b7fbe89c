//! A machine of several users: the system's daemon as an unprivileged user of its own, and programs of any other user.
//!
//! It takes root, since nobody else can become somebody else.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rustix::process::{Gid, Pid, Signal, Uid, kill_process};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
use tempfile::TempDir;
use tokio::net::{TcpStream, UnixDatagram, UnixStream};
use tokio::process::{Child, Command};
use valetkey_ipc::Endpoint;

use crate::connection::{Connection, patiently};
use crate::programs::Program;
use crate::skip::is_root;

/// The system's daemon. Dropping it kills the daemon and removes all.
pub struct SeveralUsers {
    daemon: Option<Child>,
    folder: TempDir,
    runs_as: u32,
}

/// Whom the daemon runs as, unless a test says otherwise.
pub const SERVICE: u32 = 20_001;

impl SeveralUsers {
    /// A machine with this configuration and no daemon yet; `None`, and by name, where the test is not root.
    ///
    /// # Panics
    /// When there is no room for temporary files.
    pub fn new(configuration: &str) -> Option<Self> {
        if !is_root() {
            return None;
        }
        // Where root alone can make folders: clients trust whom root gave the socket's folder.
        let folder = tempfile::tempdir_in("/var").unwrap();
        let machine = Self { daemon: None, folder, runs_as: SERVICE };
        fs::set_permissions(machine.folder(), Permissions::from_mode(0o755)).unwrap();
        let machine = machine.running_as(SERVICE);
        for program in [Program::Daemon, Program::Cli] {
            let (from, to) = (program.path(), machine.program(program));
            fs::hard_link(&from, &to).or_else(|_| fs::copy(&from, &to).map(drop)).unwrap();
        }
        machine.configure(configuration);
        Some(machine)
    }

    /// The same, whose daemon will run as this user.
    ///
    /// # Panics
    /// When its folders cannot be made.
    #[must_use]
    pub fn running_as(mut self, user: u32) -> Self {
        self.runs_as = user;
        for name in ["run", "state"] {
            let folder = self.folder().join(name);
            fs::create_dir_all(&folder).unwrap();
            chown(folder, Some(user), Some(user)).unwrap();
        }
        self
    }

    /// As [`Self::new`], with its daemon.
    pub async fn start(configuration: &str) -> Option<Self> {
        let mut machine = Self::new(configuration)?;
        machine.launch("exec \"$0\" --system").await;
        Some(machine)
    }

    /// Writes the configuration, and has a daemon that runs read it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, configuration: &str) {
        let (file, fresh) = (self.folder().join("config.toml"), self.folder().join("config.new"));
        File::create(&fresh).unwrap().write_all(configuration.as_bytes()).unwrap();
        fs::rename(fresh, file).unwrap();
        if let Some(daemon) = self.daemon.as_ref().and_then(Child::id) {
            let daemon = i32::try_from(daemon).ok().and_then(Pid::from_raw).unwrap();
            kill_process(daemon, Signal::HUP).unwrap();
        }
    }

    /// Starts the daemon by a line of shell, to which its path is `$0`.
    ///
    /// # Panics
    /// When it does not listen.
    pub async fn launch(&mut self, line: &str) {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]).arg(self.program(Program::Daemon));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("VALETKEY_KEY_PROVIDER", "file");
        command.env("RUNTIME_DIRECTORY", self.folder().join("run"));
        command.env("STATE_DIRECTORY", self.folder().join("state"));
        command.env("VALETKEY_CONFIG", self.folder().join("config.toml"));
        command.env("VALETKEY_LOG", "debug");
        command.current_dir("/").uid(self.runs_as).gid(self.runs_as).kill_on_drop(true);
        let log = File::options().append(true).create(true).open(self.log_file()).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let ready = self.open_notices(&mut command);
        let mut daemon = command.spawn().unwrap();
        tokio::select! {
            // It may be sent signals from then on; to listen it begins before.
            () = patiently("the daemon's start", wait_until_ready(&ready)) => {}
            _ = daemon.wait() => panic!("the daemon ended; its log:\n{}", self.logs()),
        }
        self.daemon = Some(daemon);
    }

    /// Where the daemon tells of itself, as to systemd (sd_notify(3)).
    fn open_notices(&self, command: &mut Command) -> UnixDatagram {
        let path = self.folder().join("notices");
        // One that another daemon told of itself before may be there.
        let _ = fs::remove_file(&path);
        let notices = UnixDatagram::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        command.env("NOTIFY_SOCKET", path);
        notices
    }

    /// Where the daemon listens.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::at(self.folder().join("run/broker.sock"))
    }

    /// The folder that holds all of the others.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the daemon wrote to its log.
    pub fn logs(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file()).unwrap_or_default()).into_owned()
    }

    /// A connection of a program of this user's.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn connect_as(&self, uid: u32) -> Connection {
        self.connect_with(uid, &[])
    }

    /// The same, of one that is in these groups.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn connect_with(&self, uid: u32, groups: &[u32]) -> Connection {
        self.try_connect_with(uid, groups).unwrap()
    }

    fn try_connect_with(&self, uid: u32, groups: &[u32]) -> io::Result<Connection> {
        let path = self.endpoint().path().to_owned();
        let stream = as_user(uid, groups, move || StdUnixStream::connect(path))?;
        stream.set_nonblocking(true)?;
        Ok(Connection::over(UnixStream::from_std(stream)?))
    }

    /// A connection of this user's browser to a port of loopback.
    ///
    /// # Panics
    /// When nobody listens.
    pub fn browse_as(uid: u32, port: u16) -> Connection {
        let connect = move || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port));
        let stream = as_user(uid, &[], connect).unwrap();
        stream.set_nonblocking(true).unwrap();
        Connection::over(TcpStream::from_std(stream).unwrap())
    }

    /// The home folder of a user, who owns it.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn home_of(&self, uid: u32) -> PathBuf {
        let home = self.folder().join(format!("home-{uid}"));
        if !home.is_dir() {
            fs::create_dir(&home).unwrap();
            fs::set_permissions(&home, Permissions::from_mode(0o700)).unwrap();
            chown(&home, Some(uid), Some(uid)).unwrap();
        }
        home
    }

    /// The command as this user, who has chosen this daemon.
    pub fn command_as(&self, uid: u32, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.program(Program::Cli));
        command.args(arguments).env_clear().env("PATH", "/usr/bin:/bin");
        command.env("HOME", self.home_of(uid)).env("VALETKEY_SOCKET", self.endpoint().path());
        command.current_dir("/").uid(uid).gid(uid).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// A program of ours where every user can run it.
    pub fn program(&self, program: Program) -> PathBuf {
        self.folder().join(match program {
            Program::Daemon => "valetkeyd",
            _ => "valetkey",
        })
    }

    fn log_file(&self) -> PathBuf {
        self.folder().join("valetkeyd.log")
    }
}

/// Does something in a thread that is this user's: the kernel knows users by thread.
fn as_user<T: Send + 'static>(
    uid: u32,
    groups: &[u32],
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let groups: Vec<_> = groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let work = move || {
        let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
        set_thread_groups(&groups)?;
        set_thread_res_gid(group, group, group)?;
        set_thread_res_uid(user, user, user)?;
        work()
    };
    std::thread::spawn(work).join().unwrap()
}

async fn wait_until_ready(notices: &UnixDatagram) {
    let mut notice = [0; 256];
    loop {
        let length = notices.recv(&mut notice).await.unwrap();
        if notice[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
            return;
        }
    }
}
