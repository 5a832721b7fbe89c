//! Refreshing ahead of need: the token at hand is the answer, and the refresh goes on behind it.

use std::sync::Arc;

use valetkey_engine::{ClientApplication, SilentRequest};
use valetkey_testkit::http::{On, Reply, html, status};
use valetkey_testkit::world::{TestWorld, run, settle, tell};

/// Ada's token of an hour, half of which is over, where the provider advises to refresh at half-time.
async fn half_time() -> (TestWorld, Arc<ClientApplication>) {
    let world = TestWorld::new();
    world.entra.change_manners(|it| it.refresh_in = Some(1800));
    let app = world.app("editor").await;
    world.sign_in(&app, "ada", "a").await;
    world.clock.advance(1800).await;
    (world, app)
}

#[test]
fn many_callers_are_answered_at_once_and_one_refresh_runs_behind() {
    run(async {
        let (world, app) = half_time().await;
        let gate = world.http.hold(On::refresh());
        for _ in 0..100 {
            assert_eq!(world.token(&app, "a").await, "cached at-1");
        }
        settle().await;
        assert_eq!((world.http.count(&On::refresh()), gate.held()), (1, 1));
        world.store.gate.close();
        gate.open();
        settle().await;
        assert_eq!(world.store.gate.held(), 1);
        assert_eq!(world.token(&app, "a").await, "cached at-1", "nor does the disk hold it up");
        world.store.gate.open();
        settle().await;
        assert_eq!(world.token(&app, "a").await, "cached at-2");
        assert_eq!(world.http.count(&On::refresh()), 1);
    });
}

#[test]
fn without_advice_the_last_sixth_is_the_time() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        for (later, expected) in [(3000, 0), (1, 1)] {
            world.clock.advance(later).await;
            assert_eq!(world.token(&app, "a").await, "cached at-1");
            settle().await;
            assert_eq!(world.http.count(&On::refresh()), expected);
        }
    });
}

#[test]
fn a_failing_refresh_behind_pauses_for_a_minute() {
    run(async {
        let (world, app) = half_time().await;
        world.http.script(On::refresh(), Reply::offline());
        for (later, expected) in [(0, 1), (0, 1), (59, 1), (1, 2), (59, 2), (1, 3)] {
            world.clock.advance(later).await;
            assert_eq!(world.token(&app, "a").await, "cached at-1");
            settle().await;
            assert_eq!(world.http.count(&On::refresh()), expected);
        }
        world.http.forget_scripts();
        world.clock.advance(60).await;
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        settle().await;
        assert_eq!(world.token(&app, "a").await, "cached at-2");
    });
}

#[test]
fn whatever_fails_the_token_at_hand_is_good_until_the_margin() {
    for (reply, in_the_end) in [
        (Reply::offline(), "connect to the network: is down"),
        (status(503), "provider is unavailable (status 503)"),
        (status(429), "provider is unavailable (status 429)"),
        (
            html(),
            "answer (status 200) is no JSON; a proxy or a network's sign-in page may have answered in the provider's place",
        ),
        (Reply::refusal("interaction_required"), "provider answered interaction_required"),
        (Reply::refusal("invalid_grant"), "no refresh token for this account and application"),
    ] {
        run(async {
            let (world, app) = half_time().await;
            world.http.script(On::refresh(), reply);
            for _ in 0..15 {
                assert_eq!(world.token(&app, "a").await, "cached at-1");
                world.clock.advance(100).await;
            }
            world.clock.advance(1).await;
            assert_eq!(world.token(&app, "a").await, in_the_end);
        });
    }
}

#[test]
fn a_forced_refresh_waits_and_ends_the_aging() {
    run(async {
        let (world, app) = half_time().await;
        let forced = SilentRequest { force_refresh: true, ..world.request(&app, "a") };
        assert_eq!(tell(&world.ask(forced).await), "issued at-2");
        assert_eq!(world.token(&app, "a").await, "cached at-2");
        assert_eq!(world.http.count(&On::refresh()), 1);
    });
}

#[test]
fn a_reserved_scope_is_refused_though_the_token_at_hand_is_good_for_it() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        for scope in ["openid", "a offline_access"] {
            let told = world.token(&app, scope).await;
            assert!(told.contains("is reserved"), "{told}");
        }
        assert_eq!(world.http.count(&On::refresh()), 0);
    });
}
