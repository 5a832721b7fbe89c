//! Answers of the provider that are lost after it has rotated the refresh token: the daemon is killed before it has saved
//! them, or the connection breaks. Where the provider lets the old token be used once more for a while, nothing is lost;
//! where it takes that for theft, a person is asked once, for all who wait.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use tokio::task::JoinSet;
use valetkey_testkit::entra::{Browser as Session, Effect, Endpoint, Fault, Options, Rotation};
use valetkey_tests::{ALICE, Browser, Machine, World, patiently};

/// Callers who want a token while it cannot be had.
const CALLERS: usize = 8;

async fn world_with_grace(grace_seconds: i64) -> World {
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds };
    let world = World::with(Machine::new(), options).await;
    world.signed_in(ALICE).await;
    world
}

/// Kills the daemon while it waits for an answer that the provider has given: what it has rotated is saved nowhere.
async fn kill_between_the_answer_and_its_save(world: &mut World) {
    let held = Effect::HoldAnswer { gate: "answer".to_owned() };
    world.control().add_fault(Fault::new(Endpoint::Token, held).for_grant("refresh_token"));
    let mut caller = world.caller().await;
    let asking =
        tokio::spawn(async move { caller.try_token(json!({"force_refresh": true})).await });
    patiently("the answer", world.control().wait_at_gate("answer", 1)).await;
    world.machine.kill().await;
    assert!(asking.await.unwrap().is_err(), "a daemon that was killed answers nobody");
    world.control().open_gate("answer");
    world.machine.launch().await;
    world.control().clear_requests();
}

/// The refresh tokens that the provider was shown, in order.
fn presented(world: &World) -> Vec<String> {
    let requests = world.control().requests_to(Endpoint::Token);
    let tokens = requests.iter().filter_map(|request| request.field("refresh_token"));
    tokens.map(str::to_owned).collect()
}

#[tokio::test]
async fn a_kill_between_an_answer_and_its_save_is_made_good_within_the_providers_grace() {
    let mut world = world_with_grace(10).await;
    for _ in 0..3 {
        kill_between_the_answer_and_its_save(&mut world).await;
        let mut caller = world.caller().await;
        caller.token(json!({"force_refresh": true})).await.success();
        // From then on it goes on with the successor: the old one would be a theft.
        world.control().advance_clock(60);
        caller.token(json!({"force_refresh": true})).await.success();
        let shown = presented(&world);
        assert_eq!(shown.len(), 2);
        assert_ne!(shown[0], shown[1]);
    }
    assert_eq!(world.control().counters()["refresh_token"].refused, 0);
}

/// Each asks for a token without a person, at once.
async fn ask_all(world: &World) -> Vec<(u16, Value)> {
    let mut asking = JoinSet::new();
    for _ in 0..CALLERS {
        let mut caller = world.caller().await;
        asking.spawn(async move {
            let answer = caller.token(json!({"force_refresh": true})).await;
            (answer.status, answer.json())
        });
    }
    patiently("all answers", asking.join_all()).await
}

/// The provider has ended the sign-in: all are told that a person is needed, the dead token is shown once, and one page in
/// one browser serves them all.
async fn check_asked_once(world: &World) {
    let told = ask_all(world).await;
    let is_told_apart = |body: &Value| body["hint"].as_str().unwrap().contains("was lost");
    assert!(told.iter().any(|(_, body)| is_told_apart(body)), "{told:?}");
    for (status, body) in told {
        let error = body["error"].as_str().unwrap();
        assert_eq!(status, 409, "{body}");
        assert!(["invalid_grant", "sign_in_needed"].contains(&error), "{body}");
        assert!(body["hint"].as_str().is_some_and(|hint| hint.contains("Start a flow")), "{body}");
    }
    assert_eq!(presented(world).len(), 1, "a dead token is shown once");
    let mut flows = Vec::new();
    for _ in 0..CALLERS {
        let mut caller = world.caller().await;
        let flow = caller.start_flow(json!({"kind": "interactive"})).await.success();
        flows.push((caller, flow));
    }
    let pages: Vec<_> = flows.iter().map(|(_, flow)| flow["auth_uri"].as_str().unwrap()).collect();
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:?}");
    let joined = flows.iter().filter(|(_, flow)| flow["joined"] == true).count();
    assert_eq!(joined, CALLERS - 1);
    let control = world.control();
    let redirect = control.authorize(pages[0], ALICE, Default::default(), &Session::default());
    let redirect = redirect.unwrap();
    assert_eq!(Browser::of(&redirect).follow(&redirect).await.unwrap().status, 200);
    for (mut caller, flow) in flows {
        assert_eq!(caller.wait_for(&flow, 30).await["state"], "completed");
        caller.token(json!({})).await.success();
    }
    assert!(ask_all(world).await.iter().all(|(status, _)| *status == 200));
}

/// A sign-in that was ended otherwise, and one that goes on after a kill that lost no answer, are told as such.
#[tokio::test]
async fn a_family_that_was_revoked_is_not_taken_for_one_that_an_answer_has_cost() {
    let mut world = world_with_grace(0).await;
    let mut caller = world.caller().await;
    caller.token(json!({"force_refresh": true})).await.success();
    world.machine.restart().await;
    world.control().revoke_user(ALICE);
    for (_, body) in ask_all(&world).await {
        assert!(!body["hint"].as_str().unwrap().contains("was lost"), "{body}");
    }
    let notes = std::fs::read_dir(world.machine.state_dir()).unwrap();
    let names = notes.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("presented-")).count(), 0);
}

#[tokio::test]
async fn a_family_that_a_kill_has_cost_is_asked_for_once_for_all() {
    let mut world = world_with_grace(0).await;
    // Not the same second as the first use.
    kill_between_the_answer_and_its_save(&mut world).await;
    world.control().advance_clock(5);
    check_asked_once(&world).await;
}

#[tokio::test]
async fn a_family_that_a_broken_connection_has_cost_is_asked_for_once_for_all() {
    let world = world_with_grace(0).await;
    let cut = Fault::new(Endpoint::Token, Effect::DropAnswer).for_grant("refresh_token");
    world.control().add_fault(cut);
    let lost = world.caller().await.token(json!({"force_refresh": true})).await;
    assert_eq!(lost.refusal(), (502, "provider_unreachable".to_owned()));
    world.control().clear_requests();
    world.control().advance_clock(5);
    check_asked_once(&world).await;
}
