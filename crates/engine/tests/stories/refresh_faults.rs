//! What a refused or failed refresh means: for the refresh token, for the next call, and for other people.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use valetkey_engine::{AccountSelector, SilentRequest};
use valetkey_testkit::http::{On, Reply, html, json as answer, status};
use valetkey_testkit::world::{TestWorld, run, settle, tell};

const NO_TOKEN: &str = "no refresh token for this account and application";

/// What the caller is told, whether the refresh token is kept, and whether a second call asks the provider again.
fn check(reply: Reply, told: &str, is_kept: bool, asks_again: bool) {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        world.http.script(On::refresh(), reply);
        assert_eq!(world.token(&app, "a").await, told);
        let kept = world.store.refresh_tokens(world.partition());
        assert_eq!(!kept.is_empty(), is_kept, "{told}");
        let again = if is_kept { told } else { NO_TOKEN };
        assert_eq!(world.token(&app, "a").await, again);
        assert_eq!(world.http.count(&On::refresh()), 1 + usize::from(asks_again), "{told}");
    });
}

/// As [`check`], with an `invalid_grant` that has these further members.
fn check_invalid_grant(mut members: Value, told: &str, is_kept: bool) {
    members["error"] = "invalid_grant".into();
    check(answer(400, &members), &format!("provider answered invalid_grant{told}"), is_kept, false);
}

#[test]
fn a_dead_refresh_token_is_dropped() {
    check_invalid_grant(json!({}), "", false);
    check_invalid_grant(json!({"error_codes": [50173]}), " AADSTS50173", false);
    check_invalid_grant(json!({"error_codes": [700_082]}), " AADSTS700082", false);
    check_invalid_grant(json!({"suberror": "bad_token"}), "/bad_token", false);
    check_invalid_grant(json!({"suberror": "token_expired"}), "/token_expired", false);
}

#[test]
fn a_refresh_token_that_only_a_person_can_revive_is_kept() {
    check_invalid_grant(json!({"claims": "{}"}), "", true);
    check_invalid_grant(json!({"error_codes": [65001]}), " AADSTS65001", true);
    check_invalid_grant(json!({"suberror": "basic_action"}), "/basic_action", true);
    check_invalid_grant(json!({"suberror": "client_mismatch"}), "/client_mismatch", true);
    check(
        Reply::refusal("interaction_required"),
        "provider answered interaction_required",
        true,
        false,
    );
    check(Reply::refusal("invalid_scope"), "provider answered invalid_scope", true, false);
}

#[test]
fn a_passing_fault_costs_no_refresh_token() {
    let throttled = || answer(429, &json!({"error": "temporarily_unavailable"}));
    check(throttled(), "provider answered temporarily_unavailable", true, false);
    check(
        throttled().header("retry-after", "0"),
        "provider answered temporarily_unavailable",
        true,
        true,
    );
    check(status(429), "provider is unavailable (status 429)", true, false);
    check(status(503), "provider is unavailable (status 503)", true, false);
    check(
        status(503).header("retry-after", "0"),
        "provider is unavailable (status 503)",
        true,
        true,
    );
    check(Reply::offline(), "connect to the network: is down", true, true);
    let captive = "answer (status 200) is no JSON; a proxy or a network's sign-in page may have answered in the provider's place";
    check(html(), captive, true, true);
    check(answer(200, &json!({})), "answer lacks \"access_token\"", true, true);
}

#[test]
fn a_refusal_after_a_lost_answer_says_so_and_no_other_one() {
    for (between, told) in [
        (None, "provider answered invalid_grant, after an earlier answer of its was lost"),
        (
            Some(Reply::offline()),
            "provider answered invalid_grant, after an earlier answer of its was lost",
        ),
    ] {
        run(async {
            let world = TestWorld::new();
            let app = world.app("editor").await;
            world.sign_in(&app, "ada", "a").await;
            world.clock.advance(3600).await;
            let gate = world.http.hold(On::refresh());
            let _asking = world.spawn_ask(world.request(&app, "a"));
            settle().await;
            let mut world = world;
            world.restart();
            gate.open();
            let app = world.app("editor").await;
            if let Some(reply) = between {
                world.http.script(On::refresh(), reply);
                assert!(world.token(&app, "a").await.contains("connect"));
                world.http.forget_scripts();
            }
            world.http.script(On::refresh(), Reply::refusal("invalid_grant"));
            assert_eq!(world.token(&app, "a").await, told);
        });
    }
}

#[test]
fn throttling_ends_when_the_provider_said() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        world.http.script_once(On::refresh(), status(429).header("retry-after", "30"));
        for expected in ["provider is unavailable (status 429)", "issued at-2"] {
            assert_eq!(world.token(&app, "a").await, expected);
            world.clock.advance(29).await;
            if expected != "issued at-2" {
                assert_eq!(world.token(&app, "a").await, expected);
            }
            world.clock.advance(1).await;
        }
    });
}

#[test]
fn one_persons_throttling_is_not_another_ones() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.sign_in(&app, "bob", "a").await;
        world.clock.advance(3600).await;
        world.http.script(On::refresh().with("refresh_token", "rt-1"), status(429));
        let ask = |name: &str| SilentRequest {
            account: AccountSelector::Named(format!("{name}@contoso.com")),
            ..world.request(&app, "a")
        };
        for (name, expected) in
            [("ada", "provider is unavailable (status 429)"), ("bob", "issued at-3")]
        {
            assert_eq!(tell(&world.ask(ask(name)).await), expected);
        }
    });
}

#[test]
fn the_next_refresh_token_is_tried_when_one_is_refused_and_only_then() {
    for (reply, expected, requests) in [
        (Reply::refusal("invalid_grant"), "issued at-3", 2),
        (Reply::refusal("invalid_scope"), "issued at-3", 2),
        (status(503), "provider is unavailable (status 503)", 1),
        (Reply::offline(), "connect to the network: is down", 1),
    ] {
        run(async {
            let world = TestWorld::new();
            let app = world.op_app("editor").await;
            world.sign_in(&app, "ada", "a").await;
            world.sign_in(&app, "ada", "b").await;
            world.clock.advance(3600).await;
            world.http.script(On::refresh().with("refresh_token", "rt-1"), reply);
            assert_eq!(world.token(&app, "a").await, expected);
            assert_eq!(world.http.count(&On::refresh()), requests, "{expected}");
        });
    }
}

#[test]
fn a_guess_at_the_family_brings_a_token_or_leaves_no_trace() {
    for (is_member, expected) in [(true, "issued at-2"), (false, NO_TOKEN)] {
        run(async {
            let world = TestWorld::new();
            world.entra.change_manners(|it| it.family = vec!["reader".to_owned()]);
            if is_member {
                world.entra.change_manners(|it| it.family.push("editor".to_owned()));
            }
            let (reader, editor) = (world.app("reader").await, world.app("editor").await);
            world.sign_in(&reader, "ada", "a").await;
            assert_eq!(world.token(&editor, "a").await, expected);
            assert_eq!(world.accounts(&editor).await, ["ada@contoso.com"]);
            assert_eq!(world.token(&reader, "a").await, "cached at-1");
            let kept = world.store.refresh_tokens(world.partition());
            assert_eq!(kept, [if is_member { "rt-2" } else { "rt-1" }]);
        });
    }
}

#[test]
fn another_members_dead_token_is_left_to_the_one_it_belongs_to() {
    run(async {
        let world = TestWorld::new();
        world.entra.change_manners(|it| it.family = vec!["reader".to_owned(), "editor".to_owned()]);
        let (reader, editor) = (world.app("reader").await, world.app("editor").await);
        world.sign_in(&reader, "ada", "a").await;
        world.entra.end_sign_ins_of("ada");
        assert_eq!(world.token(&editor, "a").await, NO_TOKEN);
        assert_eq!(world.store.refresh_tokens(world.partition()), ["rt-1"]);
    });
}

#[test]
fn a_refresh_that_brings_another_persons_token_is_refused() {
    run(async {
        let world = TestWorld::new();
        let app = world.op_app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        world.op.change_manners(|manners| manners.id_token = json!({"sub": "eve"}));
        let told = world.token(&app, "a").await;
        assert!(told.contains("not of the person"), "{told}");
    });
}

fn client_info(uid: &str, utid: &str) -> String {
    URL_SAFE_NO_PAD.encode(json!({"uid": uid, "utid": utid}).to_string())
}

#[test]
fn a_refresh_that_names_another_person_is_refused_and_costs_no_refresh_token() {
    const FOREIGN: &str = "the token that came is not of the person whose token was asked for";
    for (info, told) in [
        (Some(client_info("bob", "home")), FOREIGN),
        (Some(client_info("home", "ada")), FOREIGN),
        (Some(client_info("ADA", "home")), "issued at"),
        (Some(client_info("ada", "elsewhere")), "issued at"),
        (Some("unreadable".to_owned()), "issued at"),
        (None, "issued at"),
    ] {
        run(async {
            let world = TestWorld::new();
            let app = world.app("editor").await;
            world.sign_in(&app, "ada", "a").await;
            world.clock.advance(3600).await;
            let before = world.store.refresh_tokens(world.partition());
            let token = json!({
                "access_token": "at", "token_type": "Bearer", "expires_in": 3600,
                "refresh_token": "rt", "client_info": info,
            });
            world.http.script_once(On::refresh(), answer(200, &token));
            assert_eq!(world.token(&app, "a").await, told, "{info:?}");
            let is_refused = told == FOREIGN;
            let after = world.store.refresh_tokens(world.partition());
            assert_eq!(after == before, is_refused, "{info:?}");
            let next = if is_refused { "issued at-2" } else { "cached at" };
            assert_eq!(world.token(&app, "a").await, next, "{info:?}");
        });
    }
}
