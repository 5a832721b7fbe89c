//! The three roles: the test, an application, and the daemon, for which a shell script stands in.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use valetkey_client::{Endpoint, Error, blocking};
use valetkey_ipc::{BindError, Listener};

pub fn main() {
    if is_listing("a_daemon_is_started_when_it_is_needed") {
        return;
    }
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve(),
        Some("hang-up") => hang_up(),
        Some("ask") => ask(),
        _ => {
            many_callers_at_once_end_with_one_daemon_of_its_own();
            a_daemon_that_ends_at_once_is_told_with_its_status();
            what_the_daemon_said_last_is_told();
            a_daemon_that_ends_after_it_took_its_name_is_told();
            without_a_log_the_reason_is_told();
            a_program_that_cannot_be_run_is_told();
            nothing_is_started_when_the_environment_says_so();
            println!("test result: ok. 7 passed");
        }
    }
}

/// Tells a test runner that asks which tests there are of this one; a program without a harness must do so itself.
fn is_listing(name: &str) -> bool {
    let asks = |option| std::env::args().any(|argument| argument == option);
    if asks("--list") && !asks("--ignored") {
        println!("{name}: test");
    }
    asks("--list")
}

/// A folder with a stand-in for the daemon.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut options = fs::OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o700)
            .open(folder.path().join("daemon"))
            .unwrap();
        write!(file, "#!/bin/sh\n{script}\n").unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_asking(&self) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .arg("ask")
            .env_remove("VALETKEY_AUTOSTART")
            .env("VALETKEY_SOCKET", self.path("broker.sock"))
            .env("VALETKEY_STATE_DIR", self.path("state"))
            .env("VALETKEY_DAEMON", self.path("daemon"))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn many_callers_at_once_end_with_one_daemon_of_its_own() {
    let own = std::env::current_exe().unwrap();
    let place = Place::new(&format!("exec {} serve", own.display()));
    let callers: Vec<_> = (0..8).map(|_| place.start_asking()).collect();
    let answers: Vec<_> =
        callers.into_iter().map(|caller| said(&caller.wait_with_output().unwrap())).collect();
    // Every caller was answered, and by the same process, which leads a session of its own.
    let daemon = answers[0].strip_prefix("daemon ").unwrap_or_else(|| panic!("{answers:?}")).trim();
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let log = place.path("state/valetkeyd.log");
    assert_eq!(fs::metadata(&log).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(place.path("state")).unwrap().permissions().mode() & 0o777, 0o700);
    let (process, session) = daemon.split_once(' ').unwrap();
    assert_eq!(process, session);
    Command::new("kill").arg(process).status().unwrap();
}

/// What an application is told of a daemon that does this.
fn told_of(place: &Place) -> String {
    let told = said(&place.start_asking().wait_with_output().unwrap());
    let start = format!("error start {}: ", place.path("daemon").display());
    told.strip_prefix(&start).unwrap_or_else(|| panic!("{told}")).to_owned()
}

fn what_the_daemon_said_last_is_told() {
    let place =
        Place::new("echo 'INFO reading' >&2; printf 'valetkeyd: mend \\033[2Jit\\n' >&2; exit 1");
    let hint = format!("its log is {}", place.path("state/valetkeyd.log").display());
    assert_eq!(told_of(&place), format!("mend \u{fffd}[2Jit (exit status: 1)\n{hint}\n"));
}

/// As when its store turns out to be damaged.
fn a_daemon_that_ends_after_it_took_its_name_is_told() {
    let own = std::env::current_exe().unwrap();
    let place = Place::new(&format!(
        "{} hang-up; echo 'valetkeyd: the store is damaged' >&2; exit 1",
        own.display()
    ));
    assert!(told_of(&place).starts_with("the store is damaged (exit status: 1)\n"));
}

fn without_a_log_the_reason_is_told() {
    let place = Place::new("exit 1");
    let state = place.path("state");
    fs::create_dir(&state).unwrap();
    fs::set_permissions(&state, fs::Permissions::from_mode(0o777)).unwrap();
    let told = told_of(&place);
    let reason = format!("its log cannot be kept: trust {}: its mode 0777", state.display());
    assert!(told.starts_with(&reason) && told.ends_with("in a terminal to see why\n"), "{told}");
}

fn a_daemon_that_ends_at_once_is_told_with_its_status() {
    let place = Place::new("exit 3");
    let output = place.start_asking().wait_with_output().unwrap();
    let told =
        format!("error start {}: it ended with exit status: 3\n", place.path("daemon").display());
    assert!(said(&output).starts_with(&told), "{}", said(&output));
}

fn a_program_that_cannot_be_run_is_told() {
    let place = Place::new("");
    fs::remove_file(place.path("daemon")).unwrap();
    let output = place.start_asking().wait_with_output().unwrap();
    let expected = format!("error start {}: No such file", place.path("daemon").display());
    assert!(said(&output).starts_with(&expected), "{}", said(&output));
}

fn nothing_is_started_when_the_environment_says_so() {
    let place = Place::new("exit 3");
    let output = Command::new(std::env::current_exe().unwrap())
        .arg("ask")
        .env("VALETKEY_AUTOSTART", "0")
        .env("VALETKEY_SOCKET", place.path("broker.sock"))
        .output()
        .unwrap();
    let expected =
        format!("error connect to {}: no daemon is running", place.path("broker.sock").display());
    assert!(said(&output).starts_with(&expected), "{}", said(&output));
}

/// An application: says what the daemon at the other end answered.
fn ask() {
    match blocking::Client::new().unwrap().apps() {
        Ok(apps) => println!("daemon {}", apps[0].app),
        Err(error @ Error::NoDaemon { .. }) => println!("error {error}\n{}", error.hint().unwrap()),
        Err(error) => panic!("{error:?}"),
    }
}

/// The daemon: answers every request with its process and session.
fn serve() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = match Listener::bind(&Endpoint::of_this_user().unwrap()) {
            Err(BindError::AlreadyRunning { .. }) => return,
            bound => bound.unwrap(),
        };
        // One that began as the others ended has nobody to end it.
        while let Ok(accepted) =
            tokio::time::timeout(Duration::from_secs(60), listener.accept()).await
        {
            tokio::spawn(answer(accepted.unwrap().into_stream()));
        }
    });
}

/// The daemon that takes a connection, and ends.
fn hang_up() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = Listener::bind(&Endpoint::of_this_user().unwrap()).unwrap();
        listener.accept().await.unwrap();
    });
}

async fn answer(mut stream: valetkey_ipc::Stream) {
    let mut request = [0; 4096];
    while stream.read(&mut request).await.unwrap() != 0 {
        answer_one(&mut stream).await;
    }
}

async fn answer_one(stream: &mut valetkey_ipc::Stream) {
    let process = std::process::id();
    let session = rustix::process::getsid(None).unwrap();
    let body = format!(
        r#"{{"apps":[{{"app":"{process} {session}","kind":"public","client_id":"c","authority":"a"}}]}}"#
    );
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}");
    tokio::io::AsyncWriteExt::write_all(stream, answer.as_bytes()).await.unwrap();
}
