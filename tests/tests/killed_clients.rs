//! Programs that are killed in the middle of what they asked for: in a body, while they wait for a token, in a sign-in. What
//! the provider gave meanwhile is kept, the others are served, and nothing of the dead stays open.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_testkit::entra::{Effect, Endpoint, Fault, Options, Rotation};
use valetkey_tests::{ALICE, Machine, Puppet, SCOPE, World, patiently};

/// At a provider that ends the sign-in when a refresh token is used twice.
async fn strict_world() -> World {
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds: 0 };
    let world = World::with(Machine::new(), options).await;
    world.signed_in(ALICE).await;
    world
}

/// A program that has opened the application, and the application's id.
async fn program(world: &World) -> (Puppet, String) {
    let mut puppet = Puppet::connect(&world.machine).await;
    let (_, opened) = puppet.post("/v1/apps", &world.definition()).await.unwrap();
    (puppet, opened["app"].as_str().unwrap().to_owned())
}

/// What a program leaves behind is let go of, and the sign-in is as good as before.
async fn check_all_is_well(world: &World, descriptors: usize) {
    patiently("the descriptors to come back", async {
        while world.machine.vitals().descriptors > descriptors + 4 {
            world.machine.status().await;
        }
    })
    .await;
    let mut caller = world.caller().await;
    for _ in 0..2 {
        caller.token(json!({"force_refresh": true})).await.success();
    }
    assert_eq!(world.machine.status().await["store"]["unsaved"], 0);
}

#[tokio::test]
async fn a_program_that_is_killed_while_it_waits_for_a_token_loses_nobodys_sign_in() {
    let world = strict_world().await;
    let before = world.machine.vitals().descriptors;
    for round in 0..5 {
        let gate = format!("refresh{round}");
        let held = Effect::HoldAnswer { gate: gate.clone() };
        world.control().add_fault(Fault::new(Endpoint::Token, held));
        let (mut puppet, app) = program(&world).await;
        let path = format!("/v1/apps/{app}/token");
        let asked = json!({"scopes": [SCOPE], "force_refresh": true});
        puppet.send("POST", &path, &asked).await;
        patiently("the refresh", world.control().wait_at_gate(&gate, 1)).await;
        puppet.kill().await;
        world.control().open_gate(&gate);
        check_all_is_well(&world, before).await;
    }
}

#[tokio::test]
async fn a_program_that_is_killed_in_a_sign_in_leaves_the_next_one_room() {
    let world = strict_world().await;
    let before = world.machine.vitals().descriptors;
    // More than one program may have open, and than a person may.
    for round in 0..80 {
        let (mut puppet, app) = program(&world).await;
        let scope = format!("https://graph.contoso.com/Scope{round}");
        let kind = ["device_code", "auth_code"][round % 2];
        let mut start = json!({"kind": kind, "scopes": [scope]});
        if kind == "auth_code" {
            start["redirect_uri"] = Value::from("http://localhost:4711");
        }
        let path = format!("/v1/apps/{app}/flows");
        let (status, flow) = puppet.post(&path, &start).await.unwrap();
        assert_eq!(status, 201, "round {round}: {flow}");
        let wait = format!("/v1/flows/{}?wait=60", flow["flow"].as_str().unwrap());
        puppet.send("GET", &wait, &json!({})).await;
        puppet.kill().await;
    }
    check_all_is_well(&world, before + 16).await;
    world.signed_in(ALICE).await;
}
