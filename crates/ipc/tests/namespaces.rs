//! Two ends that have no number for each other's process, as inside of a container and outside. The test starts itself again in
//! a PID namespace of its own (pid_namespaces(7)): there the process outside has none.
#![cfg_attr(
    target_os = "linux",
    expect(clippy::unwrap_used, reason = "a test says what failed by panicking")
)]

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
fn main() {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (Some("serve"), Some(socket)) => inside::serve(&socket),
        (Some("connect"), Some(socket)) => inside::connect(&socket),
        // A test runner asks which tests there are of this one; a program without a harness must tell.
        _ if std::env::args().any(|argument| argument == "--list") => {
            if !std::env::args().any(|argument| argument == "--ignored") {
                println!("who_has_no_number_here_is_known_by_the_user: test");
            }
        }
        _ => outside::who_has_no_number_here_is_known_by_the_user(),
    }
}

#[cfg(target_os = "linux")]
mod inside {
    use tokio::io::AsyncWriteExt as _;
    use valetkey_ipc::{Audience, Endpoint, Listener};

    /// Tells two connections, one for each audience, who made them.
    #[tokio::main(flavor = "current_thread")]
    pub(crate) async fn serve(socket: &str) {
        for audience in [Audience::OwnUser, Audience::AllUsers] {
            let listener = Listener::bind_for(&Endpoint::at(socket), audience).unwrap();
            println!("listening");
            let (mut stream, peer) = listener.accept().await.unwrap().identify().unwrap();
            let (caller, program) = (peer.caller(), peer.describe());
            let told = format!(
                "{:?} {:?} {:?} {:?}",
                caller.partition, caller.process, caller.program, program.executable
            );
            stream.write_all(told.as_bytes()).await.unwrap();
        }
    }

    /// Connects in both ways to a listener outside.
    #[tokio::main(flavor = "current_thread")]
    pub(crate) async fn connect(socket: &str) {
        let endpoint = Endpoint::at(socket);
        drop(valetkey_ipc::connect(&endpoint).await.unwrap());
        drop(valetkey_ipc::connect_blocking(&endpoint).unwrap());
    }
}

#[cfg(target_os = "linux")]
mod outside {
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};

    use valetkey_model::{Executable, Partition, Unidentified};

    pub(crate) fn who_has_no_number_here_is_known_by_the_user() {
        if !in_namespace(Path::new("/usr/bin/true"), &[]).wait().unwrap().success() {
            assert!(std::env::var_os("CI").is_none(), "no PID namespace can be made here");
            return println!("skipped: this machine lets a test make no PID namespace");
        }
        let folder = tempfile::tempdir().unwrap();
        a_caller_is_served(&folder.path().join("inside.sock"));
        a_daemon_is_trusted(&folder.path().join("outside.sock"));
    }

    fn a_caller_is_served(socket: &Path) {
        let this = std::env::current_exe().unwrap();
        let mut daemon = in_namespace(&this, &["serve", socket.to_str().unwrap()]);
        let mut said = BufReader::new(daemon.stdout.take().unwrap()).lines();
        let user = Partition::of_uid(rustix::process::getuid().as_raw());
        let hidden = Executable::Unidentified { path: None, why: Unidentified::Hidden };
        for audience in ["own user", "all users"] {
            assert_eq!(said.next().unwrap().unwrap(), "listening", "{audience}");
            let mut told = String::new();
            UnixStream::connect(socket).unwrap().read_to_string(&mut told).unwrap();
            assert_eq!(told, format!("{user:?} None None {hidden:?}"), "{audience}");
        }
        assert!(daemon.wait().unwrap().success());
    }

    fn a_daemon_is_trusted(socket: &Path) {
        let _listener = UnixListener::bind(socket).unwrap();
        let this = std::env::current_exe().unwrap();
        let mut client = in_namespace(&this, &["connect", socket.to_str().unwrap()]);
        assert!(client.wait().unwrap().success());
    }

    fn in_namespace(program: &Path, arguments: &[&str]) -> Child {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-current-user"]);
        }
        command.args(["--pid", "--fork", "--kill-child"]).arg(program).args(arguments);
        command.stdout(Stdio::piped()).spawn().unwrap()
    }
}
