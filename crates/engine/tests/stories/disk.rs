//! Saved before answered: what a full disk, a locked key and a kill may cost.

use valetkey_engine::{Error, SilentRequest};
use valetkey_testkit::http::On;
use valetkey_testkit::world::{TestWorld, run, settle, tell};

const FULL: &str = "store cannot be written: disk full";

#[test]
fn nobody_is_answered_before_the_save() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        world.store.gate.close();
        let callers = [(); 3].map(|()| world.spawn_ask(world.request(&app, "a")));
        settle().await;
        assert_eq!((world.http.count(&On::refresh()), world.store.gate.held()), (1, 1));
        assert!(callers.iter().all(|caller| !caller.is_finished()));
        world.store.gate.open();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "issued at-2");
        }
        assert_eq!(world.store.refresh_tokens(world.partition()), ["rt-2"]);
    });
}

#[test]
fn a_full_disk_loses_nothing_and_asks_the_provider_once() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        world.store.fill_disk();
        for _ in 0..3 {
            assert_eq!(world.token(&app, "a").await, FULL);
        }
        assert_eq!(world.http.count(&On::refresh()), 1);
        assert!(world.user().await.unsaved() > 0);
        world.store.recover();
        assert_eq!(world.token(&app, "a").await, "cached at-2");
        assert_eq!(world.http.count(&On::refresh()), 1);
        assert_eq!(world.user().await.unsaved(), 0);
    });
}

#[test]
fn what_nobody_uses_leaves_memory_once_it_is_saved_and_is_found_again() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        let unload = async || world.engine.unload(world.partition()).await;
        let held = world.user().await;
        assert!(!unload().await, "somebody has it in hand");
        drop(held);
        world.clock.advance(3600).await;
        world.store.fill_disk();
        assert_eq!(world.token(&app, "a").await, FULL);
        assert!(!unload().await, "at-2 is nowhere else");
        world.store.recover();
        assert!(unload().await);
        assert!(world.engine.find_user(world.partition()).is_none());
        assert_eq!(world.store.closed(), [world.partition().owner()]);
        assert!(unload().await, "it is gone already");
        let app = world.app("editor").await;
        assert_eq!(world.token(&app, "a").await, "cached at-2");
    });
}

#[test]
fn on_a_full_disk_a_refresh_token_is_not_redeemed_a_second_time_for_other_scopes() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a b").await;
        world.clock.advance(3600).await;
        let gate = world.http.hold(On::refresh());
        let callers = ["a", "b"].map(|scopes| world.spawn_ask(world.request(&app, scopes)));
        settle().await;
        world.store.fill_disk();
        gate.open();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), FULL);
        }
        world.store.recover();
        assert_eq!(world.token(&app, "a").await, "cached at-2");
        assert_eq!(world.token(&app, "b").await, "issued at-3");
        assert_eq!(world.entra.stolen(), 0);
    });
}

#[test]
fn on_a_full_disk_an_aging_token_is_still_good() {
    run(async {
        let world = TestWorld::new();
        world.entra.change_manners(|it| it.refresh_in = Some(1800));
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(1800).await;
        world.store.fill_disk();
        for _ in 0..3 {
            assert_eq!(world.token(&app, "a").await, "cached at-1");
            settle().await;
        }
        assert_eq!(world.http.count(&On::refresh()), 1);
        world.store.recover();
        world.clock.advance(60).await;
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        settle().await;
        assert_eq!(world.token(&app, "a").await, "cached at-2");
        assert_eq!((world.http.count(&On::refresh()), world.entra.stolen()), (1, 0));
    });
}

#[test]
fn a_sign_in_on_a_full_disk_is_not_lost() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.store.fill_disk();
        assert_eq!(tell(&world.try_sign_in(&app, "ada", "a").await), FULL);
        assert_eq!(world.accounts(&app).await, Vec::<String>::new());
        assert_eq!(world.token(&app, "a").await, FULL);
        world.store.recover();
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        assert_eq!(world.accounts(&app).await, ["ada@contoso.com"]);
    });
}

#[test]
fn what_could_not_be_saved_is_saved_when_the_daemon_tries_again() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.store.fill_disk();
        world.try_sign_in(&app, "ada", "a").await.err().unwrap();
        world.engine.save_unsaved().await;
        assert!(world.user().await.unsaved() > 0);
        world.store.recover();
        world.engine.save_unsaved().await;
        assert_eq!(world.user().await.unsaved(), 0);
        assert_eq!(world.store.refresh_tokens(world.partition()), ["rt-1"]);
    });
}

#[test]
fn a_rotated_token_survives_a_kill() {
    run(async {
        let mut world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        assert_eq!(world.token(&app, "a").await, "issued at-2");
        world.restart();
        let app = world.app("editor").await;
        assert_eq!(world.token(&app, "a").await, "cached at-2");
        world.clock.advance(3600).await;
        assert_eq!(world.token(&app, "a").await, "issued at-3");
        assert_eq!(world.entra.stolen(), 0);
    });
}

#[test]
fn a_kill_before_the_save_leaves_the_old_refresh_token_to_try() {
    let lost = "provider answered invalid_grant, after an earlier answer of its was lost";
    for (rotates, expected) in [(false, "issued at-3"), (true, lost)] {
        run(async {
            let mut world = TestWorld::new();
            world.entra.change_manners(|it| it.rotates = rotates);
            let app = world.app("editor").await;
            world.sign_in(&app, "ada", "a").await;
            world.clock.advance(3600).await;
            world.store.gate.close();
            let caller = world.spawn_ask(world.request(&app, "a"));
            settle().await;
            assert_eq!(world.store.gate.held(), 1);
            world.restart();
            world.store.gate.open();
            settle().await;
            assert!(!caller.is_finished());
            assert_eq!(world.store.refresh_tokens(world.partition()), ["rt-1"]);
            let app = world.app("editor").await;
            assert_eq!(world.token(&app, "a").await, expected);
            assert_eq!(world.http.count(&On::refresh().with("refresh_token", "rt-1")), 2);
        });
    }
}

#[test]
fn a_locked_store_is_asked_again_when_it_is_open() {
    run(async {
        let world = TestWorld::new();
        world.store.lock_up();
        let error = world.engine.user(world.partition()).await.err().unwrap();
        assert!(matches!(error, Error::Store(_)));
        assert_eq!(error.to_string(), "store is locked: waiting for a passphrase");
        world.store.recover();
        let app = world.app("editor").await;
        assert_eq!(world.sign_in(&app, "ada", "a").await, "issued at-1");
    });
}

#[test]
fn users_that_are_forgotten_come_back_from_the_store() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.lock().await.unwrap();
        world.store.recover();
        assert!(world.engine.find_user(world.partition()).is_none());
        let app = world.app("editor").await;
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        let forced = SilentRequest { force_refresh: true, ..world.request(&app, "a") };
        assert_eq!(tell(&world.ask(forced).await), "issued at-2");
    });
}
