//! Several programs in one sign-in: each may leave it, and the last one to leave ends it.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_testkit::entra::{Browser as Session, Person};
use valetkey_tests::{ALICE, Browser, Caller, World};

/// A program that takes part in the one interactive sign-in.
async fn join(world: &World) -> (Caller, Value) {
    let mut caller = world.caller().await;
    let flow = caller.start_flow(json!({"kind": "interactive"})).await.success();
    (caller, flow)
}

async fn cancel(caller: &mut Caller, flow: &Value) {
    let path = format!("/v1/flows/{}", flow["flow"].as_str().unwrap());
    assert_eq!(caller.connection.delete(&path).await.status, 204);
    let ended = caller.wait_for(flow, 30).await;
    assert_eq!(ended["error"]["error"], "flow_cancelled", "{ended}");
}

#[tokio::test]
async fn who_began_a_sign_in_can_cancel_without_ending_it_for_those_who_joined() {
    let world = World::start().await;
    let (mut first, begun) = join(&world).await;
    let (mut second, joined) = join(&world).await;
    assert_eq!((&begun["joined"], &joined["joined"]), (&json!(false), &json!(true)));
    cancel(&mut first, &begun).await;
    assert_eq!(second.wait_for(&joined, 0).await["state"], "pending");
    let url = begun["auth_uri"].as_str().unwrap();
    let person = world.control().authorize(url, ALICE, Person::Agrees, &Session::default());
    let redirect = person.unwrap();
    Browser::of(&redirect).follow(&redirect).await.unwrap();
    assert_eq!(second.wait_for(&joined, 30).await["state"], "completed");
    // It has left, and has its sign-in all the same.
    assert_eq!(first.wait_for(&begun, 0).await["error"]["error"], "flow_cancelled");
    assert_eq!(first.token(json!({})).await.success()["token_source"], "cache");
}

#[tokio::test]
async fn the_last_one_to_cancel_ends_the_sign_in() {
    let world = World::start().await;
    let (mut first, begun) = join(&world).await;
    let (mut second, joined) = join(&world).await;
    for (caller, flow, left) in [(&mut second, &joined, 1), (&mut first, &begun, 0)] {
        cancel(caller, flow).await;
        assert_eq!(world.machine.status().await["counts"]["flows"], left);
    }
    assert_eq!(join(&world).await.1["joined"], false);
}
