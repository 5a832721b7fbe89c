//! `[policy] forbid_device_code`: nobody signs in by a code, whoever asks and in whatever way.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::json;
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Machine, Program, World, patiently};

const CONFIG: &str = "config/valetkey/config.toml";

async fn forbidding() -> World {
    let machine = Machine::new();
    machine.write(CONFIG, "[policy]\nforbid_device_code = true\n");
    World::with(machine, Options::default()).await
}

/// Exit code and what was told, of a login for an application of no name.
async fn login(world: &World, rest: &[&str]) -> (Option<i32>, String) {
    let definition = world.definition();
    let text = |member: &str| definition[member].as_str().unwrap().to_owned();
    let (client, authority) = (text("client_id"), text("authority"));
    let mut command = world.machine.command(Program::Cli);
    command.args(["login", "--client-id", &client, "--authority", &authority]);
    command.args(["--no-validate-authority", "--scope", "https://graph.contoso.com/Mail.Read"]);
    let output = patiently("valetkey login", command.args(rest).output()).await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), told.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[tokio::test]
async fn no_program_starts_a_device_flow_and_other_ways_stay_open() {
    let world = forbidding().await;
    let mut caller = world.caller().await;
    let scopes = ["https://graph.contoso.com/Mail.Read"];
    let refused = caller.start_flow(json!({"kind": "device_code", "scopes": scopes})).await;
    assert_eq!(refused.refusal(), (403, "access_denied".to_owned()));
    let said = refused.json();
    assert!(said["error_description"].as_str().unwrap().contains("forbid_device_code"), "{said}");
    assert!(said["hint"].as_str().unwrap().contains("browser"), "{said}");
    let asked = world.control().requests();
    assert!(!asked.iter().any(|request| request.path.ends_with("/devicecode")), "{asked:?}");
    caller.start_flow(json!({"kind": "interactive", "scopes": scopes})).await.success();
}

#[tokio::test]
async fn a_login_without_a_browser_says_that_there_is_no_code_instead() {
    let world = forbidding().await;
    for (words, why) in [(&["--device-code"][..], ""), (&[], "no browser is at hand")] {
        let (exit, told) = login(&world, words).await;
        assert_eq!(exit, Some(4), "{told}");
        assert!(told.contains("forbid_device_code") && told.contains("--no-browser"), "{told}");
        assert!(told.contains(why) && !told.contains("type the code"), "{told}");
        assert_eq!(told.contains("no browser is at hand"), !why.is_empty(), "{told}");
    }
}

#[tokio::test]
async fn the_switch_is_heard_while_the_daemon_runs() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    caller.sign_in(world.control(), ALICE).await;
    let wish = json!({"kind": "device_code", "scopes": ["https://graph.contoso.com/Files.Read"]});
    caller.start_flow(wish.clone()).await.success();
    world.machine.write(CONFIG, "[policy]\nforbid_device_code = true\n");
    let heard = async { while caller.start_flow(wish.clone()).await.status != 403 {} };
    patiently("the change", heard).await;
    caller.token(json!({})).await.success();
}
