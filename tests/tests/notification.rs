//! A question of the daemon's as a notification: a real desktop's notification server (dunst, on a screen that nobody sees) shows
//! it, and a person chooses among its buttons.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Child;
use valetkey_tests::bus::Bus;
use valetkey_tests::screen::{Screen, start};
use valetkey_tests::{ALICE, CLIENT_ID, Machine, Program, SCOPE, World, patiently};

/// A machine with a screen, a session bus and a notification server.
struct Desktop {
    _screen: Screen,
    bus: Bus,
    _dunst: Child,
    folder: PathBuf,
}

impl Desktop {
    /// Gives the machine's programs a desktop.
    async fn start(machine: &mut Machine) -> Self {
        let folder = machine.folder().join("desktop");
        // dunst hands its list of buttons to this program and does what it prints.
        let pick = "#!/bin/sh\ntee -a \"$0.offered\" | grep -m 1 -F -f \"$0.wanted\"\n";
        machine.write("desktop/pick", pick);
        let picker = folder.join("pick");
        std::fs::set_permissions(&picker, std::fs::Permissions::from_mode(0o700)).unwrap();
        let settings = format!("[global]\nbrowser = /bin/true\ndmenu = {}\n", picker.display());
        machine.write("desktop/dunstrc", settings);
        let screen = Screen::start(machine).await;
        // It starts nothing by itself: another dunst, whom nobody has told of `pick`, would be the first to show notifications.
        let bus = Bus::start().unwrap();
        machine.set("DBUS_SESSION_BUS_ADDRESS", bus.address());
        let mut dunst = machine.command_of("dunst");
        dunst.arg("-conf").arg(folder.join("dunstrc")).stderr(Stdio::null()).stdout(Stdio::null());
        let dunst = start(&mut dunst);
        let desktop = Self { _screen: screen, bus, _dunst: dunst, folder };
        desktop.wait_for(machine, "is-paused", "false").await;
        desktop
    }

    /// Presses a button of the one question on the screen, which goes by that.
    async fn press(&self, machine: &Machine, button: &str) {
        machine.write("desktop/pick.wanted", format!("#{button}"));
        assert!(dunstctl(machine, &["context"]).await.is_some(), "dunst has no menu");
        self.wait_for_shown(machine, 0).await;
    }

    /// What the buttons say of all that was ever on the screen.
    fn offered(&self) -> String {
        std::fs::read_to_string(self.folder.join("pick.offered")).unwrap_or_default()
    }

    async fn wait_for(&self, machine: &Machine, what: &str, expected: &str) {
        self.wait_until(machine, &[what], |said| said.trim() == expected).await;
    }

    /// Until so many notifications are on the screen.
    async fn wait_for_shown(&self, machine: &Machine, count: usize) {
        let expected = count.to_string();
        self.wait_until(machine, &["count", "displayed"], |said| said.trim() == expected).await;
    }

    async fn wait_until(&self, machine: &Machine, what: &[&str], is_it: impl Fn(&str) -> bool) {
        let waiting = async {
            loop {
                if dunstctl(machine, what).await.is_some_and(|said| is_it(&said)) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        patiently("the notification server", waiting).await;
    }
}

/// What the notification server says; `None` while there is none.
async fn dunstctl(machine: &Machine, arguments: &[&str]) -> Option<String> {
    let output = machine.command_of("dunstctl").args(arguments).output().await.unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

async fn world_with_desktop() -> (World, Desktop) {
    let mut machine = Machine::new();
    machine.write("config/valetkey/config.toml", "[policy]\nconsent = \"ask\"\n");
    let desktop = Desktop::start(&mut machine).await;
    machine.launch().await;
    let world = World::of(machine, Default::default()).await;
    world.signed_in(ALICE).await;
    (world, desktop)
}

fn token_by_command(world: &World) -> Child {
    let mut command = world.machine.command(Program::Cli);
    command.args(["--output", "json", "token", "--no-validate-authority", "--scope", SCOPE]);
    command.args(["--client-id", CLIENT_ID, "--authority", &world.entra.authority("common")]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

async fn exit_of(asking: Child) -> Option<i32> {
    patiently("valetkey token", asking.wait_with_output()).await.unwrap().status.code()
}

async fn words(world: &World) -> Vec<Value> {
    let listed = world.machine.get("/v1/grants").await.success();
    listed["grants"].as_array().unwrap().iter().map(|grant| grant["word"].clone()).collect()
}

#[tokio::test]
async fn a_button_of_the_notification_is_the_answer_for_all_who_wait() {
    let (world, desktop) = world_with_desktop().await;
    let asking = [token_by_command(&world), token_by_command(&world)];
    desktop.wait_for_shown(&world.machine, 1).await;
    desktop.press(&world.machine, "Always").await;
    for asking in asking {
        assert_eq!(exit_of(asking).await, Some(0));
    }
    assert_eq!(words(&world).await, [json!("signed_in"), json!("always")]);
    let offered = desktop.offered();
    for button in ["Once", "Until lock", "8 hours", "Always", "No"] {
        assert!(offered.contains(&format!("#{button}")), "{offered}");
    }
}

#[tokio::test]
async fn a_no_on_the_desktop_denies_and_an_answer_elsewhere_takes_the_question_off_the_screen() {
    let (world, desktop) = world_with_desktop().await;
    let asking = token_by_command(&world);
    desktop.wait_for_shown(&world.machine, 1).await;
    let prompts = world.machine.get("/v1/prompts?wait=60").await.success();
    let path = format!("/v1/prompts/{}", prompts["prompts"][0]["id"].as_str().unwrap());
    world.machine.connect().await.post(&path, &json!({"answer": "once"})).await.success();
    assert_eq!(exit_of(asking).await, Some(0));
    desktop.wait_for_shown(&world.machine, 0).await;

    let asking = token_by_command(&world);
    desktop.wait_for_shown(&world.machine, 1).await;
    desktop.press(&world.machine, "No").await;
    assert_eq!(exit_of(asking).await, Some(4));
    assert_eq!(words(&world).await, [json!("signed_in"), json!("no")]);
}

#[tokio::test]
async fn who_is_on_the_bus_too_neither_answers_nor_closes_a_question() {
    let (world, desktop) = world_with_desktop().await;
    let asking = token_by_command(&world);
    desktop.wait_for_shown(&world.machine, 1).await;
    let stranger = desktop.bus.connect().await;
    let (path, interface) = ("/org/freedesktop/Notifications", "org.freedesktop.Notifications");
    for id in 0..10_u32 {
        let pressed = (id, "always");
        Bus::say_to_all(&stranger, path, interface, "ActionInvoked", &pressed).await;
        let closed = (id, 2_u32);
        Bus::say_to_all(&stranger, path, interface, "NotificationClosed", &closed).await;
    }
    desktop.press(&world.machine, "No").await;
    assert_eq!(exit_of(asking).await, Some(4));
    assert_eq!(words(&world).await, [json!("signed_in"), json!("no")]);
}
