//! A question of the daemon's in a window of the real pinentry, on a screen that nobody sees, where no desktop shows
//! notifications: a person presses keys.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::Child;
use valetkey_tests::screen::Screen;
use valetkey_tests::{ALICE, CLIENT_ID, Machine, Program, SCOPE, World, patiently};

async fn world_with_screen() -> (World, Screen) {
    let mut machine = Machine::new();
    let settings = "[policy]\nconsent = \"ask\"\npinentry = \"/usr/bin/pinentry-gtk-2\"\n";
    machine.write("config/valetkey/config.toml", settings);
    let screen = Screen::start(&mut machine).await;
    machine.launch().await;
    let world = World::of(machine, Default::default()).await;
    world.signed_in(ALICE).await;
    (world, screen)
}

fn token_by_command(world: &World) -> Child {
    let mut command = world.machine.command(Program::Cli);
    command.args(["--output", "json", "token", "--no-validate-authority", "--scope", SCOPE]);
    command.args(["--client-id", CLIENT_ID, "--authority", &world.entra.authority("common")]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Presses a key in the window, once it is there.
async fn press(world: &World, key: &str) -> bool {
    let mut xdotool = world.machine.command_of("xdotool");
    xdotool.args(["search", "--sync", "--onlyvisible", "--name", "valetkey"]);
    xdotool.args(["windowfocus", "--sync", "key", key]);
    // The window closes when the key goes down, and then there is none in which it could come up, which is an error to it.
    let output = patiently("the window", xdotool.kill_on_drop(true).output()).await;
    assert!(output.is_ok(), "{output:?}; Debian's package xdotool has xdotool");
    true
}

async fn words(world: &World) -> Vec<Value> {
    let listed = world.machine.get("/v1/grants").await.success();
    listed["grants"].as_array().unwrap().iter().map(|grant| grant["word"].clone()).collect()
}

async fn check(key: &str, exit: i32, expected: &[Value]) {
    let (world, _screen) = world_with_screen().await;
    let asking = token_by_command(&world).wait_with_output();
    // A yes that comes before anybody could have read the question does not count, and the window is back.
    let pressing = async { while press(&world, key).await {} };
    let ended = async {
        tokio::select! { ended = asking => ended, () = pressing => unreachable!() }
    };
    let ended = patiently("valetkey token", ended).await.unwrap();
    assert_eq!(ended.status.code(), Some(exit), "{}", world.machine.logs());
    assert_eq!(words(&world).await, expected);
}

#[tokio::test]
async fn the_first_button_is_a_yes_for_once() {
    check("alt+o", 0, &[json!("signed_in")]).await;
}

#[tokio::test]
async fn the_second_button_is_a_yes_until_lock() {
    check("alt+u", 0, &[json!("signed_in"), json!("until_lock")]).await;
}

#[tokio::test]
async fn the_third_button_is_a_no() {
    check("alt+n", 4, &[json!("signed_in"), json!("no")]).await;
}

#[tokio::test]
async fn a_closed_window_is_a_no_and_so_is_the_enter_key() {
    check("Return", 4, &[json!("signed_in"), json!("no")]).await;
    check("Escape", 4, &[json!("signed_in"), json!("no")]).await;
}
