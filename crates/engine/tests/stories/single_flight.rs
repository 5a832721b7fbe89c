//! N callers, one request; and nobody's hanging up costs anybody a token.

use std::sync::Arc;

use valetkey_cache::{AppMetadata, Entry};
use valetkey_engine::SilentRequest;
use valetkey_model::ClientId;
use valetkey_testkit::http::{On, Reply};
use valetkey_testkit::world::{TestWorld, run, settle};

#[test]
fn a_thousand_callers_on_one_expired_token_make_one_request() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        assert_eq!(world.sign_in(&app, "ada", "a").await, "issued at-1");
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        world.clock.advance(3600).await;
        let gate = world.http.hold(On::refresh());
        let callers: Vec<_> =
            (0..1000).map(|_| world.spawn_ask(world.request(&app, "a"))).collect();
        settle().await;
        assert_eq!((world.http.count(&On::refresh()), gate.held()), (1, 1));
        assert_eq!(world.engine.flights_under_way(), 1);
        gate.open();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "issued at-2");
        }
        assert_eq!(world.token(&app, "a").await, "cached at-2");
        assert_eq!(world.http.count(&On::refresh()), 1);
    });
}

#[test]
fn two_scope_sets_are_redeemed_one_after_another_with_the_successor() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a b").await;
        world.clock.advance(3600).await;
        let gate = world.http.hold(On::refresh());
        let one = world.spawn_ask(world.request(&app, "a"));
        let other = world.spawn_ask(world.request(&app, "b"));
        settle().await;
        assert_eq!(gate.held(), 1);
        gate.open();
        assert_eq!(one.await.unwrap(), "issued at-2");
        assert_eq!(other.await.unwrap(), "issued at-3");
        assert_eq!(redeemed(&world), ["rt-1", "rt-2"]);
        assert_eq!((world.entra.stolen(), world.http.clashes()), (0, 0));
    });
}

#[test]
fn members_of_a_family_take_turns() {
    run(async {
        let world = TestWorld::new();
        let clients = ["editor", "reader"];
        world.entra.change_manners(|it| it.family = clients.map(str::to_owned).to_vec());
        let (editor, reader) = (world.app("editor").await, world.app("reader").await);
        world.sign_in(&editor, "ada", "a").await;
        let gate = world.http.hold(On::refresh());
        let forced = SilentRequest { force_refresh: true, ..world.request(&editor, "a") };
        let (one, other) = (world.spawn_ask(forced), world.spawn_ask(world.request(&reader, "b")));
        settle().await;
        assert_eq!(gate.held(), 1);
        gate.open();
        assert_eq!(
            (one.await.unwrap().as_str(), other.await.unwrap().as_str()),
            ("issued at-2", "issued at-3")
        );
        assert_eq!(redeemed(&world), ["rt-1", "rt-2"]);
        assert_eq!(world.entra.stolen(), 0);
    });
}

/// The first caller falls back from its family's dead token to its own, which is what the second one begins with.
#[test]
fn a_token_that_another_flight_fell_back_to_is_left_to_it() {
    run(async {
        let mut world = TestWorld::new();
        world.entra.change_manners(|it| it.family = vec!["kin".to_owned()]);
        world.sign_in(&world.app("editor").await, "ada", "a b").await;
        world.sign_in(&world.app("kin").await, "ada", "a").await;
        let membership = AppMetadata {
            environment: "login.microsoftonline.com".into(),
            client_id: Some(ClientId::new("editor").unwrap()),
            family_id: Some("1".into()),
            extra: None,
        };
        world.store.put(world.partition(), Entry::AppMetadata(Arc::new(membership)));
        world.restart();
        let editor = world.app("editor").await;
        let of_kin = On::refresh().with("refresh_token", "rt-2");
        world.http.script(of_kin, Reply::refusal("invalid_grant"));
        let gate = world.http.hold(On::refresh().with("refresh_token", "rt-1"));
        let forced =
            |scopes| SilentRequest { force_refresh: true, ..world.request(&editor, scopes) };
        let one = world.spawn_ask(forced("a"));
        settle().await;
        let other = world.spawn_ask(forced("b"));
        settle().await;
        assert_eq!((gate.held(), world.http.clashes()), (1, 0));
        gate.open();
        assert_eq!(one.await.unwrap(), "issued at-3");
        assert_eq!(other.await.unwrap(), "issued at-4");
        assert_eq!(redeemed(&world), ["rt-2", "rt-1", "rt-3"]);
    });
}

#[test]
fn a_caller_that_hangs_up_loses_no_rotated_token() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        let gate = world.http.hold(On::refresh());
        let caller = world.spawn_ask(world.request(&app, "a"));
        settle().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        gate.open();
        settle().await;
        assert_eq!(world.store.refresh_tokens(world.partition()), ["rt-2"]);
        assert_eq!(world.token(&app, "a").await, "cached at-2");
    });
}

#[test]
fn tokens_that_live_shorter_than_the_margin_make_no_storm() {
    run(async {
        let world = TestWorld::new();
        world.entra.change_manners(|it| it.lifetime = 100);
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        for (later, expected) in [(0, "at-2"), (1, "at-2"), (48, "at-2"), (1, "at-3"), (49, "at-3")]
        {
            world.clock.advance(later).await;
            for _ in 0..10 {
                assert_eq!(world.token(&app, "a").await, format!("issued {expected}"));
            }
        }
        assert_eq!(world.http.count(&On::refresh()), 2);
    });
}

#[test]
fn a_forced_refresh_is_not_answered_with_what_another_caller_got() {
    run(async {
        let world = TestWorld::new();
        world.entra.change_manners(|it| it.lifetime = 100);
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        assert_eq!(world.token(&app, "a").await, "issued at-2");
        let forced = || SilentRequest { force_refresh: true, ..world.request(&app, "a") };
        assert_eq!(world.spawn_ask(forced()).await.unwrap(), "issued at-3");
        assert_eq!(world.spawn_ask(forced()).await.unwrap(), "issued at-4");
    });
}

fn redeemed(world: &TestWorld) -> Vec<String> {
    let requests = world.http.requests(&On::refresh());
    requests.iter().filter_map(|it| it.form_value("refresh_token")).map(str::to_owned).collect()
}
