//! Modes of the daemon's folders and files: what is open is closed at the start where that is enough, and told by `doctor`.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs::{Permissions, create_dir_all, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use valetkey_tests::{Machine, Program, patiently};

fn set(path: &Path, mode: u32) {
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o7777
}

fn socket_folder(machine: &Machine) -> PathBuf {
    machine.endpoint().path().parent().unwrap().to_owned()
}

/// The file below the state folder with this in its path.
fn find(machine: &Machine, folder: &str, part: &str) -> PathBuf {
    let mut entries = std::fs::read_dir(machine.state_dir().join(folder)).unwrap();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().contains(part);
    entries.find_map(|entry| Some(entry.unwrap().path()).filter(|path| name(path))).unwrap()
}

async fn doctor(machine: &Machine, output: &str) -> String {
    let mut command = machine.command(Program::Cli);
    command.args(["doctor", "--output", output]);
    let output = patiently("valetkey doctor", command.output()).await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// What is told while this has this mode; the mode is as before when it returns.
async fn check_told(machine: &Machine, about: &str, path: &Path, open: u32, verdict: &str) {
    let before = mode(path);
    set(path, open);
    let told: Value = serde_json::from_str(&doctor(machine, "json").await).unwrap();
    let text = doctor(machine, "text").await;
    set(path, before);
    let shown = format!("{}: its mode {open:04o} lets others", path.display());
    let findings = told["findings"].as_array().unwrap();
    let found = findings.iter().find(|it| it["what"].as_str().unwrap().starts_with(&shown));
    let found = found.unwrap_or_else(|| panic!("{shown}: {told:#}"));
    assert_eq!((&found["about"], &found["verdict"]), (&about.into(), &verdict.into()));
    let remedy = format!("Run `chmod {before:o} {}`.", path.display());
    assert_eq!(found["hint"], remedy);
    let text: String = text.split_whitespace().collect();
    let remedy: String = remedy.split_whitespace().collect();
    assert!(text.contains(&remedy), "{text}");
}

async fn check_all_told(machine: &Machine) {
    let state = machine.state_dir();
    for (open, verdict) in [(0o777, "bad"), (0o755, "warning"), (0o711, "warning")] {
        check_told(machine, "store", &state, open, verdict).await;
    }
    check_told(machine, "store", &find(machine, "", "key-"), 0o666, "bad").await;
    check_told(machine, "store", &find(machine, "audit", ".jsonl"), 0o644, "bad").await;
    for name in ["vault.redb", "vault.header"] {
        check_told(machine, "store", &state.join(name), 0o644, "bad").await;
    }
    check_told(machine, "socket", &socket_folder(machine), 0o755, "warning").await;
}

#[tokio::test]
async fn what_others_could_read_or_change_is_told_with_the_command_that_mends_it() {
    let mut machine = Machine::start().await;
    machine.connect().await.post("/v1/lock", &serde_json::json!({})).await.success();
    let quiet = doctor(&machine, "text").await;
    assert!(!quiet.contains("lets others"), "{quiet}");
    check_all_told(&machine).await;
    check_told(&machine, "socket", machine.endpoint().path(), 0o666, "warning").await;

    machine.stop().await;
    machine.set("VALETKEY_AUTOSTART", "0");
    check_all_told(&machine).await;
}

/// A daemon listens before it looks at its folders, and answers afterwards.
async fn launch(machine: &mut Machine) {
    machine.launch().await;
    assert_eq!(machine.status().await["locked"], false);
}

/// A machine whose folders were there before its daemon.
fn machine_with(state: u32, socket: u32) -> Machine {
    let machine = Machine::new();
    for (folder, mode) in [(machine.state_dir(), state), (socket_folder(&machine), socket)] {
        create_dir_all(&folder).unwrap();
        set(&folder, mode);
    }
    machine
}

#[tokio::test]
async fn folders_that_others_could_look_into_are_closed_at_the_start() {
    for (state, socket) in [(0o755, 0o711), (0o711, 0o755)] {
        let mut machine = machine_with(state, socket);
        launch(&mut machine).await;
        let folders = [(machine.state_dir(), state), (socket_folder(&machine), socket)];
        for (folder, before) in folders {
            assert_eq!(mode(&folder), 0o700, "{}", folder.display());
            let logs = machine.logs();
            let told = |line: &str| {
                line.contains(&*folder.to_string_lossy()) && line.contains(&format!("{before:04o}"))
            };
            assert!(logs.lines().any(told), "{logs}");
        }
    }
}

#[tokio::test]
async fn a_folder_of_other_things_that_somebody_chose_stays_as_it_is() {
    let mut machine = Machine::new();
    machine.write("state/valetkey/notes", "of another program");
    set(&machine.state_dir(), 0o755);
    launch(&mut machine).await;
    assert_eq!(mode(&machine.state_dir()), 0o755);
    assert!(machine.state_dir().join("vault.lock").exists());
}

#[tokio::test]
async fn folders_that_others_could_write_to_are_refused_as_they_are() {
    for (state, socket) in [(0o777, 0o700), (0o700, 0o777), (0o730, 0o700)] {
        let machine = machine_with(state, socket);
        let said = machine.launch_in_vain().await;
        assert!(said.contains("lets others") || said.contains("chmod"), "{said}");
        assert_eq!((mode(&machine.state_dir()), mode(&socket_folder(&machine))), (state, socket));
    }
}

#[tokio::test]
async fn folders_that_systemd_made_or_a_person_chose_for_the_socket_stay_as_they_are() {
    let mut machine = machine_with(0o755, 0o755);
    machine.set("STATE_DIRECTORY", machine.state_dir());
    machine.set("RUNTIME_DIRECTORY", socket_folder(&machine));
    launch(&mut machine).await;
    assert_eq!((mode(&machine.state_dir()), mode(&socket_folder(&machine))), (0o755, 0o755));

    let machine = machine_with(0o700, 0o700);
    let chosen = machine.folder().join("chosen");
    std::fs::create_dir(&chosen).unwrap();
    set(&chosen, 0o755);
    let machine = machine.with("VALETKEY_SOCKET", chosen.join("broker.sock"));
    let mut daemon = machine.spawn(&mut machine.command(Program::Daemon));
    let endpoint = valetkey_ipc::Endpoint::at(chosen.join("broker.sock"));
    let listening = async { while valetkey_ipc::connect(&endpoint).await.is_err() {} };
    patiently("the daemon's start", listening).await;
    assert_eq!(mode(&chosen), 0o755);
    daemon.kill().await.unwrap();
}
