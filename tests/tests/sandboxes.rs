//! Programs in a flatpak: they ask for tokens like any other, and administer nothing. Perl speaks for them, under a root that
//! looks as flatpak makes one.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::process::Command;
use valetkey_tests::{ALICE, Act, Machine, Program, Puppet, World, skip};

const CONFIG: &str = "config/valetkey/config.toml";
const PERL: &str = "/usr/bin/perl";

/// A file system of its own, with what describes the application mounted at its root.
const FLATPAK: &str = r#"
    root=$1; shift
    mount -t tmpfs none "$root"
    for entry in /*; do
        if [ -L "$entry" ]; then cp -P "$entry" "$root$entry"
        elif [ -d "$entry" ]; then mkdir "$root$entry"; mount --rbind "$entry" "$root$entry"; fi
    done
    printf '[Application]\nname=org.example.App\n' > "$root/description"
    touch "$root/.flatpak-info"
    mount --bind "$root/description" "$root/.flatpak-info"
    exec chroot "$root" "$@"
"#;

/// What ends in a program in a flatpak, whose arguments are to follow.
fn in_flatpak(machine: &Machine, program: &str) -> Command {
    let root = machine.folder().join("flatpak");
    fs::create_dir_all(&root).unwrap();
    let mut command = machine.command_of("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "sh", "-euc", FLATPAK, "flatpak"]).arg(root).arg(program);
    command
}

/// A world in which Alice is signed in; none where no flatpak can be had.
async fn world() -> Option<World> {
    let machine = Machine::new();
    if !in_flatpak(&machine, "true").status().await.unwrap().success() {
        skip("this machine lets a test mount nothing");
        return None;
    }
    let mut machine = machine;
    launch_without_capabilities(&mut machine).await;
    let world = World::of(machine, Default::default()).await;
    world.signed_in(ALICE).await;
    Some(world)
}

/// Root's capabilities would show the daemon what programs hide.
async fn launch_without_capabilities(machine: &mut Machine) {
    if !rustix::process::geteuid().is_root() {
        return machine.launch().await;
    }
    let mut command = machine.command_of("setpriv");
    command.args(["--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"]);
    command.arg(Program::Daemon.path());
    machine.launch_by(command).await;
}

/// All that administers what is the user's own.
fn administrative() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("GET", "/v1/audit", json!(null)),
        ("POST", "/v1/cache/export", json!({"unencrypted": true})),
        ("POST", "/v1/cache/import", json!({"cache": {"AccessToken": {}}})),
        ("GET", "/v1/diagnosis", json!(null)),
        ("GET", "/v1/grants", json!(null)),
        ("DELETE", "/v1/grants", json!(null)),
        ("DELETE", "/v1/grants/{grant}", json!(null)),
        ("POST", "/v1/keys/rotate", json!({"data": true})),
        ("POST", "/v1/lock", json!(null)),
        ("GET", "/v1/prompts", json!(null)),
        ("POST", "/v1/prompts/{prompt}", json!({"answer": "once"})),
        ("PUT", "/v1/secrets/{name}", json!({"secret": "s"})),
        ("DELETE", "/v1/secrets/{name}", json!(null)),
        ("POST", "/v1/unlock", json!({"passphrase": ""})),
    ]
}

/// All else, each of which has its own decision: what is an application's, and what says how the broker is spoken to.
const OTHER: [(&str, &str); 16] = [
    ("GET", "/v1/apps"),
    ("POST", "/v1/apps"),
    ("DELETE", "/v1/apps/{app}"),
    ("GET", "/v1/apps/{app}/accounts"),
    ("DELETE", "/v1/apps/{app}/accounts/{home_account_id}"),
    ("GET", "/v1/apps/{app}/cache"),
    ("PUT", "/v1/apps/{app}/cache"),
    ("POST", "/v1/apps/{app}/flows"),
    ("POST", "/v1/apps/{app}/proofs"),
    ("POST", "/v1/apps/{app}/token"),
    ("DELETE", "/v1/apps/{app}/tokens"),
    ("GET", "/v1/events"),
    ("GET", "/v1/flows/{flow}"),
    ("DELETE", "/v1/flows/{flow}"),
    ("POST", "/v1/flows/{flow}/complete"),
    ("GET", "/v1/status"),
];

async fn check_administers_nothing(puppet: &mut Puppet, why: &str) {
    for (method, path, body) in administrative() {
        let path = path.replace(['{', '}'], "");
        let (status, said) = puppet.ask(method, &path, &body).await.unwrap();
        let text = said["error_description"].as_str().unwrap_or_default();
        assert!(status == 403 && text.contains(why), "{method} {path}: {status} {said}");
        assert!(said["hint"].as_str().unwrap().contains("may_administer"), "{said}");
    }
}

#[tokio::test]
async fn a_new_verb_is_one_that_administers_or_is_listed_as_another() {
    let machine = Machine::start().await;
    let document = machine.get("/v1/openapi.json").await.success();
    let mut served = Vec::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for verb in verbs.as_object().unwrap().keys() {
            served.push((verb.to_uppercase(), path.clone()));
        }
    }
    let administrative = administrative();
    let administrative = administrative.iter().map(|(method, path, _)| (*method, *path));
    let mut known: Vec<_> = administrative
        .chain(OTHER)
        .chain([("GET", "/v1/openapi.json")])
        .map(|(method, path)| (method.to_owned(), path.to_owned()))
        .collect();
    served.sort();
    known.sort();
    assert_eq!(served, known);
}

#[tokio::test]
async fn a_flatpak_administers_nothing_unless_a_rule_lets_it() {
    let Some(world) = world().await else { return };
    let mut flatpak = Puppet::run(&world.machine, in_flatpak(&world.machine, PERL)).await;
    check_administers_nothing(&mut flatpak, "a program in a sandbox").await;
    let record = world.machine.get("/v1/audit").await.success();
    let is_told = |record: &Value| record["program"]["sandbox"].is_string();
    assert!(record["records"].as_array().unwrap().iter().any(is_told), "{record}");

    world.machine.write(CONFIG, "[[rules]]\nmay_administer = true\n");
    let (status, said) = flatpak.ask("GET", "/v1/grants", &json!(null)).await.unwrap();
    assert_eq!(status, 200, "{said}");
}

#[tokio::test]
async fn a_flatpak_that_hides_is_a_flatpak() {
    let Some(world) = world().await else { return };
    let command = in_flatpak(&world.machine, PERL);
    let mut hidden = Puppet::run_after(&world.machine, command, Act::Hide).await;
    check_administers_nothing(&mut hidden, "a program in a sandbox").await;
}

#[tokio::test]
async fn who_speaks_for_a_flatpak_that_has_ended_is_in_it() {
    let Some(world) = world().await else { return };
    let mut left = Puppet::run(&world.machine, in_flatpak(&world.machine, PERL)).await;
    left.act(Act::Leave).await;
    left.wait_for_exit().await;
    check_administers_nothing(&mut left, "a program in a sandbox").await;
}

#[tokio::test]
async fn a_flatpak_is_known_while_nobody_looks_at_programs() {
    let Some(world) = world().await else { return };
    let daemon = world.machine.pid();
    let children = fs::read_to_string(format!("/proc/{daemon}/task/{daemon}/children")).unwrap();
    let lookout: i32 = children.split_whitespace().next().unwrap().parse().unwrap();
    kill_process(Pid::from_raw(lookout).unwrap(), Signal::STOP).unwrap();
    let mut flatpak = Puppet::run(&world.machine, in_flatpak(&world.machine, PERL)).await;
    check_administers_nothing(&mut flatpak, "a program in a sandbox").await;
    kill_process(Pid::from_raw(lookout).unwrap(), Signal::CONT).unwrap();
}

#[tokio::test]
async fn a_program_that_ended_before_anybody_saw_it_administers_nothing() {
    let world = World::start().await;
    let daemon = Pid::from_raw(i32::try_from(world.machine.pid()).unwrap()).unwrap();
    kill_process(daemon, Signal::STOP).unwrap();
    let mut unseen = Puppet::connect(&world.machine).await;
    unseen.act_unseen(Act::Leave).await;
    unseen.wait_for_exit().await;
    kill_process(daemon, Signal::CONT).unwrap();
    check_administers_nothing(&mut unseen, "cannot be known").await;
}

#[tokio::test]
async fn a_program_in_no_sandbox_administers_even_if_it_hides_or_ends() {
    let mut machine = Machine::new();
    launch_without_capabilities(&mut machine).await;
    let mut hidden = Puppet::connect_after(&machine, Act::Hide).await;
    let mut left = Puppet::connect(&machine).await;
    left.act(Act::Leave).await;
    left.wait_for_exit().await;
    for puppet in [&mut hidden, &mut left] {
        let (status, said) = puppet.ask("GET", "/v1/grants", &json!(null)).await.unwrap();
        assert_eq!(status, 200, "{said}");
    }
}
