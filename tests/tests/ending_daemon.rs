//! A daemon that ends between taking a connection and hearing it: the caller asks the next one.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use valetkey_tests::{Machine, Program, patiently};

fn signal(pid: u64, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.unwrap(), signal).unwrap();
}

/// Connections to the daemon, taken or still in the listener's queue.
fn connections(machine: &Machine) -> usize {
    let endpoint = machine.endpoint().path().to_str().unwrap().to_owned();
    let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
    let bound = sockets.lines().filter(|line| line.ends_with(&endpoint)).count();
    // One of them is the listener.
    bound.saturating_sub(1)
}

#[tokio::test]
async fn a_command_that_the_ending_daemon_did_not_hear_is_heard_by_the_next_one() {
    let mut machine = Machine::start().await;
    let ending = u64::from(machine.pid());
    patiently("the harness's own connection to end", async {
        while connections(&machine) > 0 {
            // sleep: nothing tells of a connection's end but the system's table.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    signal(ending, Signal::STOP);
    let mut command = machine.command(Program::Cli);
    command.args(["--output", "json", "status"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = command.spawn().unwrap();
    patiently("the command to connect", async {
        while connections(&machine) == 0 {
            // sleep: as above.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    machine.kill().await;
    let output = patiently("the command", running.wait_with_output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    let next = status["pid"].as_u64().unwrap();
    assert_ne!(next, ending);
    signal(next, Signal::TERM);
}
