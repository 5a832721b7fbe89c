//! A daemon that has used up its file descriptors: nobody keeps it there, and nothing of it stays.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Machine, Program, World};

/// Few enough to be used up by a test.
const DESCRIPTORS: u64 = 200;

/// A machine whose daemon may have [`DESCRIPTORS`].
async fn small_machine() -> Machine {
    let mut machine = Machine::new();
    let mut command = machine.command_of("prlimit");
    command.arg(format!("--nofile={DESCRIPTORS}")).arg(Program::Daemon.path());
    machine.launch_by(command).await;
    machine
}

fn limit_descriptors(machine: &Machine, soft: u64) {
    let pid = i32::try_from(machine.pid()).ok().and_then(Pid::from_raw);
    let limit = Rlimit { current: Some(soft), maximum: Some(DESCRIPTORS) };
    prlimit(pid, Resource::Nofile, limit).unwrap();
}

#[tokio::test]
async fn a_crowd_of_connections_does_not_keep_the_daemon_from_its_provider() {
    let world = World::of(small_machine().await, Options::default()).await;
    let mut caller = world.caller().await;
    let mut crowd = Vec::new();
    for _ in 0..DESCRIPTORS * 2 {
        crowd.push(world.machine.try_connect().await);
    }
    caller.sign_in(world.control(), ALICE).await;
}

#[tokio::test]
async fn a_moment_without_descriptors_is_over_when_it_is_over() {
    let world = World::of(small_machine().await, Options::default()).await;
    let mut caller = world.caller().await;
    // Before the first request to a provider, which brings the client of them all into being. None may be opened any more.
    limit_descriptors(&world.machine, 1);
    let refused = caller.start_flow(json!({"kind": "device_code"})).await;
    assert_eq!(refused.refusal(), (502, "provider_unreachable".to_owned()), "{}", refused.json());
    limit_descriptors(&world.machine, DESCRIPTORS);
    caller.sign_in(world.control(), ALICE).await;
}
