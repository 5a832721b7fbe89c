//! One sign-in, two programs, a daemon that is killed in between: the whole product once, on every system it runs on.

use serde_json::json;
use valetkey_client::Client;
use valetkey_client::v1::{FlowKind, OpenAppRequest, StartFlowRequest, TokenRequest, TokenSource};
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Browser, CLIENT_ID, Machine, Program, SCOPE, World, patiently};

fn wanted() -> TokenRequest {
    TokenRequest { scopes: vec![SCOPE.to_owned()], ..TokenRequest::default() }
}

#[tokio::test]
async fn one_sign_in_serves_two_programs_before_and_after_a_kill() {
    let mut world = World::start().await;
    let sdk = Client::at(world.machine.endpoint().clone());
    let definition = OpenAppRequest {
        client_id: Some(CLIENT_ID.to_owned()),
        authority: Some(world.entra.authority("common")),
        validate_authority: Some(false),
        ..OpenAppRequest::default()
    };
    let app = sdk.open_app(definition.clone()).await.unwrap();
    let refused = app.acquire_token_silent(&wanted()).await.unwrap_err();
    assert!(refused.is_sign_in_needed(), "{refused}");

    let sign_in = StartFlowRequest::new(FlowKind::DeviceCode, vec![SCOPE.to_owned()]);
    let flow = app.start_flow(&sign_in).await.unwrap();
    let user_code = flow.device.as_ref().unwrap()["user_code"].as_str().unwrap();
    world.control().approve_device(user_code, ALICE).unwrap();
    let signed_in = patiently("the sign-in", sdk.finish_flow(flow)).await.unwrap();
    assert_eq!(signed_in.token_source, TokenSource::IdentityProvider);

    for round in 0..2 {
        // Another program, without the SDK.
        let shared = world.caller().await.token(json!({})).await.success();
        assert_eq!(shared["access_token"], signed_in.access_token.as_str(), "round {round}");
        assert_eq!(shared["token_source"], "cache");
        // The SDK's connection broke with the daemon, which it makes up for.
        let app = sdk.open_app(definition.clone()).await.unwrap();
        let own = app.acquire_token_silent(&wanted()).await.unwrap();
        assert_eq!(own.access_token, signed_in.access_token, "round {round}");
        let accounts = app.accounts(None).await.unwrap();
        assert_eq!(accounts.len(), 1);
        assert_eq!(accounts[0].username, ALICE);
        world.machine.restart().await;
    }

    let forced = TokenRequest { force_refresh: true, ..wanted() };
    let app = sdk.open_app(definition).await.unwrap();
    let refreshed = app.acquire_token_silent(&forced).await.unwrap();
    assert_ne!(refreshed.access_token, signed_in.access_token);
    let claims = world.control().verify_access_token(&refreshed.access_token).unwrap();
    assert_eq!(claims["preferred_username"], ALICE);

    let account = app.accounts(None).await.unwrap().remove(0);
    app.remove_account(&account.home_account_id).await.unwrap();
    assert!(app.acquire_token_silent(&wanted()).await.unwrap_err().is_sign_in_needed());
}

#[tokio::test]
async fn a_browser_comes_back_to_loopback() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    let flow = caller.start_flow(json!({"kind": "interactive"})).await.success();
    let url = flow["auth_uri"].as_str().unwrap();
    let redirect =
        world.control().authorize(url, ALICE, Default::default(), &Default::default()).unwrap();
    assert_eq!(Browser::of(&redirect).follow(&redirect).await.unwrap().status, 200);
    assert_eq!(caller.wait_for(&flow, 30).await["state"], "completed");
    assert_eq!(caller.usernames().await, [ALICE]);
}

#[tokio::test]
async fn a_second_daemon_leaves_the_first_alone() {
    let world = World::with(Machine::new(), Options::default()).await;
    let output = world.machine.command(Program::Daemon).output();
    let second = patiently("the second daemon's end", output).await.unwrap();
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(world.machine.status().await["pid"], world.machine.pid());
}
