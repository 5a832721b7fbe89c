//! Rules and consent that bound scopes: a cached token that is good for more is nobody's answer whom it would give more.

use std::sync::Arc;

use valetkey_engine::{ClientApplication, SilentRequest};
use valetkey_policy::{Authorized, Ceiling, Consent, Decision, Grants, Policy, Rule, Word, decide};
use valetkey_testkit::http::{On, json};
use valetkey_testkit::world::{TestWorld, run, tell};

fn bounded(scopes: &[&str]) -> Policy {
    let scopes = Some(scopes.iter().map(|scope| (*scope).to_owned()).collect());
    let ceiling = Ceiling { scopes, ..Ceiling::default() };
    Policy { rules: vec![Rule { ceiling, ..Rule::default() }], ..Policy::of_user() }
}

/// The scope `a`, for a program that may have these.
async fn ask(world: &TestWorld, app: &Arc<ClientApplication>, scopes: &[&str]) -> String {
    ask_with(world, scopes, world.request(app, "a")).await
}

async fn ask_with(world: &TestWorld, scopes: &[&str], request: SilentRequest) -> String {
    let authorized = world.decide(&bounded(scopes), request).unwrap();
    tell(&world.engine.acquire_token_silent(&world.user().await, &authorized).await)
}

#[test]
fn a_token_that_is_good_for_more_than_a_rule_allows_is_not_handed_out() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a b").await;
        assert_eq!(ask(&world, &app, &["a", "b"]).await, "cached at-1");
        assert_eq!(ask(&world, &app, &["a"]).await, "issued at-2");
        assert_eq!(ask(&world, &app, &["a"]).await, "cached at-2");
        assert_eq!(world.token(&app, "a b").await, "cached at-1");
        assert_eq!(world.http.count(&On::refresh()), 1);
    });
}

#[test]
fn what_a_provider_adds_to_what_was_asked_for_is_the_providers_and_it_is_not_asked_again() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a b").await;
        let more = serde_json::json!({
            "access_token": "more", "token_type": "Bearer", "expires_in": 3600, "scope": "a b openid",
        });
        world.http.script_once(On::refresh(), json(200, &more));
        assert_eq!(ask(&world, &app, &["a"]).await, "issued more");
        assert_eq!(ask(&world, &app, &["a"]).await, "cached more");
        assert_eq!(world.http.count(&On::refresh()), 1);
    });
}

#[test]
fn programs_of_different_bounds_do_not_ask_the_provider_in_turn() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a b").await;
        for (scope, secret) in [("a", "for a"), ("b", "for b")] {
            let all = serde_json::json!({
                "access_token": secret, "token_type": "Bearer", "expires_in": 3600, "scope": "a b",
            });
            world.http.script_once(On::refresh(), json(200, &all));
            let issued = ask_with(&world, &[scope], world.request(&app, scope)).await;
            assert_eq!(issued, format!("issued {secret}"));
        }
        for scope in ["a", "b", "a"] {
            let asked = ask_with(&world, &[scope], world.request(&app, scope)).await;
            assert_eq!(asked, "cached for b", "{scope}");
        }
        assert_eq!(world.http.count(&On::refresh()), 2);
    });
}

#[test]
fn who_may_have_less_does_not_share_the_flight_of_who_may_have_more() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a b").await;
        world.clock.advance(3_400).await;
        let all = world.spawn_ask(world.request(&app, "a b"));
        let some = ask(&world, &app, &["a"]).await;
        assert_ne!(all.await.unwrap(), some);
        assert_eq!(world.http.count(&On::refresh()), 2);
    });
}

/// The scope `a`, for a program to which the person has said yes to that.
async fn consented(world: &TestWorld, app: &Arc<ClientApplication>) -> Authorized<SilentRequest> {
    let policy = Policy { consent: Consent::Ask, ..Policy::of_user() };
    let request = world.request(app, "a");
    let asker = Arc::clone(world.authorize(request.clone()).asker());
    let user = world.user().await;
    let request = world.engine.resolve_account(&user, request, |_| true).await.unwrap();
    let now = world.engine.now();
    let Decision::Ask(question, request) =
        decide(&policy, &asker, &Grants::default(), request, now)
    else {
        panic!("nobody is asked")
    };
    let yes = question.grant(Word::Once, "g1".to_owned(), now, None);
    decide(&policy, &asker, &Grants::default().with(yes), request, now).without_asking().unwrap()
}

#[test]
fn a_token_that_is_good_for_more_than_the_person_has_said_is_not_handed_out() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a b").await;
        let user = world.user().await;
        for expected in ["issued at-2", "cached at-2"] {
            let authorized = consented(&world, &app).await;
            let answer = world.engine.acquire_token_silent(&user, &authorized).await;
            assert_eq!(tell(&answer), expected);
        }
        assert_eq!(world.token(&app, "a b").await, "cached at-1");
        assert_eq!(world.http.count(&On::refresh()), 1);
    });
}
