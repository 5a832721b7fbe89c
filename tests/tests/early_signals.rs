//! Signals that come while the daemon starts: none is lost, and none is the end of it that should not be.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use valetkey_tests::{Machine, Program, patiently};

/// A daemon with a group of processes of its own, and so much of a configuration that it takes a while to start.
fn start(machine: &Machine) -> Child {
    let rule = "[[rules]]\nname = \"of nobody\"\nusers = [1, 2, 3]\nunits = [\"no.service\"]\n";
    machine.write("config/valetkey/config.toml", rule.repeat(8_000));
    machine.spawn(machine.command(Program::Daemon).process_group(0))
}

fn signal(daemon: &Child, signal: Signal) {
    let pid = daemon.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    kill_process_group(pid.unwrap(), signal).unwrap();
}

fn children(daemon: &Child) -> usize {
    let pid = daemon.id().unwrap();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    children.unwrap().split_whitespace().count()
}

/// It has come as far as its `main` when it has posted its lookout, and has no configuration by then.
async fn wait_for_main(daemon: &Child) {
    patiently("the lookout", async {
        while children(daemon) == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn to_reload_is_no_reason_for_a_daemon_to_end_that_has_not_loaded() {
    let machine = Machine::new();
    let mut daemon = start(&machine);
    wait_for_main(&daemon).await;
    patiently("the daemon to listen", async {
        while machine.try_connect().await.is_err() {
            assert_eq!(daemon.try_wait().unwrap(), None, "{}", machine.logs());
            signal(&daemon, Signal::HUP);
            tokio::task::yield_now().await;
        }
    })
    .await;
    signal(&daemon, Signal::HUP);
    let status = machine.status().await;
    assert_eq!(status["pid"].as_u64(), daemon.id().map(u64::from));
    assert_eq!(children(&daemon), 1, "its lookout is there still");
}

#[tokio::test]
async fn a_daemon_that_is_to_end_before_it_is_ready_ends_in_order() {
    for asked in [Signal::TERM, Signal::INT] {
        let machine = Machine::new();
        let mut daemon = start(&machine);
        wait_for_main(&daemon).await;
        signal(&daemon, asked);
        let status = patiently("the daemon's end", daemon.wait()).await.unwrap();
        assert!(status.success(), "{asked:?}: {status}; {}", machine.logs());
        assert!(!machine.endpoint().path().exists(), "{asked:?}");
    }
}
