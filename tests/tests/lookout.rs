//! The process that looks at callers for a confined daemon: what is told of one that does not answer, and what comes after one
//! that is gone.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::process::Output;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use valetkey_tests::{ALICE, Machine, Program, World, patiently};

/// A program of which a rule says something, so that each one has to be looked at.
const RULE: &str = "[[rules]]\nname = \"perl\"\nprograms = [\"/usr/bin/perl\"]\ndeny = true\n";

fn pid(number: u64) -> Pid {
    Pid::from_raw(i32::try_from(number).unwrap()).unwrap()
}

/// The daemon's one child.
fn find_lookout(daemon: u64) -> u64 {
    let children = format!("/proc/{daemon}/task/{daemon}/children");
    std::fs::read_to_string(children).unwrap().trim().parse().unwrap()
}

async fn run(machine: &Machine, arguments: &[&str]) -> Output {
    let mut command = machine.command(Program::Cli);
    patiently("the command", command.args(arguments).output()).await.unwrap()
}

/// The exit code of `valetkey doctor`, and what it says of callers.
async fn examine(machine: &Machine) -> (Option<i32>, Value) {
    let output = run(machine, &["doctor", "--output", "json"]).await;
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = told["findings"].as_array().unwrap();
    let callers = findings.iter().find(|finding| finding["about"] == "callers");
    (output.status.code(), callers.cloned().unwrap_or_default())
}

#[tokio::test]
async fn one_that_does_not_answer_is_told_and_programs_are_refused_until_it_does() {
    let mut machine = Machine::new();
    machine.write("config/valetkey/config.toml", RULE);
    machine.launch().await;
    let world = World::of(machine, Default::default()).await;
    world.signed_in(ALICE).await;
    let lookout = find_lookout(u64::from(world.machine.pid()));
    kill_process(pid(lookout), Signal::STOP).unwrap();
    let stopped = async {
        let status = format!("/proc/{lookout}/status");
        while !std::fs::read_to_string(&status).unwrap().contains("State:\tT") {}
    };
    patiently("the lookout to stop", stopped).await;

    let refused = world.machine.connect().await.post("/v1/apps", &world.definition()).await;
    assert_eq!(refused.refusal(), (429, "too_many_requests".to_owned()));
    assert!(refused.json()["retry_after"].is_u64(), "{}", refused.json());
    let status = run(&world.machine, &["status"]).await;
    let text = String::from_utf8(status.stdout).unwrap();
    assert!(status.status.success() && text.contains("looks at callers does not answer"), "{text}");
    let (exit, callers) = examine(&world.machine).await;
    assert_eq!((exit, &callers["verdict"]), (Some(1), &json!("bad")), "{callers}");
    assert!(callers["hint"].as_str().unwrap().contains("SIGCONT"), "{callers}");

    kill_process(pid(lookout), Signal::CONT).unwrap();
    let answers = async { while examine(&world.machine).await.1["verdict"] != "good" {} };
    patiently("the lookout to answer", answers).await;
    world.caller().await.token(json!({})).await.success();
    let text = String::from_utf8(run(&world.machine, &["status"]).await.stdout).unwrap();
    assert!(!text.contains("looks at callers"), "{text}");
}

#[tokio::test]
async fn a_daemon_without_it_ends_in_order_and_the_next_command_starts_one_that_has_it() {
    let mut machine = Machine::start().await;
    let daemon = u64::from(machine.pid());
    kill_process(pid(find_lookout(daemon)), Signal::KILL).unwrap();
    let asked = run(&machine, &["--output", "json", "status"]).await;
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let ended = machine.wait_for_exit().await;
    assert_eq!(ended.code(), Some(0));
    let logs = machine.logs();
    let words = ["the process that looks is gone", "stopped"].map(|words| logs.find(words));
    assert!(words[0].is_some() && words[0] < words[1], "{logs}");

    let output = run(&machine, &["--output", "json", "status"]).await;
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    let next = status["pid"].as_u64().unwrap();
    let lookout = std::fs::read_to_string(format!("/proc/{}/comm", find_lookout(next))).unwrap();
    kill_process(pid(next), Signal::TERM).unwrap();
    assert_ne!(next, daemon);
    assert_eq!(lookout.trim(), "valetkeyd-look");
}
