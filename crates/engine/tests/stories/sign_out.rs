//! Signing out: what goes, what stays, and that it holds.

use valetkey_cache::Entry;
use valetkey_engine::Happening;
use valetkey_testkit::http::{On, Reply};
use valetkey_testkit::world::{TestWorld, run, settle};

/// The refresh tokens that the provider was asked to take back.
fn revoked(world: &TestWorld) -> Vec<String> {
    let asked = world.http.requests(&On::url("/revoke").with("token_type_hint", "refresh_token"));
    let mut tokens: Vec<_> =
        asked.iter().map(|it| it.form_value("token").unwrap().to_owned()).collect();
    tokens.sort();
    tokens
}

#[test]
fn a_sign_out_during_a_refresh_is_not_undone() {
    run(async {
        let mut world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        let gate = world.http.hold(On::refresh());
        let caller = world.spawn_ask(world.request(&app, "a"));
        settle().await;
        world.sign_out(&app, "ada").await.unwrap();
        gate.open();
        assert_eq!(caller.await.unwrap(), "nobody is signed in");
        for _ in 0..2 {
            let app = world.app("editor").await;
            assert_eq!(world.token(&app, "a").await, "nobody is signed in");
            assert!(world.store.refresh_tokens(world.partition()).is_empty());
            world.restart();
        }
    });
}

#[test]
fn a_refresh_that_a_sign_out_overtook_gives_its_successor_back() {
    run(async {
        let world = TestWorld::new();
        let app = world.op_app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        let gate = world.http.hold(On::refresh());
        let caller = world.spawn_ask(world.request(&app, "a"));
        settle().await;
        world.sign_out(&app, "ada").await.unwrap();
        assert_eq!(revoked(&world), ["rt-1"]);
        // A provider that takes its time with it holds up nobody.
        let revocation = world.http.hold(On::url("/revoke"));
        gate.open();
        assert_eq!(caller.await.unwrap(), "nobody is signed in");
        settle().await;
        assert_eq!(revocation.held(), 1);
        revocation.open();
        settle().await;
        assert_eq!(revoked(&world), ["rt-1", "rt-2"]);
        assert!(world.store.refresh_tokens(world.partition()).is_empty());
        assert_eq!(world.token(&app, "a").await, "nobody is signed in");
    });
}

#[test]
fn a_refresh_that_a_new_sign_in_overtook_takes_nothing_back() {
    run(async {
        let world = TestWorld::new();
        let app = world.op_app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        let gate = world.http.hold(On::refresh());
        let caller = world.spawn_ask(world.request(&app, "a"));
        settle().await;
        world.sign_in(&app, "ada", "a").await;
        gate.open();
        assert_eq!(caller.await.unwrap(), "issued at-2");
        settle().await;
        assert!(revoked(&world).is_empty());
        assert_eq!(world.token(&app, "a").await, "cached at-3");
    });
}

#[test]
fn a_sign_out_takes_the_clients_family_and_everybodys_access_tokens() {
    run(async {
        let world = TestWorld::new();
        world.entra.change_manners(|it| it.family = vec!["editor".to_owned(), "writer".to_owned()]);
        let mut apps = Vec::new();
        for name in ["editor", "writer", "reader"] {
            let app = world.app(name).await;
            world.sign_in(&app, "ada", "a").await;
            world.sign_in(&app, "bob", "a").await;
            apps.push(app);
        }
        world.sign_out(&apps[0], "ada").await.unwrap();
        let of_ada = world.store.entries(world.partition()).into_iter().filter_map(|it| {
            let (kind, account, client) = match it {
                Entry::AccessToken(it) => ("at", it.home_account_id.clone(), it.client_id.clone()),
                Entry::RefreshToken(it) => ("rt", it.home_account_id.clone(), it.client_id.clone()),
                Entry::IdToken(it) => ("idt", it.home_account_id.clone(), it.client_id.clone()),
                Entry::Account(it) => ("account", Some(it.home_account_id.clone()), None),
                _ => return None,
            };
            let is_ada = account.is_some_and(|it| it.as_str() == "ada.home");
            is_ada.then(|| format!("{kind} {}", client.unwrap().as_str()))
        });
        assert_eq!(of_ada.collect::<Vec<_>>(), ["rt reader"]);
        assert_eq!(world.accounts(&apps[2]).await, ["bob@contoso.com"]);
        assert_eq!(world.token(&apps[1], "a").await, "cached at-4", "bob's, who stays");
    });
}

#[test]
fn the_provider_takes_the_refresh_tokens_back_where_it_can() {
    run(async {
        let world = TestWorld::new();
        let (entra, op) = (world.app("editor").await, world.op_app("editor").await);
        world.sign_in(&entra, "ada", "a").await;
        world.sign_in(&op, "ada", "a").await;
        world.sign_in(&op, "ada", "b").await;
        world.sign_out(&entra, "ada").await.unwrap();
        assert_eq!(world.http.count(&On::url("/revoke")), 0);
        world.sign_out(&op, "ada").await.unwrap();
        assert_eq!(revoked(&world), ["rt-1", "rt-2"]);
    });
}

#[test]
fn a_sign_out_needs_no_network() {
    run(async {
        let world = TestWorld::new();
        let app = world.op_app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.http.script(On::any(), Reply::offline());
        world.sign_out(&app, "ada").await.unwrap();
        assert_eq!(world.token(&app, "a").await, "nobody is signed in");
    });
}

#[test]
fn a_sign_out_waits_five_seconds_for_a_slow_provider() {
    run(async {
        let world = TestWorld::new();
        let app = world.op_app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        let gate = world.http.hold(On::url("/revoke"));
        let (caller, at) = (world.clone(), app.clone());
        let caller = tokio::spawn(async move { caller.sign_out(&at, "ada").await });
        world.clock.advance(4).await;
        assert_eq!((gate.held(), caller.is_finished()), (1, false));
        assert_eq!(world.token(&app, "a").await, "nobody is signed in");
        world.clock.advance(1).await;
        caller.await.unwrap().unwrap();
    });
}

#[test]
fn a_sign_out_goes_on_though_its_caller_hung_up() {
    run(async {
        let world = TestWorld::new();
        let app = world.op_app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.store.gate.close();
        let (caller, at) = (world.clone(), app.clone());
        let caller = tokio::spawn(async move { caller.sign_out(&at, "ada").await });
        settle().await;
        caller.abort();
        assert!(caller.await.is_err());
        world.store.gate.open();
        settle().await;
        assert_eq!(world.token(&app, "a").await, "nobody is signed in");
        assert!(world.store.refresh_tokens(world.partition()).is_empty());
        assert_eq!(world.http.count(&On::url("/revoke")), 1);
    });
}

#[test]
fn a_sign_out_that_cannot_be_saved_is_reported_and_done_later() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.store.fill_disk();
        let error = world.sign_out(&app, "ada").await.unwrap_err();
        assert_eq!(error.to_string(), "store cannot be written: disk full");
        world.store.recover();
        world.engine.save_unsaved().await;
        assert_eq!(world.token(&app, "a").await, "nobody is signed in");
        assert!(world.store.refresh_tokens(world.partition()).is_empty());
    });
}

#[test]
fn who_is_not_signed_in_cannot_sign_out() {
    run(async {
        let world = TestWorld::new();
        let (entra, op) = (world.app("editor").await, world.op_app("editor").await);
        world.sign_in(&entra, "ada", "a").await;
        for (app, person) in [(&entra, "bob"), (&op, "ada")] {
            let error = world.sign_out(app, person).await.unwrap_err();
            assert!(error.to_string().starts_with("no account"), "{error}");
        }
    });
}

#[test]
fn what_happens_is_told_to_who_listens() {
    run(async {
        let world = TestWorld::new();
        let user = world.user().await;
        let (mut events, mut of_another_user) = (
            world.engine.subscribe(user.partition()),
            world.engine.subscribe(world.as_uid(1001).user().await.partition()),
        );
        let app = world.app("editor").await;
        world.token(&app, "a").await;
        world.sign_in(&app, "ada", "a").await;
        world.clock.advance(3600).await;
        world.token(&app, "a").await;
        world.sign_out(&app, "ada").await.unwrap();
        for expected in [
            Happening::SignInNeeded,
            Happening::SignedIn,
            Happening::Refreshed,
            Happening::SignedOut,
        ] {
            assert_eq!(events.try_recv().unwrap().happening, expected);
        }
        assert!(events.try_recv().is_err() && of_another_user.try_recv().is_err());
    });
}
