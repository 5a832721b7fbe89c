//! The daemon is started by whoever needs it first, unless that is forbidden.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::task::JoinSet;
use valetkey_tests::{Machine, Program, patiently};

async fn run(machine: &Machine, arguments: &[&str]) -> Output {
    let mut command = machine.command(Program::Cli);
    patiently("the command", command.args(arguments).output()).await.unwrap()
}

/// Ends a daemon that this test does not hold as a child.
struct Orphan(u64);

impl Drop for Orphan {
    fn drop(&mut self) {
        let pid = i32::try_from(self.0).ok().and_then(Pid::from_raw);
        kill_process(pid.unwrap(), Signal::TERM).unwrap();
    }
}

fn status_of(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test]
async fn the_first_command_starts_the_daemon_and_the_next_finds_it() {
    let machine = Machine::new();
    let first = status_of(&run(&machine, &["--output", "json", "status"]).await);
    let _daemon = Orphan(first["pid"].as_u64().unwrap());
    let second = status_of(&run(&machine, &["--output", "json", "status"]).await);
    assert_eq!(second["pid"], first["pid"]);
    assert_eq!(machine.status().await["pid"], first["pid"]);
}

#[tokio::test]
async fn many_commands_at_once_start_one_daemon() {
    let machine = Machine::new();
    let mut running = JoinSet::new();
    for _ in 0..8 {
        let mut command = machine.command(Program::Cli);
        command.args(["--output", "json", "status"]);
        running.spawn(async move { command.output().await.unwrap() });
    }
    let outputs = patiently("all commands", running.join_all()).await;
    let pids: Vec<Value> = outputs.iter().map(|output| status_of(output)["pid"].clone()).collect();
    let _daemon = Orphan(pids[0].as_u64().unwrap());
    assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
}

#[tokio::test]
async fn the_next_command_starts_it_again_after_a_kill() {
    let machine = Machine::new();
    let first = status_of(&run(&machine, &["--output", "json", "status"]).await);
    let pid = i32::try_from(first["pid"].as_u64().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    patiently("the daemon's end", async {
        while machine.try_connect().await.is_ok() {
            // sleep: nothing tells of the end of a process that is not our child.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let second = status_of(&run(&machine, &["--output", "json", "status"]).await);
    let _daemon = Orphan(second["pid"].as_u64().unwrap());
    assert_ne!(second["pid"], first["pid"]);
}

#[tokio::test]
async fn where_starting_is_forbidden_the_error_says_so() {
    let machine = Machine::new().with("VALETKEY_AUTOSTART", "0");
    for format in ["text", "json"] {
        let output = run(&machine, &["--output", format, "status"]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains("valetkeyd"), "{said}");
        assert!(machine.try_connect().await.is_err());
    }
}

#[tokio::test]
async fn a_daemon_that_is_not_installed_is_named() {
    let mut machine = Machine::new();
    machine.set("VALETKEY_DAEMON", machine.folder().join("valetkeyd-is-not-here"));
    let output = run(&machine, &["status"]).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(5), "{said}");
    assert!(said.contains("valetkeyd-is-not-here"), "{said}");
}

/// What the daemon said last is what the person sees, and where to read the rest.
#[tokio::test]
async fn a_daemon_that_cannot_start_is_told_in_its_own_words() {
    let configured = |content: &[u8]| {
        let machine = Machine::new();
        machine.write("config/valetkey/config.toml", content);
        machine
    };
    let with_key = |provider| Machine::new().with("VALETKEY_KEY_PROVIDER", provider);
    check_told("config.toml:1: unknown key `valut`", configured(b"[valut]\n")).await;
    check_told("read configuration", configured(b"\xff")).await;
    check_told("`magic` is no key provider", with_key("magic")).await;
    check_told("no credential named", with_key("credential")).await;
    let shared = Machine::new();
    share(&shared.state_dir());
    check_told("its mode 0777 lets others", shared).await;
}

async fn check_told(words: &str, machine: Machine) {
    for format in ["text", "json"] {
        let output = run(&machine, &["--output", format, "status"]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(5), "{said}");
        assert!(said.contains(words), "{said:?} lacks {words:?}");
        let log = machine.state_dir().join("valetkeyd.log");
        let advice = format!("its log is {}", log.display());
        let is_there = log.exists();
        assert!(said.contains(&advice) == is_there, "{said}");
        assert!(is_there || said.contains("its log cannot be kept: trust"), "{said}");
    }
}

fn share(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::set_permissions(folder, Permissions::from_mode(0o777)).unwrap();
}

#[tokio::test]
async fn a_log_that_exists_is_no_reason_for_the_next_start_to_fail() {
    let mut machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "magic");
    assert_eq!(run(&machine, &["status"]).await.status.code(), Some(5));
    machine.set("VALETKEY_KEY_PROVIDER", "file");
    let status = status_of(&run(&machine, &["--output", "json", "status"]).await);
    let _daemon = Orphan(status["pid"].as_u64().unwrap());
}
