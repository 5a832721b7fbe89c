//! What is known of the program behind a connection, and what is not believed. Perl stands for the programs: it is on every
//! Debian, and a copy of it under another name is a program of that name.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use valetkey_ipc::{Endpoint, Listener, Peer, Stream};
use valetkey_model::{Executable, Unidentified};

const PERL: &str = "/usr/bin/perl";

/// Connects, and does what each line of its input says.
const SCRIPT: &str = r#"
    use IO::Socket::UNIX;
    $^F = 99; # no descriptor is closed by exec
    $| = 1;
    my $socket = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die $!;
    my %acts = (
        exec => sub { exec '/usr/bin/sleep', '600' },
        "leave a child" => sub { if (fork) { exit } <$socket>; exit },
    );
    while (<STDIN>) { chomp; print "$_\n"; $acts{$_}->() if $acts{$_} }
"#;

/// A listener, and a program that has connected to it.
struct World {
    folder: tempfile::TempDir,
    listener: Listener,
}

struct Connected {
    peer: Peer,
    process: Child,
    output: BufReader<ChildStdout>,
    _stream: Stream,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = Listener::bind(&Endpoint::at(folder.path().join("broker.sock"))).unwrap();
        Self { folder, listener }
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A program with a name of its own.
    fn copy(&self, name: &str) -> PathBuf {
        let path = self.place(name);
        std::fs::copy(PERL, &path).unwrap();
        path
    }

    async fn run(&self, program: &Path) -> Connected {
        let mut command = Command::new(program);
        command.args(["-e", SCRIPT]).arg(self.place("broker.sock"));
        self.connect(command).await
    }

    async fn connect(&self, mut command: Command) -> Connected {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (stream, peer) = self.listener.accept().await.unwrap().identify().unwrap();
        Connected { peer, process, output, _stream: stream }
    }
}

impl Connected {
    /// Tells the program to do something, and waits until it has begun to.
    fn tell(&mut self, act: &str) {
        writeln!(self.process.stdin.as_mut().unwrap(), "{act}").unwrap();
        let mut said = String::new();
        self.output.read_line(&mut said).unwrap();
        assert_eq!(said.trim(), act);
    }

    fn check(&self, path: Option<&Path>, why: Option<Unidentified>) {
        let path = path.map(Path::to_path_buf);
        let expected = match why {
            None => Executable::Identified(path.unwrap()),
            Some(why) => Executable::Unidentified { path, why },
        };
        assert_eq!(self.peer.describe().executable, expected);
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is awaited is another process's doing, which nothing tells of.
fn wait_until(happened: impl Fn() -> bool) {
    while !happened() {
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_program_is_known_by_its_file_and_its_parents_are_told() {
    let world = World::new();
    let mailer = world.copy("mailer");
    let connected = world.run(&mailer).await;
    connected.check(Some(&mailer), None);
    let caller = connected.peer.caller();
    assert_eq!(caller.process.unwrap().number, connected.process.id());
    assert_eq!(caller.program.as_deref(), Some(&*mailer));
    let parents = connected.peer.parents();
    assert_eq!(parents[0].number, std::process::id());
    assert_eq!(parents[0].name, std::env::current_exe().unwrap().display().to_string());
}

#[tokio::test]
async fn an_interpreter_is_unidentified() {
    let world = World::new();
    let connected = world.run(Path::new(PERL)).await;
    connected.check(Some(Path::new(PERL)), Some(Unidentified::Interpreter));
}

#[tokio::test]
async fn a_program_that_runs_another_one_after_it_connected_is_unidentified() {
    let world = World::new();
    let mailer = world.copy("mailer");
    let mut connected = world.run(&mailer).await;
    connected.tell("exec");
    let link = format!("/proc/{}/exe", connected.process.id());
    wait_until(|| std::fs::read_link(&link).unwrap() != mailer);
    assert!(connected.peer.is_running());
    let now = std::fs::read_link(&link).unwrap();
    connected.check(Some(&now), Some(Unidentified::Changed));
}

#[tokio::test]
async fn a_child_that_speaks_for_a_process_that_ended_is_unidentified() {
    let world = World::new();
    let mailer = world.copy("mailer");
    let mut connected = world.run(&mailer).await;
    connected.tell("leave a child");
    connected.process.wait().unwrap();
    assert!(!connected.peer.is_running());
    connected.check(Some(&mailer), Some(Unidentified::Ended));
}

#[tokio::test]
async fn a_program_whose_file_was_replaced_is_unidentified() {
    let world = World::new();
    let mailer = world.copy("mailer");
    let connected = world.run(&mailer).await;
    std::fs::rename(world.copy("newer"), &mailer).unwrap();
    let gone = PathBuf::from(format!("{} (deleted)", mailer.display()));
    connected.check(Some(&gone), Some(Unidentified::AnotherFile));
}

/// By mounts of its own; where that takes a user namespace of its own as well, nothing is told.
#[tokio::test]
async fn a_program_that_another_mount_gives_a_trusted_ones_path_is_unidentified() {
    let user_namespace = &["--user", "--map-current-user", "--keep-caps"][..];
    for namespace in [user_namespace, &[]] {
        if namespace.is_empty() && !rustix::process::geteuid().is_root() {
            println!("skipped: only root mounts something outside of a user namespace");
            continue;
        }
        let world = World::new();
        let (mailer, trusted) = (world.copy("mailer"), world.copy("trusted"));
        let mut command = Command::new("unshare");
        command.args(namespace).args(["--mount", "sh", "-euc"]);
        command.arg(r#"mount --bind "$1" "$2"; exec "$2" -e "$3" "$4""#);
        command.arg("sh").args([&mailer, &trusted]).arg(SCRIPT).arg(world.place("broker.sock"));
        let connected = world.connect(command).await;
        match namespace.is_empty() {
            true => connected.check(Some(&trusted), Some(Unidentified::AnotherFile)),
            false => connected.check(None, Some(Unidentified::Hidden)),
        }
    }
}
