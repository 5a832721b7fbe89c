//! Many callers, one expired token: one request to the provider, and an answer for each.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use tokio::task::JoinSet;
use valetkey_testkit::entra::{Effect, Endpoint, Fault, Options, Rotation};
use valetkey_tests::{ALICE, Caller, Machine, World, patiently};

const CALLERS: usize = 1_000;

/// A world in which Alice has signed in and her token is about to end; what is issued from now on lives an hour. Her
/// refresh token is good for one use.
async fn world_with_an_expired_token() -> World {
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds: 0 };
    // Less than five minutes count as expired.
    options.settings.access_token_lifetime = 200;
    let world = World::with(Machine::new(), options).await;
    world.signed_in(ALICE).await;
    let mut settings = world.control().settings();
    settings.access_token_lifetime = 3_600;
    world.control().set_settings(settings);
    world.control().clear_requests();
    world
}

/// A connection is a descriptor, and the usual soft limit is 1,024.
fn lift_descriptor_limit() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Nofile).maximum;
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    }
}

/// Each caller has a connection of its own, and asks at the same time as all of the others.
async fn ask_all_at_once(world: &World, gate: Option<&str>) -> Vec<Value> {
    lift_descriptor_limit();
    let mut callers = Vec::new();
    for _ in 0..CALLERS {
        callers.push(world.caller().await);
    }
    let mut asking = JoinSet::new();
    for mut caller in callers {
        asking.spawn(async move { caller.token(json!({})).await });
    }
    if let Some(gate) = gate {
        patiently("the refresh", world.control().wait_at_gate(gate, 1)).await;
        world.control().open_gate(gate);
    }
    patiently("all answers", asking.join_all())
        .await
        .iter()
        .map(|answer| answer.success())
        .collect()
}

#[tokio::test]
async fn a_thousand_callers_on_one_expired_token_make_one_request() {
    let world = world_with_an_expired_token().await;
    let held = Fault::new(Endpoint::Token, Effect::Pass).behind_gate("refresh");
    world.control().add_fault(held);
    let answers = ask_all_at_once(&world, Some("refresh")).await;
    assert_eq!(answers.len(), CALLERS);
    assert!(answers.iter().all(|answer| answer["access_token"] == answers[0]["access_token"]));
    assert_eq!(world.control().requests_to(Endpoint::Token).len(), 1);
}

#[tokio::test]
async fn stragglers_are_answered_from_what_the_first_brought() {
    let world = world_with_an_expired_token().await;
    let answers = ask_all_at_once(&world, None).await;
    assert!(answers.iter().all(|answer| answer["access_token"] == answers[0]["access_token"]));
    assert_eq!(world.control().requests_to(Endpoint::Token).len(), 1);
}

#[tokio::test]
async fn an_aging_token_is_answered_to_all_and_refreshed_once() {
    let mut options = Options::default();
    options.settings.refresh_in = Some(0);
    let world = World::with(Machine::new(), options).await;
    let first = world.caller().await.sign_in(world.control(), ALICE).await;
    world.control().clear_requests();
    world.control().add_fault(Fault::new(Endpoint::Token, Effect::Pass).behind_gate("refresh"));
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let mut caller = world.caller().await;
        asking.spawn(async move { caller.token(json!({})).await.success() });
    }
    for answer in patiently("all answers", asking.join_all()).await {
        assert_eq!(answer["access_token"], first["access_token"]);
    }
    patiently("the refresh", world.control().wait_at_gate("refresh", 1)).await;
    assert_eq!(world.control().requests_to(Endpoint::Token).len(), 1);
    world.control().open_gate("refresh");
}

#[tokio::test]
async fn a_failure_is_shared_as_well() {
    let world = world_with_an_expired_token().await;
    world.control().add_fault(
        Fault::new(Endpoint::Token, Effect::retry_after(503, 30)).behind_gate("refresh").times(2),
    );
    let mut callers: Vec<Caller> = Vec::new();
    for _ in 0..50 {
        callers.push(world.caller().await);
    }
    let mut asking = JoinSet::new();
    for mut caller in callers {
        asking.spawn(async move { caller.token(json!({})).await });
    }
    patiently("the refresh", world.control().wait_at_gate("refresh", 1)).await;
    world.control().open_gate("refresh");
    for answer in patiently("all answers", asking.join_all()).await {
        assert_eq!(answer.refusal(), (503, "provider_unavailable".to_owned()));
        let wait = answer.json()["retry_after"].as_u64().unwrap();
        assert!((25..=30).contains(&wait), "{wait}");
    }
    assert_eq!(world.control().requests_to(Endpoint::Token).len(), 1);
}

#[tokio::test]
async fn each_scope_has_its_own_flight_but_a_rotating_token_is_redeemed_by_one_at_a_time() {
    let world = world_with_an_expired_token().await;
    let mut asking = JoinSet::new();
    for number in 0..40 {
        let mut caller = world.caller().await;
        let scope = format!("https://graph.contoso.com/Scope{}", number % 8);
        asking.spawn(async move { caller.token(json!({"scopes": [scope]})).await });
    }
    for answer in patiently("all answers", asking.join_all()).await {
        answer.success();
    }
    assert_eq!(world.control().requests_to(Endpoint::Token).len(), 8);
}
