//! A provider that is down, slow or out of its mind: what the caller is told, and that nobody has to sign in again.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Map, Value, json};
use valetkey_testkit::entra::{Effect, Endpoint, Fault, NewUser, Options, Rotation, Scenario};
use valetkey_tests::{ALICE, Answer, Caller, Machine, World, patiently};

/// What is held against one effect: status, `error`, and words of the description.
type Expected = (u16, &'static str, &'static str);

const UNAVAILABLE: Expected = (503, "provider_unavailable", "");
const MISBEHAVED: Expected = (502, "provider_misbehaved", "");
const UNREACHABLE: Expected = (502, "provider_unreachable", "");

fn check_refused(name: &str, answer: &Answer, (status, error, words): Expected) {
    assert_eq!(answer.refusal(), (status, error.to_owned()), "{name}: {}", answer.json());
    let body = answer.json();
    assert!(body["error_description"].as_str().unwrap().contains(words), "{name}: {body}");
    assert!(body["hint"].is_string(), "{name} says not what to do: {body}");
}

fn edited(remove: &[&str], set: Value) -> Effect {
    let set: Map<String, Value> = set.as_object().unwrap().clone();
    Effect::EditAnswer { remove: remove.iter().map(|name| (*name).to_owned()).collect(), set }
}

fn answer_of(status: u16, headers: &[(&str, &str)], body: &str) -> Effect {
    let headers =
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Effect::Answer { status, headers, body: Some(body.to_owned()) }
}

/// Each fault that a token request may meet.
fn faults() -> Vec<(&'static str, Effect, Expected)> {
    let redirect = [("Location", "https://evil.example/token")];
    vec![
        ("500", Effect::status(500), UNAVAILABLE),
        ("502", Effect::status(502), UNAVAILABLE),
        ("503", Effect::status(503), UNAVAILABLE),
        ("503 in HTML", Effect::Html { status: 503 }, UNAVAILABLE),
        ("a captive portal", Effect::Html { status: 200 }, MISBEHAVED),
        ("a proxy's refusal", Effect::Html { status: 403 }, MISBEHAVED),
        ("half an object", Effect::NonsenseJson, MISBEHAVED),
        ("nothing", answer_of(200, &[], ""), MISBEHAVED),
        ("a list", answer_of(200, &[], "[]"), MISBEHAVED),
        ("no token", Effect::without_access_token(), MISBEHAVED),
        ("a number for a token", edited(&[], json!({"access_token": 7})), MISBEHAVED),
        ("an empty token", edited(&[], json!({"access_token": ""})), MISBEHAVED),
        ("a lifetime in words", edited(&[], json!({"expires_in": "soon"})), MISBEHAVED),
        ("bytes that are no text", answer_of(200, &[], "\u{0}\u{1}"), MISBEHAVED),
        ("elsewhere", answer_of(302, &redirect, ""), MISBEHAVED),
        ("elsewhere with the form", answer_of(307, &redirect, ""), MISBEHAVED),
        ("a cut before", Effect::DropRequest, UNREACHABLE),
        ("a cut after", Effect::DropAnswer, UNREACHABLE),
    ]
}

/// Refresh tokens are good for one use, with Okta's time of grace for an answer that was lost.
fn rotating() -> Options {
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds: 10 };
    options
}

/// Another scope meets no throttling of the first; the refresh token must still be good.
async fn check_still_signed_in(caller: &mut Caller, name: &str) {
    assert_eq!(caller.usernames().await, [ALICE], "{name}");
    let other = json!({"scopes": ["https://graph.contoso.com/Files.Read"], "force_refresh": true});
    let token = caller.token(other).await;
    assert_eq!(token.status, 200, "after {name}: {}", token.json());
}

#[tokio::test]
async fn a_silent_request_that_meets_a_fault_costs_no_sign_in() {
    for (name, effect, expected) in faults() {
        let world = World::with(Machine::new(), rotating()).await;
        let mut caller = world.signed_in(ALICE).await;
        world.control().add_fault(Fault::new(Endpoint::Token, effect));
        let refused = caller.token(json!({"force_refresh": true})).await;
        check_refused(name, &refused, expected);
        check_still_signed_in(&mut caller, name).await;
        // Nor is the token that is at hand withheld.
        assert_eq!(caller.token(json!({})).await.success()["token_source"], "cache", "{name}");
    }
}

#[tokio::test]
async fn a_code_that_meets_a_fault_ends_the_flow_with_the_same_words() {
    for (name, effect, expected) in faults() {
        let world = World::start().await;
        let mut caller = world.caller().await;
        let start = json!({"kind": "auth_code", "redirect_uri": "http://localhost:4711"});
        let flow = caller.start_flow(start).await.success();
        let url = flow["auth_uri"].as_str().unwrap();
        let redirect =
            world.control().authorize(url, ALICE, Default::default(), &Default::default());
        world.control().add_fault(Fault::new(Endpoint::Token, effect));
        let ended = caller.complete(&flow, &redirect.unwrap().params).await.success();
        assert_eq!(ended["state"], "failed", "{name}: {ended}");
        assert_eq!(ended["error"]["error"], expected.1, "{name}: {ended}");
        assert_eq!(caller.usernames().await, [""; 0], "{name}");
    }
}

/// RFC 8628 section 3.5: a person may be typing the code that very moment.
#[tokio::test]
async fn a_device_that_polls_outlasts_a_passing_fault() {
    let mut polling = tokio::task::JoinSet::new();
    for (name, effect) in [
        ("503", Effect::status(503)),
        ("429", Effect::retry_after(429, 1)),
        ("a captive portal", Effect::Html { status: 200 }),
        ("a cut", Effect::DropRequest),
    ] {
        polling.spawn(async move {
            let world = World::start().await;
            let mut caller = world.caller().await;
            let flow = caller.start_flow(json!({"kind": "device_code"})).await.success();
            let user_code = flow["device"]["user_code"].as_str().unwrap();
            world.control().approve_device(user_code, ALICE).unwrap();
            world.control().add_fault(Fault::new(Endpoint::Token, effect));
            let ended = caller.wait_for(&flow, 30).await;
            assert_eq!(ended["state"], "completed", "{name}: {ended}");
        });
    }
    polling.join_all().await;
}

#[tokio::test]
async fn what_discovery_meets_is_told_and_not_remembered() {
    for (name, effect, expected) in [
        ("503", Effect::status(503), UNAVAILABLE),
        ("a captive portal", Effect::Html { status: 200 }, MISBEHAVED),
        ("half an object", Effect::NonsenseJson, MISBEHAVED),
        ("no endpoints", answer_of(200, &[], "{}"), MISBEHAVED),
        ("a cut", Effect::DropRequest, UNREACHABLE),
        ("an unknown tenant", Effect::status(400), (400, "invalid_authority", "")),
        (
            "a token endpoint elsewhere without TLS",
            edited(&[], json!({"token_endpoint": "http://evil.example/token"})),
            (400, "invalid_authority", "https"),
        ),
    ] {
        let world = World::start().await;
        let mut caller = world.caller().await;
        world.control().add_fault(Fault::new(Endpoint::OpenidConfiguration, effect));
        let refused = caller.start_flow(json!({"kind": "device_code"})).await;
        check_refused(name, &refused, expected);
        caller.sign_in(world.control(), ALICE).await;
    }
}

#[tokio::test]
async fn a_provider_that_asks_to_be_left_alone_is_left_alone() {
    for (name, effect) in [
        ("429", Effect::retry_after(429, 30)),
        ("503", Effect::retry_after(503, 30)),
        ("429 without a time", Effect::status(429)),
    ] {
        let world = World::start().await;
        let mut caller = world.signed_in(ALICE).await;
        world.control().add_fault(Fault::new(Endpoint::Token, effect));
        world.control().clear_requests();
        for round in 0..3 {
            let refused = caller.token(json!({"force_refresh": true})).await;
            assert!([429, 503].contains(&refused.status), "{name}: {}", refused.json());
            if name != "429 without a time" {
                let wait = refused.json()["retry_after"].as_u64().unwrap();
                assert!((20..=30).contains(&wait), "{name}, {round}: {wait}");
                assert_eq!(refused.header("retry-after"), Some(wait.to_string().as_str()));
            }
        }
        assert_eq!(world.control().requests_to(Endpoint::Token).len(), 1, "{name}");
        check_still_signed_in(&mut caller, name).await;
    }
}

#[tokio::test]
async fn one_users_throttling_is_not_anothers() {
    let world = World::start().await;
    let busy = NewUser { scenario: None, ..NewUser::named("busy@contoso.com") };
    world.control().create_user(busy);
    let mut caller = world.signed_in("busy@contoso.com").await;
    caller.sign_in(world.control(), ALICE).await;
    let throttled = Scenario::Throttled { retry_after: 30 };
    world.control().set_user_scenario("busy@contoso.com", Some(throttled));
    let refused = caller.token(json!({"account": "busy@contoso.com", "force_refresh": true})).await;
    assert_eq!(refused.status, 429, "{}", refused.json());
    caller.token(json!({"account": ALICE, "force_refresh": true})).await.success();
}

#[tokio::test]
async fn a_provider_that_is_gone_does_not_take_the_tokens_along() {
    let mut options = rotating();
    options.settings.refresh_in = Some(0);
    let world = World::with(Machine::new(), options).await;
    let mut caller = world.signed_in(ALICE).await;
    let World { machine, entra } = world;
    let address = entra.base_url().trim_start_matches("http://").to_owned();
    drop(entra);
    let refused = caller.token(json!({"force_refresh": true})).await;
    check_refused("gone", &refused, UNREACHABLE);
    let body = refused.json();
    assert!(body["error_description"].as_str().unwrap().contains(&address), "{body}");
    let aging = caller.token(json!({})).await.success();
    assert_eq!(aging["token_source"], "cache");
    assert_eq!(caller.usernames().await, [ALICE]);
    assert_eq!(machine.get("/v1/status").await.status, 200);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_waited_for_no_longer_than_configured() {
    let machine = Machine::new();
    machine.write("config/valetkey/config.toml", "[network]\ntimeout = 1\n");
    let world = World::with(machine, rotating()).await;
    let mut caller = world.signed_in(ALICE).await;
    let silent = Fault::new(Endpoint::Token, Effect::Pass).behind_gate("never");
    world.control().add_fault(silent);
    let refused = caller.token(json!({"force_refresh": true})).await;
    check_refused("silence", &refused, (502, "provider_unreachable", "1 s"));
    check_still_signed_in(&mut caller, "silence").await;
}

/// Others are answered while one waits for a slow provider.
#[tokio::test]
async fn a_slow_provider_holds_up_nobody_else() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    let held = Fault::new(Endpoint::Token, Effect::Pass).behind_gate("slow");
    world.control().add_fault(held);
    let mut slow = world.caller().await;
    let slow = tokio::spawn(async move { slow.token(json!({"force_refresh": true})).await });
    patiently("the slow one", world.control().wait_at_gate("slow", 1)).await;
    assert_eq!(caller.token(json!({})).await.success()["token_source"], "cache");
    assert_eq!(world.machine.get("/v1/status").await.status, 200);
    world.control().open_gate("slow");
    assert_eq!(slow.await.unwrap().success()["token_source"], "identity_provider");
}

/// The refresh token rotated, and the answer was lost on the wire: within the time of grace nobody has to sign in again.
#[tokio::test]
async fn an_answer_that_was_lost_is_asked_for_again() {
    let world = World::with(Machine::new(), rotating()).await;
    let mut caller = world.signed_in(ALICE).await;
    for _ in 0..3 {
        world.control().add_fault(Fault::new(Endpoint::Token, Effect::DropAnswer));
        let lost = caller.token(json!({"force_refresh": true})).await;
        check_refused("lost", &lost, UNREACHABLE);
        caller.token(json!({"force_refresh": true})).await.success();
        // Were the old token kept, its next use would be a reuse.
        world.control().advance_clock(60);
        caller.token(json!({"force_refresh": true})).await.success();
    }
}

#[tokio::test]
async fn a_revoked_sign_in_is_dropped_and_said_to_be_needed() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    assert_eq!(world.control().revoke_user(ALICE), 1);
    let refused = caller.token(json!({"force_refresh": true})).await;
    assert_eq!(refused.refusal(), (409, "invalid_grant".to_owned()));
    assert_eq!(caller.usernames().await, [ALICE], "whom to ask is still known");
    world.control().clear_requests();
    let again = caller.token(json!({"force_refresh": true})).await;
    assert_eq!(again.refusal(), (409, "sign_in_needed".to_owned()));
    assert_eq!(world.control().requests().len(), 0, "a dead token is not tried again");
    caller.sign_in(world.control(), ALICE).await;
}
