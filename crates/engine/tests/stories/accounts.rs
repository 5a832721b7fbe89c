//! Which account is meant, and whose it is.

use std::sync::Arc;

use serde_json::json;
use valetkey_engine::{AccountSelector, Error, SilentRequest};
use valetkey_testkit::http::On;
use valetkey_testkit::world::{TestWorld, run, tell};

#[test]
fn an_account_is_named_by_user_name_or_id() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        world.sign_in(&app, "bob", "a").await;
        for (name, expected) in [
            ("ada@contoso.com", "cached at-1"),
            ("ADA@Contoso.COM", "cached at-1"),
            ("bob@contoso.com", "cached at-2"),
            ("bob.home", "cached at-2"),
            ("BOB.home", "no account \"BOB.home\" is signed in"),
            ("ada", "no account \"ada\" is signed in"),
            ("", "no account \"\" is signed in"),
            ("a\nb", "no account \"a\\nb\" is signed in"),
        ] {
            let account = AccountSelector::Named(name.to_owned());
            let request = SilentRequest { account, ..world.request(&app, "a") };
            assert_eq!(tell(&world.ask(request).await), expected);
        }
        assert_eq!(world.token(&app, "a").await, "2 accounts may be meant");
        assert_eq!(world.accounts(&app).await, ["ada@contoso.com", "bob@contoso.com"]);
    });
}

#[test]
fn a_user_name_that_several_accounts_share_names_none_of_them() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let shared = json!({"preferred_username": "Alice@contoso.com"});
        world.entra.change_manners(|manners| manners.id_token = shared);
        world.sign_in(&app, "member", "a").await;
        world.sign_in(&app, "guest", "a").await;
        let named = |name: &str| {
            let account = AccountSelector::Named(name.to_owned());
            SilentRequest { account, ..world.request(&app, "a") }
        };
        let Err(Error::AccountAmbiguous { accounts }) = world.ask(named("alice@contoso.com")).await
        else {
            panic!("one of the two was picked");
        };
        let ids = ["member.home", "guest.home"];
        assert!(ids.iter().all(|id| accounts.contains(&format!("Alice@contoso.com ({id})"))));
        let told = [tell(&world.ask(named(ids[0])).await), tell(&world.ask(named(ids[1])).await)];
        assert_eq!(told, ["cached at-1", "cached at-2"]);
    });
}

#[test]
fn accounts_belong_to_a_provider_and_not_to_an_application() {
    run(async {
        let world = TestWorld::new();
        let (editor, reader) = (world.app("editor").await, world.app("reader").await);
        let elsewhere = world.op_app("editor").await;
        world.sign_in(&editor, "ada", "a").await;
        assert_eq!(world.accounts(&reader).await, ["ada@contoso.com"]);
        assert!(world.accounts(&elsewhere).await.is_empty());
        let no_token = "no refresh token for this account and application";
        assert_eq!(world.token(&reader, "a").await, no_token);
        assert_eq!(world.token(&elsewhere, "a").await, "nobody is signed in");
        assert_eq!(world.http.count(&On::refresh()), 0);
    });
}

#[test]
fn another_user_of_the_machine_sees_nothing() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        let other = world.as_uid(1001);
        let app = other.app("editor").await;
        assert!(other.accounts(&app).await.is_empty());
        assert_eq!(other.token(&app, "a").await, "nobody is signed in");
        assert_eq!(other.sign_in(&app, "bob", "a").await, "issued at-2");
        assert_eq!(other.token(&app, "a").await, "cached at-2");
        let ids = |world: &TestWorld| world.store.refresh_tokens(world.partition());
        assert_eq!((ids(&world), ids(&other)), (vec!["rt-1".to_owned()], vec!["rt-2".to_owned()]));
    });
}

#[test]
fn an_account_under_another_name_of_the_host_is_found() {
    run(async {
        let world = TestWorld::new();
        world.put_account("ada@contoso.com", "login.windows.net", "contoso");
        let app = world.app("editor").await;
        assert_eq!(world.accounts(&app).await, ["ada@contoso.com"]);
        world.sign_out(&app, "ada").await.unwrap();
        assert!(world.accounts(&app).await.is_empty());
    });
}

#[test]
fn the_same_definition_is_the_same_application() {
    run(async {
        let world = TestWorld::new();
        let (one, other) = (world.app("editor").await, world.app("editor").await);
        assert!(Arc::ptr_eq(&one, &other));
        assert_ne!(world.app("reader").await.id(), one.id());
        assert_ne!(world.op_app("editor").await.id(), one.id());
        let user = world.user().await;
        assert!(user.find_app(one.id()).is_some());
    });
}
