//! A socket passed on by systemd. The test starts itself again as systemd would start the daemon, which needs a process
//! id known before it runs and descriptor 3: things that only a new process has. Hence no test harness here.
#![cfg_attr(unix, expect(clippy::unwrap_used, reason = "a test says what failed by panicking"))]

#[cfg(unix)]
fn main() {
    if is_listing("a_socket_from_systemd_is_adopted") {
        return;
    }
    if std::env::var_os("LISTEN_FDS").is_some() {
        child::serve_one();
    } else {
        parent::a_socket_from_systemd_is_served_and_left_in_place();
        parent::a_socket_for_another_process_is_not_taken();
        parent::a_tcp_socket_is_refused();
        parent::several_sockets_are_refused();
    }
}

/// Tells a test runner that asks which tests there are of this one; a program without a harness must do so itself.
#[cfg(unix)]
fn is_listing(name: &str) -> bool {
    let asks = |option| std::env::args().any(|argument| argument == option);
    if asks("--list") && !asks("--ignored") {
        println!("{name}: test");
    }
    asks("--list")
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod child {
    use tokio::io::AsyncWriteExt;
    use valetkey_ipc::{Inherited, Listener};

    /// Answers one connection with the process id of its caller; says what it was refused otherwise.
    pub(crate) fn serve_one() {
        // SAFETY: the first line of `main`; there is no other thread, and nothing was opened yet.
        let inherited = match unsafe { Inherited::take_from_environment() } {
            Ok(Some(inherited)) => inherited,
            Ok(None) => return println!("none"),
            Err(error) => return println!("{error}"),
        };
        for name in ["LISTEN_FDS", "LISTEN_PID"] {
            assert!(std::env::var_os(name).is_none(), "{name} would mislead a child process");
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = Listener::adopt(inherited, valetkey_ipc::Audience::OwnUser).unwrap();
            assert!(listener.is_adopted());
            let (mut stream, peer) = listener.accept().await.unwrap().identify().unwrap();
            let answer =
                format!("{} {}", peer.caller().process.unwrap().number, listener.endpoint());
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        println!("served");
    }
}

#[cfg(unix)]
mod parent {
    use std::io::Read;
    use std::net::TcpListener;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixListener;
    use std::process::{Child, Command, Stdio};

    use valetkey_ipc::Endpoint;

    const FOR_THE_CHILD: &str = "LISTEN_PID=$$";

    /// Passes `socket` on as systemd does; the shell makes its own process id and descriptors 3 and 4
    /// those of the program.
    fn start(socket: impl Into<OwnedFd>, pid: &str, count: u32) -> Child {
        let script = format!("{pid} LISTEN_FDS={count} exec \"$0\" 3<&0 4<&0 </dev/null");
        Command::new("sh")
            .args(["-c", &script])
            .arg(std::env::current_exe().unwrap())
            .stdin(socket.into())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    }

    fn said(child: Child) -> String {
        let output = child.wait_with_output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn a_socket_from_systemd_is_served_and_left_in_place() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("broker.sock");
        let child = start(UnixListener::bind(&path).unwrap(), FOR_THE_CHILD, 1);
        let mut answer = String::new();
        let mut stream = valetkey_ipc::connect_blocking(&Endpoint::at(&path)).unwrap();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, format!("{} {}", std::process::id(), path.display()));
        assert_eq!(said(child), "served");
        assert!(path.exists(), "the name is systemd's");
    }

    pub(crate) fn a_socket_for_another_process_is_not_taken() {
        let temp = tempfile::tempdir().unwrap();
        let socket = UnixListener::bind(temp.path().join("broker.sock")).unwrap();
        assert_eq!(said(start(socket, "LISTEN_PID=1", 1)), "none");
    }

    pub(crate) fn a_tcp_socket_is_refused() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let said = said(start(socket, FOR_THE_CHILD, 1));
        assert!(said.contains("no listening Unix socket"), "{said}");
    }

    pub(crate) fn several_sockets_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let socket = UnixListener::bind(temp.path().join("broker.sock")).unwrap();
        let said = said(start(socket, FOR_THE_CHILD, 2));
        assert!(said.contains("2 were passed on"), "{said}");
    }
}
