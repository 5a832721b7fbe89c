//! What time does to a broker: a machine that slept for days, a clock that jumps, an outage of an hour.

use std::sync::Arc;

use valetkey_engine::ClientApplication;
use valetkey_testkit::http::{On, Reply, status};
use valetkey_testkit::world::{START, TestWorld, run, settle};

/// Ada has signed in, at a provider that takes the second use of a refresh token for theft.
async fn signed_in() -> (TestWorld, Arc<ClientApplication>) {
    let world = TestWorld::new();
    world.entra.change_manners(|it| it.rotates = true);
    let app = world.app("editor").await;
    world.sign_in(&app, "ada", "a b").await;
    (world, app)
}

fn refreshes(world: &TestWorld) -> usize {
    world.http.count(&On::refresh())
}

#[test]
fn five_programs_that_wake_after_days_make_one_refresh_for_each_scope() {
    run(async {
        let (world, app) = signed_in().await;
        // The machine was asleep: nobody's timer has run meanwhile.
        world.clock.set(START.plus_seconds(5 * 86_400));
        let gate = world.http.hold(On::refresh());
        let callers: Vec<_> = ["a", "b", "a", "b", "a"]
            .map(|scope| world.spawn_ask(world.request(&app, scope)))
            .into_iter()
            .collect();
        settle().await;
        assert_eq!(refreshes(&world), 1, "they take turns at the one refresh token");
        gate.open();
        for caller in callers {
            assert!(caller.await.unwrap().contains("at-"));
        }
        assert!(refreshes(&world) <= 2);
        assert_eq!((world.entra.stolen(), world.http.clashes()), (0, 0));
    });
}

#[test]
fn a_clock_that_jumps_forth_and_back_costs_no_sign_in() {
    run(async {
        let (world, app) = signed_in().await;
        for jump in [-86_400, 86_400, -400 * 86_400, 40 * 86_400, 0, 3_600] {
            world.clock.set(START.plus_seconds(jump));
            for _ in 0..3 {
                let told = world.token(&app, "a b").await;
                assert!(told.contains("at-"), "{jump}: {told}");
            }
        }
        assert_eq!(world.entra.stolen(), 0);
        // A token that seems to be good for days, since the clock was set back, is asked for no more often for that.
        assert!(refreshes(&world) <= 6, "{}", refreshes(&world));
    });
}

#[test]
fn an_outage_of_an_hour_is_borne_with_the_token_at_hand_and_ends_without_a_storm() {
    run(async {
        let (world, app) = signed_in().await;
        world.clock.advance(3_100).await;
        world.http.script(On::refresh(), Reply::offline());
        // Each program asks each second, from when the token ages until an hour after it has ended.
        let mut failed = 0;
        for _ in 0..300 {
            let told = world.token(&app, "a b").await;
            failed += usize::from(!told.contains("at-"));
            world.clock.advance(1).await;
        }
        assert!(failed <= 101, "a token at hand is good until the margin: {failed}");
        assert!(refreshes(&world) < 120, "{}", refreshes(&world));
        world.clock.advance(3_600).await;
        let told = world.token(&app, "a b").await;
        assert!(told.contains("connect to the network"), "{told}");
        world.http.forget_scripts();
        let before = refreshes(&world);
        let callers: Vec<_> =
            (0..500).map(|_| world.spawn_ask(world.request(&app, "a b"))).collect();
        for caller in callers {
            let told = caller.await.unwrap();
            assert!(told.contains("at-"), "{told}");
        }
        assert_eq!(refreshes(&world), before + 1);
        assert_eq!(world.entra.stolen(), 0);
    });
}

#[test]
fn who_hammers_a_provider_that_throttles_is_answered_here() {
    run(async {
        let (world, app) = signed_in().await;
        world.clock.advance(3_600).await;
        world.http.script(On::refresh(), status(429).header("retry-after", "30"));
        for _ in 0..60 {
            for _ in 0..50 {
                let told = world.token(&app, "a b").await;
                assert!(told.contains("unavailable"), "{told}");
            }
            world.clock.advance(1).await;
        }
        assert_eq!(refreshes(&world), 2, "one each time that the provider said");
        world.http.forget_scripts();
        world.clock.advance(30).await;
        assert!(world.token(&app, "a b").await.starts_with("issued"));
    });
}
