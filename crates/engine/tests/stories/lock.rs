//! Locking the store while something is under way: nothing that was issued is lost, nothing is begun with what is locked away.

use valetkey_engine::{FlowKind, Grant, Happening, Patience, SilentRequest};
use valetkey_model::Secret;
use valetkey_testkit::http::On;
use valetkey_testkit::world::{
    START, TestWorld, auth_code, run, settle, tell, tell_status, visit_of,
};

const FULL: &str = "store cannot be written: disk full";
const LOCKED: &str = "store is locked: it was locked meanwhile";

/// Ada has signed in, and her access token has expired.
async fn world_with_old_token(scopes: &str) -> TestWorld {
    let world = TestWorld::new();
    world.sign_in(&world.app("editor").await, "ada", scopes).await;
    world.clock.advance(3600).await;
    world
}

/// Somebody locks the store in a task of their own.
fn spawn_lock(world: &TestWorld) -> tokio::task::JoinHandle<String> {
    let world = world.clone();
    tokio::spawn(
        async move { world.lock().await.err().map_or_else(String::new, |e| e.to_string()) },
    )
}

/// What the store and the provider agree on after the passphrase was given again.
async fn check_still_signed_in(world: &TestWorld, newest: &str) {
    world.store.recover();
    assert_eq!(world.store.refresh_tokens(world.partition()), [newest]);
    let app = world.app("editor").await;
    let forced = SilentRequest { force_refresh: true, ..world.request(&app, "a") };
    let told = tell(&world.ask(forced).await);
    assert!(told.starts_with("issued "), "{told}");
    assert_eq!(world.entra.stolen(), 0);
}

#[test]
fn a_lock_waits_until_the_refresh_under_way_is_saved() {
    run(async {
        let world = world_with_old_token("a").await;
        let app = world.app("editor").await;
        let gate = world.http.hold(On::refresh());
        let asking = world.spawn_ask(world.request(&app, "a"));
        settle().await;
        let locking = spawn_lock(&world);
        settle().await;
        assert!(!locking.is_finished());
        gate.open();
        assert_eq!(asking.await.unwrap(), "issued at-2");
        assert_eq!(locking.await.unwrap(), "");
        assert!(world.engine.find_user(world.partition()).is_none());
        check_still_signed_in(&world, "rt-2").await;
    });
}

#[test]
fn no_refresh_begins_while_the_store_is_being_locked() {
    run(async {
        let world = world_with_old_token("a b").await;
        let (app, other) = (world.app("editor").await, world.app("reader").await);
        world.sign_in(&other, "bob", "a").await;
        world.clock.advance(3600).await;
        let gate = world.http.hold(On::refresh());
        let named = |app, name: &str| SilentRequest {
            account: valetkey_engine::AccountSelector::Named(name.to_owned()),
            ..world.request(app, "a")
        };
        let first = world.spawn_ask(named(&app, "ada.home"));
        settle().await;
        let locking = spawn_lock(&world);
        settle().await;
        let second = world.spawn_ask(named(&other, "bob.home"));
        settle().await;
        assert_eq!(world.http.count(&On::refresh()), 1);
        gate.open();
        assert_eq!(first.await.unwrap(), "issued at-3");
        assert_eq!(locking.await.unwrap(), "");
        assert_eq!(second.await.unwrap(), LOCKED);
        assert_eq!(world.http.count(&On::refresh()), 1);
    });
}

#[test]
fn what_spends_no_refresh_token_is_called_off_for_a_lock_and_a_refresh_has_as_long_as_its_answer() {
    run(async {
        let world = world_with_old_token("a").await;
        let (app, other) = (world.app("editor").await, world.app("reader").await);
        let (refresh, password) = (On::refresh(), On::grant("password"));
        let _password_gate = world.http.hold(password);
        let refresh_gate = world.http.hold(refresh);
        let refreshing = world.spawn_ask(world.request(&app, "a"));
        let signing_in = {
            let (username, password) = ("bob@contoso.com".to_owned(), Secret::new("pw".to_owned()));
            let grant = Grant::Password { username, password };
            let (world, request) = (world.clone(), world.grant_request(&other, grant, "a"));
            tokio::spawn(async move { world.redeem(request).await })
        };
        settle().await;
        let locking = spawn_lock(&world);
        world.clock.advance(4).await;
        assert_eq!(signing_in.await.unwrap(), LOCKED);
        world.clock.advance(20).await;
        assert!(!locking.is_finished());
        refresh_gate.open();
        assert_eq!(refreshing.await.unwrap(), "issued at-2");
        assert_eq!(locking.await.unwrap(), "");
        check_still_signed_in(&world, "rt-2").await;
    });
}

#[test]
fn no_provider_keeps_a_lock_from_being_done() {
    run(async {
        let world = world_with_old_token("a").await;
        let app = world.app("editor").await;
        let gate = world.http.hold(On::refresh());
        let asking = world.spawn_ask(world.request(&app, "a"));
        settle().await;
        let locking = spawn_lock(&world);
        world.clock.advance(4).await;
        world.clock.advance(26).await;
        assert_eq!(locking.await.unwrap(), "");
        assert_eq!(asking.await.unwrap(), LOCKED);
        assert!(world.engine.find_user(world.partition()).is_none());
        gate.open();
        world.store.recover();
        // It had rotated the token, and takes the old one for stolen: what that comes from is told.
        assert_eq!(world.store.refresh_tokens(world.partition()), ["rt-1"]);
        let app = world.app("editor").await;
        let told = world.token(&app, "a").await;
        assert_eq!(
            told,
            "provider answered invalid_grant, after an earlier answer of its was lost"
        );
    });
}

/// Locks what is the user's, or all that there is.
async fn lock_with(world: &TestWorld, patience: Patience, is_users: bool) {
    match is_users {
        true => {
            let quiet = world.engine.quiet_down_for(world.partition(), patience).await;
            quiet.unwrap().lock_user().await;
        }
        false => world.engine.quiet_down(patience).await.unwrap().forget_users(),
    }
}

#[test]
fn a_lock_before_sleep_does_not_wait_for_another_one_that_does() {
    for is_users in [false, true] {
        run(async {
            let world = world_with_old_token("a").await;
            let app = world.app("editor").await;
            let _gate = world.http.hold(On::refresh());
            let asking = world.spawn_ask(world.request(&app, "a"));
            settle().await;
            let [screen, sleep] = [(Patience::USUAL, is_users), (Patience::BEFORE_SLEEP, false)]
                .map(|lock| {
                    let world = world.clone();
                    tokio::spawn(async move { lock_with(&world, lock.0, lock.1).await })
                });
            settle().await;
            world.clock.advance(2).await;
            assert!(!screen.is_finished() && !sleep.is_finished(), "{is_users}");
            world.clock.advance(1).await;
            sleep.await.unwrap();
            assert!(screen.is_finished(), "{is_users}");
            assert_eq!(asking.await.unwrap(), LOCKED);
            assert!(world.engine.find_user(world.partition()).is_none());
        });
    }
}

#[test]
fn what_comes_after_a_lock_is_not_called_off_by_it() {
    run(async {
        let world = world_with_old_token("a").await;
        let app = world.app("editor").await;
        let gates = [On::refresh(), On::grant("authorization_code")].map(|on| world.http.hold(on));
        let asking = world.spawn_ask(world.request(&app, "a"));
        settle().await;
        let locking = spawn_lock(&world);
        world.clock.advance(4).await;
        world.clock.advance(26).await;
        assert_eq!(asking.await.unwrap(), LOCKED);
        assert_eq!(locking.await.unwrap(), "");
        world.store.recover();
        let app = world.app("editor").await;
        let (flow, _) = world.start(world.flow_request(&app, auth_code(), "a")).await.unwrap();
        let redirect = world.entra.sign_in(&visit_of(&flow).auth_uri, "bob");
        let completing = {
            let world = world.clone();
            tokio::spawn(
                async move { tell_status(&world.complete(&flow, redirect).await.unwrap()) },
            )
        };
        world.clock.advance(60).await;
        gates.iter().for_each(|gate| gate.open());
        let told = completing.await.unwrap();
        assert!(told.starts_with("issued "), "{told}");
    });
}

#[test]
fn what_a_full_disk_did_not_take_is_saved_before_the_lock_or_the_lock_is_refused() {
    run(async {
        let world = world_with_old_token("a").await;
        let app = world.app("editor").await;
        world.store.fill_disk();
        assert_eq!(world.token(&app, "a").await, FULL);
        assert_eq!(spawn_lock(&world).await.unwrap(), FULL);
        assert!(world.user().await.unsaved() > 0);
        world.store.recover();
        assert_eq!(spawn_lock(&world).await.unwrap(), "");
        check_still_signed_in(&world, "rt-2").await;
    });
}

#[test]
fn a_lock_waits_until_the_code_under_way_is_saved() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let gate = world.http.hold(On::grant("authorization_code"));
        let (flow, _) = world.start(world.flow_request(&app, auth_code(), "a")).await.unwrap();
        let redirect = world.entra.sign_in(&visit_of(&flow).auth_uri, "ada");
        let completing = {
            let (world, flow) = (world.clone(), flow.clone());
            tokio::spawn(
                async move { tell_status(&world.complete(&flow, redirect).await.unwrap()) },
            )
        };
        settle().await;
        let locking = spawn_lock(&world);
        settle().await;
        gate.open();
        assert_eq!(completing.await.unwrap(), "issued at-1");
        assert_eq!(locking.await.unwrap(), "");
        check_still_signed_in(&world, "rt-1").await;
    });
}

#[test]
fn a_sign_in_that_waits_for_its_person_ends_with_the_lock() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let kinds = [FlowKind::DeviceCode, auth_code()];
        let mut flows = Vec::new();
        for kind in kinds {
            flows.push(world.start(world.flow_request(&app, kind, "a")).await.unwrap().0);
        }
        world.lock().await.unwrap();
        for flow in flows {
            assert_eq!(tell_status(&flow.status(START)), "store is locked: it was locked");
        }
    });
}

#[test]
fn who_listens_is_told_of_locks_and_hears_what_comes_after_them() {
    run(async {
        let (world, other) = (TestWorld::new(), 1001);
        let other = world.as_uid(other);
        let mut listeners = [&world, &other].map(|whose| whose.engine.subscribe(whose.partition()));
        world
            .engine
            .quiet_down_for(world.partition(), Patience::USUAL)
            .await
            .unwrap()
            .lock_user()
            .await;
        // The store's own: who has locked their part still has.
        world.engine.tell_unlocked(None);
        assert!(world.engine.unlock_user(world.partition()));
        world.engine.tell_unlocked(Some(world.partition()));
        world.sign_in(&world.app("editor").await, "ada", "a").await;
        let heard = listeners.each_mut().map(|events| {
            std::iter::from_fn(|| Some(events.try_recv().ok()?.happening)).collect::<Vec<_>>()
        });
        assert_eq!(heard[0], [Happening::Locked, Happening::Unlocked, Happening::SignedIn]);
        assert_eq!(heard[1], [Happening::Unlocked]);
    });
}
