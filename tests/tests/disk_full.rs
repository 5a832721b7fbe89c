//! A disk that is full or read-only: the caller is told, nothing that was answered is lost, and nobody has to sign in again.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::path::Path;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::{Child, Command};
use valetkey_testkit::entra::{Options, Rotation};
use valetkey_tests::{ALICE, Caller, Machine, Program, World, patiently, skip};

/// Each refresh token is good for one use: a lost one would mean a new sign-in.
fn strictly_rotating() -> Options {
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds: 0 };
    options
}

/// While `break_disk` holds, changes cannot be saved; once `mend_disk` was called, all is as if it had never been.
async fn check_disk_full(
    mut world: World,
    break_disk: impl AsyncFn(&World),
    mend_disk: impl AsyncFn(&World),
    launch: impl AsyncFn(&mut Machine),
) {
    let mut caller = world.signed_in(ALICE).await;
    break_disk(&world).await;
    let refused = refresh_until_refused(&mut caller).await;
    assert_eq!(refused["error"], "store_unavailable", "{refused}");
    assert!(refused["hint"].as_str().unwrap().contains("Free some space"), "{refused}");
    let tokens = world.control().counters()["refresh_token"].answered;
    let status = world.machine.status().await;
    assert!(status["store"]["unsaved"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(caller.usernames().await, [ALICE]);
    for _ in 0..3 {
        let again = caller.token(json!({"force_refresh": true})).await;
        assert_eq!(again.refusal(), (503, "store_unavailable".to_owned()));
    }
    let asked = world.control().counters()["refresh_token"].answered;
    assert_eq!(asked, tokens, "no refresh token is spent that could not be saved");

    mend_disk(&world).await;
    let token = caller.token(json!({"force_refresh": true})).await.success();
    assert_eq!(world.machine.status().await["store"]["unsaved"], 0);
    world.machine.kill().await;
    launch(&mut world.machine).await;
    let kept = world.caller().await.token(json!({})).await.success();
    assert_eq!(kept["access_token"], token["access_token"]);
    world.caller().await.token(json!({"force_refresh": true})).await.success();
}

/// A database has room in its own pages for a while.
async fn refresh_until_refused(caller: &mut Caller) -> Value {
    for number in 0..5_000 {
        let scope = format!("https://graph.contoso.com/Scope{number}");
        let answer = caller.token(json!({"scopes": [scope]})).await;
        if answer.status != 200 {
            return answer.json();
        }
    }
    panic!("the disk never became full")
}

/// Who starts the daemon gives it a log beside the store, as a rule.
#[tokio::test]
async fn a_log_on_a_full_disk_stops_nothing() {
    let mut machine = Machine::new();
    let mut command = machine.command_of("/bin/sh");
    command.args(["-c", r#"exec "$0" 2>/dev/full"#]).arg(Program::Daemon.path());
    command.env("VALETKEY_LOG", "trace");
    machine.launch_by(command).await;
    let world = World::of(machine, Options::default()).await;
    let mut caller = world.signed_in(ALICE).await;
    caller.token(json!({"force_refresh": true})).await.success();
}

/// The limit of a file's size, which needs no rights. Its signal would end the daemon, as any program that does not
/// expect it.
#[tokio::test]
async fn a_file_that_may_not_grow_loses_nothing() {
    let mut machine = Machine::new();
    let mut command = machine.command_of("/bin/sh");
    let daemon = Program::Daemon.path();
    command.arg("-c").arg(format!("trap '' XFSZ; exec '{}'", daemon.display()));
    machine.launch_by(command).await;
    let world = World::of(machine, strictly_rotating()).await;
    let limit = async |world: &World, bytes| {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};
        let pid = Pid::from_raw(i32::try_from(world.machine.pid()).unwrap());
        prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    };
    check_disk_full(
        world,
        async |world| limit(world, Some(4_096)).await,
        async |world| limit(world, None).await,
        async |machine| machine.launch().await,
    )
    .await;
}

/// File systems of this test's own, in a mount namespace that lives as long as a process that sleeps in it.
struct Mounts {
    holder: Child,
}

impl Mounts {
    /// None on a machine that forbids it, with the reason.
    async fn new() -> Result<Self, String> {
        let mut unshare = Command::new("unshare");
        // Root needs no user namespace, which many machines forbid.
        if !rustix::process::geteuid().is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        unshare.args(["--mount", "sh", "-c", "echo ready; exec sleep infinity"]);
        unshare.stdout(Stdio::piped()).stdin(Stdio::null()).kill_on_drop(true);
        let mut holder = unshare.spawn().map_err(|error| format!("no unshare: {error}"))?;
        let mut said = tokio::io::BufReader::new(holder.stdout.take().unwrap());
        let mut line = String::new();
        let reading = tokio::io::AsyncBufReadExt::read_line(&mut said, &mut line);
        patiently("the namespace", reading).await.unwrap();
        if line == "ready\n" { Ok(Self { holder }) } else { Err("unshare is forbidden".to_owned()) }
    }

    /// What makes a program run among these file systems.
    fn enter(&self) -> Vec<String> {
        let mut words =
            vec!["nsenter".to_owned(), format!("--target={}", self.holder.id().unwrap())];
        if !rustix::process::geteuid().is_root() {
            words.extend(["--user".to_owned(), "--preserve-credentials".to_owned()]);
        }
        words.push("--mount".to_owned());
        words
    }

    async fn run(&self, script: &str) {
        let words = self.enter();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).args(["sh", "-c", script]);
        let output = patiently(script, command.output()).await.unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    }

    async fn launch(&self, machine: &mut Machine) {
        let command = self.daemon_command(machine);
        machine.launch_by(command).await;
    }

    fn daemon_command(&self, machine: &Machine) -> Command {
        let words = self.enter();
        let mut command = machine.command_of(&words[0]);
        command.args(&words[1..]).arg(Program::Daemon.path());
        command
    }
}

/// A machine whose state folder is a small file system of its own.
async fn machine_on_small_disk() -> Option<(Machine, Mounts, String)> {
    let mounts = match Mounts::new().await {
        Ok(mounts) => mounts,
        Err(why) => {
            skip(&format!("the machine lets a test mount no file system of its own: {why}"));
            return None;
        }
    };
    let machine = Machine::new();
    let state = quote(machine.state_dir().parent().unwrap());
    mounts.run(&format!("mount -t tmpfs -o size=3m,mode=700 tmpfs {state}")).await;
    Some((machine, mounts, state))
}

fn quote(path: &Path) -> String {
    format!("'{}'", path.display())
}

#[tokio::test]
async fn a_full_disk_loses_nothing() {
    let Some((mut machine, mounts, state)) = machine_on_small_disk().await else { return };
    mounts.launch(&mut machine).await;
    let world = World::of(machine, strictly_rotating()).await;
    check_disk_full(
        world,
        // dd ends with an error when the disk is full, as it should be.
        async |_| {
            mounts
                .run(&format!("dd if=/dev/zero of={state}/ballast bs=4k 2>&1 | grep -q space"))
                .await
        },
        async |_| mounts.run(&format!("rm {state}/ballast")).await,
        async |machine| mounts.launch(machine).await,
    )
    .await;
}

#[tokio::test]
async fn a_read_only_disk_is_named_and_loses_nothing() {
    let Some((mut machine, mounts, state)) = machine_on_small_disk().await else { return };
    mounts.launch(&mut machine).await;
    let mut world = World::of(machine, strictly_rotating()).await;
    world.signed_in(ALICE).await;
    world.machine.kill().await;
    mounts.run(&format!("mount -o remount,ro {state}")).await;
    let output = mounts.daemon_command(&world.machine).output();
    let output = patiently("the daemon's end", output).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("Read-only"), "{said}");
    mounts.run(&format!("mount -o remount,rw {state}")).await;
    mounts.launch(&mut world.machine).await;
    let mut caller = world.caller().await;
    caller.token(json!({"force_refresh": true})).await.success();
    assert_eq!(caller.usernames().await, [ALICE]);
}
