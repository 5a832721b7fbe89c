//! What only Unix has: modes, owners, links, sockets that outlive their process.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs::{self, Permissions};
use std::net::Shutdown;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use valetkey_ipc::{
    AcceptError, Audience, BindError, ConnectError, Endpoint, FolderProblem, Listener,
};

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().mode() & 0o7777
}

#[tokio::test]
async fn folder_socket_and_lock_are_private_from_the_start() {
    let temp = tempfile::tempdir().unwrap();
    let socket = temp.path().join("valetkey/broker.sock");
    let _listener = Listener::bind(&Endpoint::at(&socket)).unwrap();
    let lock = temp.path().join("valetkey/broker.sock.lock");
    assert_eq!((mode(socket.parent().unwrap()), mode(&socket), mode(&lock)), (0o700, 0o600, 0o600));
}

/// Binds below a folder that `prepare` made unsafe, and expects to be told of it.
async fn check_refused(prepare: impl Fn(&Path), expected: fn(&FolderProblem) -> bool) {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("valetkey");
    prepare(&folder);
    let refused = Listener::bind(&Endpoint::at(folder.join("broker.sock"))).err();
    match refused {
        Some(BindError::UnsafeFolder { path, problem }) => {
            assert_eq!((path, expected(&problem)), (folder, true), "{problem:?}");
            assert!(problem.to_string().contains("VALETKEY_SOCKET"), "{problem}");
        }
        other => panic!("{other:?}"),
    }
}

fn make_folder(path: &Path, mode: u32) {
    fs::create_dir(path).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[tokio::test]
async fn a_folder_that_others_can_write_to_is_refused() {
    for lax in [0o777, 0o1777, 0o770, 0o722] {
        check_refused(
            |folder| make_folder(folder, lax),
            |problem| matches!(problem, FolderProblem::WritableByOthers { .. }),
        )
        .await;
    }
}

#[tokio::test]
async fn a_folder_behind_a_link_is_refused() {
    check_refused(
        |folder| {
            make_folder(&folder.with_file_name("elsewhere"), 0o700);
            symlink("elsewhere", folder).unwrap();
        },
        |problem| matches!(problem, FolderProblem::SymbolicLink),
    )
    .await;
}

#[tokio::test]
async fn a_socket_below_a_parent_that_others_can_write_to_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let lax = temp.path().join("lax");
    make_folder(&lax, 0o777);
    make_folder(&lax.join("valetkey"), 0o700);
    let refused = Listener::bind(&Endpoint::at(lax.join("valetkey/broker.sock"))).err().unwrap();
    assert!(matches!(refused, BindError::UnsafeWay(_)), "{refused:?}");
    let message = refused.to_string();
    let place = format!("trust {}: its mode 0777", lax.display());
    assert!(message.contains(&place) && message.contains("`chmod go-w`"), "{message}");
}

#[tokio::test]
async fn a_file_in_place_of_the_folder_is_refused() {
    check_refused(
        |folder| drop(fs::File::create_new(folder).unwrap()),
        |problem| matches!(problem, FolderProblem::NotAFolder),
    )
    .await;
}

#[tokio::test]
async fn a_socket_left_by_a_killed_daemon_is_replaced() {
    let temp = tempfile::tempdir().unwrap();
    let socket = temp.path().join("broker.sock");
    // The standard library does not unlink, as a killed process does not.
    drop(UnixListener::bind(&socket).unwrap());
    assert!(socket.exists());
    let listener = Listener::bind(&Endpoint::at(&socket)).unwrap();
    assert!(valetkey_ipc::connect(listener.endpoint()).await.is_ok());
}

#[tokio::test]
async fn a_live_socket_without_a_lock_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let socket = temp.path().join("broker.sock");
    let foreign = UnixListener::bind(&socket).unwrap();
    let before = socket.metadata().unwrap().ino();
    let refused = Listener::bind(&Endpoint::at(&socket)).err();
    assert!(matches!(refused, Some(BindError::AlreadyRunning { .. })), "{refused:?}");
    assert_eq!(socket.metadata().unwrap().ino(), before);
    drop(foreign);
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("broker.sock");
    fs::File::create_new(&path).unwrap();
    let refused = Listener::bind(&Endpoint::at(&path)).err();
    assert!(matches!(refused, Some(BindError::NotASocket { .. })), "{refused:?}");
    assert!(path.is_file());
}

#[tokio::test]
async fn stopping_unlinks_our_own_socket_and_no_other() {
    let temp = tempfile::tempdir().unwrap();
    let socket = temp.path().join("broker.sock");
    drop(Listener::bind(&Endpoint::at(&socket)).unwrap());
    assert!(!socket.exists());

    let listener = Listener::bind(&Endpoint::at(&socket)).unwrap();
    fs::remove_file(&socket).unwrap();
    let successor = UnixListener::bind(&socket).unwrap();
    drop(listener);
    assert!(socket.exists());
    drop(successor);
}

#[tokio::test]
async fn a_path_that_no_address_can_hold_is_named_with_the_limit() {
    let long = PathBuf::from("/tmp").join("x".repeat(120)).join("broker.sock");
    let message = Listener::bind(&Endpoint::at(long)).err().unwrap().to_string();
    assert!(message.contains("137 bytes") && message.contains("VALETKEY_SOCKET"), "{message}");
}

#[tokio::test]
async fn a_client_whose_daemon_was_killed_is_told_that_none_runs() {
    let temp = tempfile::tempdir().unwrap();
    let socket = temp.path().join("broker.sock");
    drop(UnixListener::bind(&socket).unwrap());
    let refused = valetkey_ipc::connect(&Endpoint::at(&socket)).await.err();
    assert!(matches!(refused, Some(ConnectError::NotRunning { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_client_that_finds_the_queue_full_tries_again() {
    let temp = tempfile::tempdir().unwrap();
    let socket = temp.path().join("broker.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let _first = UnixStream::connect(&socket).unwrap();
    let endpoint = Endpoint::at(&socket);
    let (connected, _accepted) = tokio::join!(biased; valetkey_ipc::connect(&endpoint), async {
        listener.accept().unwrap()
    });
    assert!(connected.is_ok(), "{connected:?}");
}

#[tokio::test]
async fn who_has_hung_up_is_not_looked_at_and_who_has_only_said_all_is() {
    let temp = tempfile::tempdir().unwrap();
    let listener = Listener::bind(&Endpoint::at(temp.path().join("broker.sock"))).unwrap();
    let connect = || UnixStream::connect(listener.endpoint().path()).unwrap();
    drop(connect());
    let refused = listener.accept().await;
    assert!(matches!(refused, Err(AcceptError::HungUp)), "{refused:?}");

    let stream = connect();
    let arrival = listener.accept().await.unwrap();
    drop(stream);
    let refused = arrival.identify();
    assert!(matches!(refused, Err(AcceptError::HungUp)), "{refused:?}");

    let stream = connect();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(listener.accept().await.unwrap().identify().is_ok());
}

#[tokio::test]
async fn an_endpoint_for_all_users_is_open_to_them_and_nobody_elses_to_replace() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("valetkey");
    let endpoint = Endpoint::at(folder.join("broker.sock"));
    for before in [None, Some(0o700), Some(0o755)] {
        if let Some(mode) = before {
            fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        }
        let _listener = Listener::bind_for(&endpoint, Audience::AllUsers).unwrap();
        let lock = folder.join("broker.sock.lock");
        assert_eq!((mode(&folder), mode(endpoint.path()), mode(&lock)), (0o755, 0o666, 0o600));
    }
    fs::set_permissions(&folder, Permissions::from_mode(0o1777)).unwrap();
    let refused = Listener::bind_for(&endpoint, Audience::AllUsers).err();
    assert!(matches!(refused, Some(BindError::UnsafeFolder { .. })), "{refused:?}");
}

/// Somebody who is neither we nor root.
const STRANGER: u32 = 12345;

/// Connects as the stranger with these groups: the kernel notes whose the thread is.
fn connect_as_stranger(endpoint: &Endpoint, groups: &[u32]) -> std::os::unix::net::UnixStream {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

    let path = endpoint.path().to_owned();
    let groups: Vec<_> = groups.iter().map(|group| Gid::from_raw(*group)).collect();
    let connect = move || {
        let (user, group) = (Uid::from_raw(STRANGER), Gid::from_raw(STRANGER));
        set_thread_groups(&groups).unwrap();
        set_thread_res_gid(group, group, group).unwrap();
        set_thread_res_uid(user, user, user).unwrap();
        std::os::unix::net::UnixStream::connect(path).unwrap()
    };
    std::thread::spawn(connect).join().unwrap()
}

#[tokio::test]
async fn the_kernel_tells_of_every_user_and_group_that_connects() {
    if !rustix::process::geteuid().is_root() {
        assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "on CI nothing is skipped");
        eprintln!("not run, for it takes root: connections of other users");
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    fs::set_permissions(temp.path(), Permissions::from_mode(0o755)).unwrap();
    let endpoint = Endpoint::at(temp.path().join("valetkey/broker.sock"));
    let many: Vec<u32> = (20_000..20_100).collect();
    for groups in [&[][..], &[7, 8], &many] {
        let listener = Listener::bind_for(&endpoint, Audience::AllUsers).unwrap();
        let _stream = connect_as_stranger(&endpoint, groups);
        let (_, peer) = listener.accept().await.unwrap().identify().unwrap();
        assert_eq!(peer.caller().partition.as_str(), "uid:12345");
        let mut expected = groups.to_vec();
        expected.push(STRANGER);
        assert_eq!(peer.caller().groups, expected);
    }
    let listener = Listener::bind(&endpoint).unwrap();
    fs::set_permissions(endpoint.path(), Permissions::from_mode(0o666)).unwrap();
    let _stream = connect_as_stranger(&endpoint, &[]);
    let refused = listener.accept().await;
    assert!(matches!(refused, Err(AcceptError::OtherUser { .. })), "{refused:?}");
}
