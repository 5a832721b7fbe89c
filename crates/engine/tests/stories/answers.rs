//! Answers that are given again: over restarts, over clocks that are set, and with no secret in what is stored of them.

use serde_json::json;
use valetkey_cache::{Answer, Change, Entry};
use valetkey_engine::Grant;
use valetkey_model::Secret;
use valetkey_testkit::http::{On, Reply, json as answer, status};
use valetkey_testkit::world::{START, TestWorld, run, settle};

const REALM: &str = "/common/userrealm/";

fn stored(world: &TestWorld) -> Vec<Answer> {
    let answer = |entry| match entry {
        Entry::Answer(answer) => Some(Answer::clone(&answer)),
        _ => None,
    };
    world.store.entries(world.partition()).into_iter().filter_map(answer).collect()
}

async fn signed_in() -> TestWorld {
    let world = TestWorld::new();
    world.sign_in(&world.app("editor").await, "ada", "a").await;
    world.clock.advance(3600).await;
    world
}

async fn ask(world: &TestWorld) -> String {
    let app = world.app("editor").await;
    world.token(&app, "a").await
}

async fn sign_in_with_password(world: &TestWorld, password: &str) -> String {
    let app = world.app("editor").await;
    let (username, password) = ("ada@contoso.com".to_owned(), Secret::new(password.to_owned()));
    world.redeem(world.grant_request(&app, Grant::Password { username, password }, "a")).await
}

/// For how many seconds a refresh is refused without asking the provider, when all that time is spent restarting.
async fn check_refusal(reply: Reply, told: &str, seconds: i64) {
    let mut world = signed_in().await;
    world.http.script_once(On::refresh(), reply);
    assert_eq!(ask(&world).await, told);
    for step in [0, 1, seconds - 2] {
        world.clock.advance(step).await;
        world.restart();
        assert_eq!(ask(&world).await, told, "{step} seconds later");
        assert_eq!(world.http.count(&On::refresh()), 1);
    }
    world.clock.advance(1).await;
    world.restart();
    assert_eq!(ask(&world).await, "issued at-2", "after {told}");
}

#[test]
fn a_provider_that_asked_to_be_left_alone_is_left_alone_after_a_restart() {
    run(async {
        let unavailable = "provider is unavailable (status 429)";
        check_refusal(status(429).header("retry-after", "600"), unavailable, 600).await;
        check_refusal(status(429), unavailable, 60).await;
        let outage = "provider is unavailable (status 503)";
        check_refusal(status(503).header("retry-after", "7200"), outage, 3600).await;
        let refused = "provider answered interaction_required";
        check_refusal(Reply::refusal("interaction_required"), refused, 60).await;
    });
}

#[test]
fn a_clock_that_was_set_back_during_a_restart_freezes_nobody_out() {
    run(async {
        let mut world = signed_in().await;
        let throttled_at = START.plus_seconds(3600);
        world.http.script_once(On::refresh(), status(429).header("retry-after", "600"));
        assert_eq!(ask(&world).await, "provider is unavailable (status 429)");
        world.clock.set(throttled_at.plus_seconds(-1));
        world.restart();
        // The token is expired at that time, too.
        assert_eq!(ask(&world).await, "issued at-2");
        settle().await;
        assert!(stored(&world).is_empty(), "{:?}", stored(&world));
    });
}

#[test]
fn a_users_realm_is_asked_for_once_a_day_over_restarts() {
    run(async {
        let mut world = TestWorld::new();
        world.http.script(On::url(REALM), answer(200, &json!({"account_type": "Managed"})));
        world.http.script(On::grant("password"), Reply::refusal("invalid_client"));
        for (later, expected) in [(0, 1), (24 * 3600 - 1, 1), (1, 2)] {
            world.clock.advance(later).await;
            world.restart();
            assert!(sign_in_with_password(&world, "pw").await.contains("invalid_client"));
            assert_eq!(world.http.count(&On::url(REALM)), expected, "{later}");
        }
    });
}

#[test]
fn a_realm_that_could_not_be_read_is_asked_for_again_after_a_restart() {
    run(async {
        let mut world = TestWorld::new();
        world.http.script(On::url(REALM), answer(200, &json!([])));
        for expected in [1, 2] {
            sign_in_with_password(&world, "pw").await;
            assert!(stored(&world).is_empty());
            assert_eq!(world.http.count(&On::url(REALM)), expected);
            world.restart();
        }
    });
}

#[test]
fn what_is_too_old_is_dropped_from_the_disk_when_it_is_read() {
    run(async {
        let mut world = signed_in().await;
        world.http.script_once(On::refresh(), status(429));
        ask(&world).await;
        assert_eq!(stored(&world).len(), 1);
        world.clock.advance(60).await;
        world.restart();
        world.user().await;
        settle().await;
        assert!(stored(&world).is_empty());
    });
}

#[test]
fn an_answer_that_is_given_again_is_not_saved_again() {
    run(async {
        let mut world = signed_in().await;
        world.http.script(On::refresh(), status(429).header("retry-after", "600"));
        ask(&world).await;
        let saves = world.store.saves().len();
        for _ in 0..3 {
            ask(&world).await;
            world.clock.advance(1).await;
            ask(&world).await;
            world.restart();
        }
        assert_eq!(world.store.saves().len(), saves);
    });
}

#[test]
fn a_full_disk_does_not_make_a_provider_be_asked_again() {
    run(async {
        let world = signed_in().await;
        world.store.fill_disk();
        world.http.script(On::refresh(), status(429));
        for _ in 0..2 {
            assert_eq!(ask(&world).await, "provider is unavailable (status 429)");
        }
        assert_eq!(world.http.count(&On::refresh()), 1);
    });
}

/// A refusal that repeats a secret, as a careless provider does.
fn telling(secret: &str) -> Reply {
    let description = format!("what is {secret}?");
    answer(400, &json!({"error": "invalid_request", "error_description": description}))
}

#[test]
fn nothing_that_is_stored_of_answers_has_a_secret_in_it() {
    run(async {
        let world = signed_in().await;
        let app = world.app("editor").await;
        world.http.script(On::url(REALM), answer(200, &json!({"account_type": "Managed"})));

        world.http.script_once(On::refresh(), telling("rt-1"));
        ask(&world).await;
        world.http.script_once(On::grant("password"), telling("pass-word"));
        sign_in_with_password(&world, "pass-word").await;
        world.http.script_once(On::grant("password"), status(429));
        sign_in_with_password(&world, "other-word").await;
        world.http.script_once(On::grant("authorization_code"), telling("code-2"));
        assert!(world.try_sign_in(&app, "bob", "a").await.is_err());
        let assertion = Secret::new("the-assertion".to_owned());
        let call = Grant::OnBehalfOf { user_assertion: Some(assertion), session_key: None };
        world.http.script(On::url("/token"), telling("the-assertion"));
        world.redeem(world.grant_request(&app, call, "a")).await;

        let saved: Vec<_> = world.store.saves().concat();
        let texts: Vec<_> = saved.iter().filter_map(text_of).collect();
        assert_eq!(texts.len(), 2, "the realm and the throttling: {texts:?}");
        let verifiers = world.http.requests(&On::grant("authorization_code"));
        let verifiers = verifiers.iter().filter_map(|request| request.form_value("code_verifier"));
        let secrets = ["at-", "rt-", "code-", "-word", "the-assertion", "ada"];
        for secret in secrets.into_iter().chain(verifiers) {
            assert!(!texts.iter().any(|text| text.contains(secret)), "{secret} in {texts:?}");
        }
    });
}

/// An answer as it goes to the disk.
fn text_of(change: &Change) -> Option<String> {
    match change {
        Change::Put(entry @ Entry::Answer(_)) => {
            Some(String::from_utf8_lossy(&entry.encode()).into_owned())
        }
        _ => None,
    }
}

#[test]
fn a_refused_password_cannot_be_guessed_at_with_what_is_stored() {
    run(async {
        let mut world = TestWorld::new();
        world.http.script(On::url(REALM), answer(200, &json!({"account_type": "Managed"})));
        world.http.script(On::grant("password"), Reply::refusal("invalid_grant"));
        sign_in_with_password(&world, "pw").await;
        sign_in_with_password(&world, "pw").await;
        assert_eq!((world.http.count(&On::grant("password")), stored(&world).len()), (1, 1));
        world.restart();
        sign_in_with_password(&world, "pw").await;
        assert_eq!(world.http.count(&On::grant("password")), 2);
    });
}

#[test]
fn an_answer_that_no_version_wrote_is_dropped() {
    run(async {
        let world = TestWorld::new();
        let good = Answer {
            request: "0".repeat(64).into(),
            kept_at: START,
            until: START.plus_seconds(60),
            status: "429".into(),
            retry_after: None,
            body: "".into(),
        };
        let spoilt = [
            Answer { request: "é".repeat(32).into(), ..good.clone() },
            Answer { request: "f".repeat(63).into(), ..good.clone() },
            Answer { request: "g".repeat(64).into(), ..good.clone() },
            Answer { request: "1".repeat(64).into(), status: "many".into(), ..good.clone() },
            Answer {
                request: "2".repeat(64).into(),
                retry_after: Some("\n".into()),
                ..good.clone()
            },
            Answer {
                request: "3".repeat(64).into(),
                until: START.plus_seconds(86_401),
                ..good.clone()
            },
            Answer {
                request: "4".repeat(64).into(),
                body: "x".repeat(16 * 1024 + 1).into(),
                ..good.clone()
            },
        ];
        for answer in spoilt.into_iter().chain([good]) {
            world.store.put(world.partition(), Entry::Answer(answer.into()));
        }
        world.user().await;
        settle().await;
        let left: Vec<_> = stored(&world).iter().map(|it| it.request.to_string()).collect();
        assert_eq!(left, ["0".repeat(64)]);
    });
}
