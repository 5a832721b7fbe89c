//! What keeps the daemon's memory and files its own, as it shows from outside. What a confined process can still do is tried in
//! `daemon/tests/confined.rs`.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};
use valetkey_tests::{Machine, Program, patiently};

/// A row of `/proc/<pid>/status`, proc_pid_status(5).
fn row(pid: u32, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let row = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    row.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
}

#[tokio::test]
async fn the_daemon_confines_itself_and_says_so() {
    let machine = Machine::start().await;
    let protection = machine.status().await["protection"].clone();
    assert_eq!(
        (&protection["system_calls"], row(machine.pid(), "Seccomp").as_str()),
        (&json!(true), "2")
    );
    assert_eq!(row(machine.pid(), "NoNewPrivs"), "1");
    assert_eq!(
        (&protection["keys_in_swap"], row(machine.pid(), "VmLck").as_str()),
        (&json!(0), "4 kB")
    );
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", machine.pid())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().filter(|word| *word == "0").count(), 2, "{core}");
    if protection["files"] == "none" {
        println!("NOT CHECKED: this kernel has no Landlock");
        assert!(machine.logs().contains("no Landlock"), "{}", machine.logs());
    }
}

#[tokio::test]
async fn every_thread_of_the_daemon_is_confined() {
    let machine = Machine::start().await;
    // The vault's thread, and one for work on files.
    machine.get("/v1/diagnosis").await.success();
    let threads = std::fs::read_dir(format!("/proc/{}/task", machine.pid())).unwrap();
    let threads: Vec<PathBuf> = threads.map(|thread| thread.unwrap().path()).collect();
    assert!(threads.len() > 1, "{threads:?}");
    for thread in threads {
        let status = std::fs::read_to_string(thread.join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2"), "{}: {status}", thread.display());
    }
}

#[tokio::test]
async fn a_daemon_that_may_not_lock_memory_runs_and_doctor_tells_of_it() {
    let mut machine = Machine::new();
    let mut command = machine.command_of("prlimit");
    command.arg("--memlock=0:0");
    if rustix::process::geteuid().is_root() {
        // To root the limit is none while it has the capability.
        command.args(["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]);
    }
    command.arg(Program::Daemon.path());
    machine.launch_by(command).await;
    let status = machine.status().await;
    assert!(status["protection"]["keys_in_swap"].as_u64().unwrap() > 0, "{status}");
    let mut doctor = machine.command(Program::Cli);
    doctor.args(["doctor", "--output", "json"]);
    let output = patiently("valetkey doctor", doctor.output()).await.unwrap();
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = told["findings"].as_array().unwrap();
    let memory = findings.iter().find(|finding| finding["about"] == "memory").unwrap();
    assert_eq!(memory["verdict"], "warning");
    assert!(memory["what"].as_str().unwrap().contains("may reach the swap"), "{memory}");
}

#[tokio::test]
async fn the_lookout_ends_with_its_daemon_however_that_ends() {
    let mut machine = Machine::start().await;
    // A connection's program is looked at before it is answered.
    machine.status().await;
    let pid = machine.pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let lookout: u32 = children.trim().parse().unwrap();
    assert_eq!(row(lookout, "Name"), "valetkeyd-look");
    let descriptors = std::fs::read_dir(format!("/proc/{lookout}/fd")).unwrap().count();
    assert_eq!(descriptors, 4, "the standard three, and the way to the daemon");
    let number = Pid::from_raw(i32::try_from(lookout).unwrap()).unwrap();
    // A handle to a process is readable once that has ended (pidfd_open(2)).
    let handle = pidfd_open(number, PidfdFlags::empty()).unwrap();
    machine.kill().await;
    let end = move || poll(&mut [PollFd::new(&handle, PollFlags::IN)], None).unwrap();
    patiently("the lookout's end", tokio::task::spawn_blocking(end)).await.unwrap();
}
