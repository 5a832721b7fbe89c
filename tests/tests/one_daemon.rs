//! One daemon for each endpoint: races at the start, stale and foreign sockets, and an end that finishes what is in flight.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;
use tokio::process::Child;
use valetkey_testkit::entra::{Effect, Endpoint, Fault, Options, Rotation};
use valetkey_tests::{ALICE, Events, Machine, Program, World, patiently};

fn socket(machine: &Machine) -> PathBuf {
    machine.endpoint().path().to_path_buf()
}

fn inode(path: &Path) -> u64 {
    path.symlink_metadata().unwrap().ino()
}

/// The pid of the daemon that answers.
async fn answering(machine: &Machine) -> u64 {
    machine.status().await["pid"].as_u64().unwrap()
}

#[tokio::test]
async fn two_that_start_at_once_end_as_one() {
    let machine = Machine::new();
    for round in 0..20 {
        let start = || machine.spawn(&mut machine.command(Program::Daemon));
        let (mut one, mut other): (Child, Child) = (start(), start());
        let loser = patiently("the loser's end", async {
            tokio::select! {
                status = one.wait() => status,
                status = other.wait() => status,
            }
        });
        assert!(loser.await.unwrap().success(), "round {round}: {}", machine.logs());
        let mut winner = if one.id().is_some() { one } else { other };
        // The loser may be gone before the winner listens.
        let mut connection = machine.connect_when_up().await;
        let pid = connection.get("/v1/status").await.success()["pid"].as_u64();
        assert_eq!(pid, winner.id().map(u64::from), "round {round}");
        // A kill leaves the socket behind, which the next round has to clean up.
        winner.kill().await.unwrap();
        assert!(socket(&machine).symlink_metadata().unwrap().file_type().is_socket());
    }
}

#[tokio::test]
async fn many_that_start_at_once_end_as_one() {
    let machine = Machine::new();
    let mut daemons: Vec<_> =
        (0..8).map(|_| machine.spawn(&mut machine.command(Program::Daemon))).collect();
    let mut connection = machine.connect_when_up().await;
    let pid = connection.get("/v1/status").await.success()["pid"].as_u64();
    for daemon in &mut daemons {
        if daemon.id().map(u64::from) != pid {
            let status = patiently("a loser's end", daemon.wait()).await.unwrap();
            assert!(status.success(), "{}", machine.logs());
        }
    }
    assert_eq!(Some(answering(&machine).await), pid);
}

#[tokio::test]
async fn a_live_socket_is_never_taken() {
    let machine = Machine::start().await;
    let before = inode(&socket(&machine));
    for _ in 0..3 {
        let output = machine.command(Program::Daemon).output().await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("nothing to do"), "{said}");
    }
    assert_eq!(inode(&socket(&machine)), before);
    assert_eq!(answering(&machine).await, u64::from(machine.pid()));
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_gone_after_an_orderly_end() {
    let mut machine = Machine::new();
    let folder = socket(&machine).parent().unwrap().to_path_buf();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    drop(UnixListener::bind(socket(&machine)).unwrap());
    machine.launch().await;
    assert_eq!(answering(&machine).await, u64::from(machine.pid()));
    assert!(machine.stop().await.success());
    assert!(socket(&machine).symlink_metadata().is_err());
}

/// What stands in the socket's place is refused with advice, and left as it is.
#[tokio::test]
async fn what_is_not_ours_is_refused_with_advice() {
    let chmod =
        |path: &Path, mode| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    let folder_of = |socket: &Path| socket.parent().unwrap().to_path_buf();
    let lax = |mode: u32| {
        move |socket: &Path| {
            fs::create_dir(folder_of(socket)).unwrap();
            chmod(&folder_of(socket), mode);
        }
    };
    let linked = |socket: &Path| {
        let elsewhere = folder_of(socket).with_file_name("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        symlink(&elsewhere, folder_of(socket)).unwrap();
    };
    let file = |socket: &Path| fs::File::create(folder_of(socket)).map(drop).unwrap();
    let file_as_socket = |socket: &Path| {
        fs::create_dir(folder_of(socket)).unwrap();
        chmod(&folder_of(socket), 0o700);
        fs::File::create(socket).map(drop).unwrap();
    };
    type Case<'a> = (&'a str, &'a dyn Fn(&Path), &'a str);
    let cases: [Case<'_>; 6] = [
        ("a folder for all", &lax(0o777), "VALETKEY_SOCKET"),
        ("a folder for the group", &lax(0o770), "VALETKEY_SOCKET"),
        ("a sticky folder", &lax(0o1777), "VALETKEY_SOCKET"),
        ("a link", &linked, "VALETKEY_SOCKET"),
        ("a file as folder", &file, "valetkey"),
        ("a file as socket", &file_as_socket, "broker.sock"),
    ];
    for (name, prepare, advice) in cases {
        let machine = Machine::new();
        prepare(&socket(&machine));
        let said = machine.launch_in_vain().await;
        assert!(said.contains(advice), "{name}: {said}");
        assert!(machine.try_connect().await.is_err(), "{name}");
    }
    let mut machine = Machine::new();
    machine.set("VALETKEY_SOCKET", machine.folder().join("x".repeat(120)));
    let said = machine.launch_in_vain().await;
    assert!(said.contains("VALETKEY_SOCKET") || said.contains("long"), "{said}");
}

/// One use for each refresh token: what was in flight and not saved would mean a new sign-in.
async fn world_with_flight_at_gate() -> World {
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds: 0 };
    let world = World::with(Machine::new(), options).await;
    world.signed_in(ALICE).await;
    world.control().add_fault(Fault::new(Endpoint::Token, Effect::Pass).behind_gate("refresh"));
    world
}

async fn check_saved(world: &mut World, token: Option<&str>) {
    world.machine.launch().await;
    world.control().clear_requests();
    let mut caller = world.caller().await;
    let kept = caller.token(json!({})).await.success();
    if let Some(token) = token {
        assert_eq!(kept["access_token"], token);
    }
    assert_eq!(world.control().requests().len(), 0);
    caller.token(json!({"force_refresh": true})).await.success();
}

/// Asks the daemon to end, and opens the gate when it has begun to: one that does not wait would be gone by then.
async fn stop_while_at_gate(world: &mut World) {
    let mut events = Events::open(world.machine.connect().await).await;
    world.machine.ask_to_stop();
    assert_eq!(events.next().await, None);
    // sleep: that a process does not end can only be seen by waiting for it.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!world.machine.has_ended(), "it did not wait");
    world.control().open_gate("refresh");
    assert!(world.machine.wait_for_exit().await.success());
}

#[tokio::test]
async fn an_orderly_end_finishes_and_saves_what_is_in_flight() {
    let mut world = world_with_flight_at_gate().await;
    let mut caller = world.caller().await;
    let waiting = tokio::spawn(async move { caller.token(json!({"force_refresh": true})).await });
    patiently("the refresh", world.control().wait_at_gate("refresh", 1)).await;
    stop_while_at_gate(&mut world).await;
    let answer = waiting.await.unwrap().success();
    check_saved(&mut world, answer["access_token"].as_str()).await;
}

#[tokio::test]
async fn an_orderly_end_waits_for_the_flight_of_a_caller_who_is_gone() {
    let mut world = world_with_flight_at_gate().await;
    let mut caller = world.caller().await;
    let waiting = tokio::spawn(async move { caller.token(json!({"force_refresh": true})).await });
    patiently("the refresh", world.control().wait_at_gate("refresh", 1)).await;
    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    stop_while_at_gate(&mut world).await;
    check_saved(&mut world, None).await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_takes_nothing_down() {
    let world = world_with_flight_at_gate().await;
    let mut gone = world.caller().await;
    let gone = tokio::spawn(async move { gone.token(json!({"force_refresh": true})).await });
    patiently("the refresh", world.control().wait_at_gate("refresh", 1)).await;
    let mut stays = world.caller().await;
    let stays = tokio::spawn(async move { stays.token(json!({"force_refresh": true})).await });
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    // Answered by a status call over another connection, the daemon has noticed.
    world.machine.status().await;
    world.control().open_gate("refresh");
    stays.await.unwrap().success();
    world.caller().await.token(json!({"force_refresh": true})).await.success();
}

#[tokio::test]
async fn a_caller_who_hangs_up_after_the_redirect_is_signed_in_all_the_same() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    let mut events = Events::open(world.machine.connect().await).await;
    let start = json!({"kind": "auth_code", "redirect_uri": "http://localhost:4711"});
    let flow = caller.start_flow(start).await.success();
    let url = flow["auth_uri"].as_str().unwrap();
    let redirect = world.control().authorize(url, ALICE, Default::default(), &Default::default());
    world.control().add_fault(Fault::new(Endpoint::Token, Effect::Pass).behind_gate("redeem"));
    let parameters = redirect.unwrap().params;
    let gone = tokio::spawn(async move { caller.complete(&flow, &parameters).await });
    patiently("the redemption", world.control().wait_at_gate("redeem", 1)).await;
    gone.abort();
    world.control().open_gate("redeem");
    assert_eq!(events.next().await.unwrap().0, "signed_in");
    assert_eq!(world.caller().await.usernames().await, [ALICE]);
}

/// Those who wait for a person or for events are let go, and find the next daemon.
#[tokio::test]
async fn an_orderly_end_does_not_wait_for_those_who_wait() {
    let mut world = World::start().await;
    let mut events = Events::open(world.machine.connect().await).await;
    let mut caller = world.caller().await;
    let mut watcher = world.caller().await;
    let device = caller.start_flow(json!({"kind": "device_code"})).await.success();
    let interactive = caller.start_flow(json!({"kind": "interactive"})).await.success();
    let mut waiting = tokio::task::JoinSet::new();
    waiting.spawn(async move { caller.wait_for(&device, 60).await });
    waiting.spawn(async move { watcher.wait_for(&interactive, 60).await });
    patiently("a poll", world.control().wait_for_requests(Endpoint::Token, 1)).await;
    // A poll of the provider that does not come back is let go as well.
    assert!(world.machine.stop().await.success());
    assert_eq!(events.next().await, None);
    waiting.abort_all();
}

/// `LISTEN_FDS` as systemd passes it on, from a parent that keeps the socket over the daemon's ends.
#[tokio::test]
async fn a_socket_that_was_passed_on_is_served_and_left_to_its_owner() {
    let mut machine = Machine::new();
    let folder = socket(&machine).parent().unwrap().to_path_buf();
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(socket(&machine)).unwrap();
    let mut last = 0;
    for _ in 0..2 {
        // A client may come before the daemon: it waits in the queue.
        let mut early = machine.connect().await;
        let mut command = machine.command_of("/bin/sh");
        let daemon = Program::Daemon.path();
        let script = "exec 3<&0 </dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec";
        command.arg("-c").arg(format!("{script} '{}'", daemon.display()));
        command.stdin(OwnedFd::from(listener.try_clone().unwrap()));
        machine.launch_by(command).await;
        let pid = early.get("/v1/status").await.success()["pid"].as_u64().unwrap();
        assert_eq!(pid, u64::from(machine.pid()));
        assert_ne!(pid, last);
        last = pid;
        drop(early);
        assert!(machine.stop().await.success());
        assert!(socket(&machine).symlink_metadata().unwrap().file_type().is_socket());
    }
}
