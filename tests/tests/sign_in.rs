//! Signing in, sharing the sign-in, signing out: what each flow promises, through the real daemon.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_testkit::entra::{
    self, Browser as Session, Client, Endpoint, EntraEmulator, Options, Person, Scenario,
};
use valetkey_tests::{ALICE, BOB, Browser, CLIENT_ID, Caller, Events, Machine, SCOPE, World};

/// How a person brings each kind of flow to its end.
async fn play_person(world: &World, caller: &mut Caller, flow: &Value, person: Person) {
    let control = world.control();
    if let Some(user_code) = flow["device"]["user_code"].as_str() {
        match person {
            Person::Agrees => control.approve_device(user_code, ALICE).unwrap(),
            Person::DeclinesConsent | Person::Cancels => control.decline_device(user_code).unwrap(),
        }
        return;
    }
    let url = flow["auth_uri"].as_str().unwrap();
    let redirect = control.authorize(url, ALICE, person, &Session::default()).unwrap();
    if flow["kind"] == "interactive" {
        let page = Browser::of(&redirect).follow(&redirect).await.unwrap();
        assert!(page.header("content-type").unwrap().starts_with("text/html"), "{page:?}");
    } else {
        assert_eq!(flow["auth_state"].as_str(), redirect.param("state"));
        caller.complete(flow, &redirect.params).await;
    }
}

fn starts() -> [Value; 3] {
    [
        json!({"kind": "device_code"}),
        json!({"kind": "auth_code", "redirect_uri": "http://localhost:4711/callback"}),
        json!({"kind": "interactive"}),
    ]
}

#[tokio::test]
async fn each_flow_brings_a_token_that_the_resource_accepts() {
    for start in starts() {
        let world = World::start().await;
        let mut caller = world.caller().await;
        let flow = caller.start_flow(start).await.success();
        assert_eq!((&flow["state"], &flow["joined"]), (&json!("pending"), &json!(false)), "{flow}");
        play_person(&world, &mut caller, &flow, Person::Agrees).await;
        let ended = caller.wait_for(&flow, 30).await;
        assert_eq!(ended["state"], "completed", "{ended}");
        let result = &ended["result"];
        let claims = world.control().verify_access_token(result["access_token"].as_str().unwrap());
        assert_eq!(claims.unwrap()["preferred_username"], ALICE);
        assert_eq!(result["id_token_claims"]["preferred_username"], ALICE, "{result}");
        assert_eq!(result["token_source"], "identity_provider");
        assert_eq!(caller.usernames().await, [ALICE]);
        check_nothing_secret_came_out(&world, &[&flow, &ended]);
    }
}

/// Invariant: refresh tokens, codes and device codes never cross the socket outward.
fn check_nothing_secret_came_out(world: &World, answers: &[&Value]) {
    let text = answers.iter().map(ToString::to_string).collect::<String>();
    let inward = ["refresh_token", "code", "device_code"];
    let secrets = world.control().secrets();
    assert!(secrets.iter().any(|secret| secret.kind == "refresh_token"), "nothing was issued");
    for secret in secrets.iter().filter(|secret| inward.contains(&secret.kind.as_str())) {
        assert!(!text.contains(&secret.value), "{} in {text}", secret.kind);
    }
}

#[tokio::test]
async fn a_person_who_says_no_ends_the_flow_and_leaves_no_account() {
    for start in starts() {
        let world = World::start().await;
        let mut caller = world.caller().await;
        let flow = caller.start_flow(start).await.success();
        play_person(&world, &mut caller, &flow, Person::Cancels).await;
        let ended = caller.wait_for(&flow, 30).await;
        assert_eq!(ended["state"], "failed", "{ended}");
        let error = ended["error"]["error"].as_str().unwrap();
        assert!(["access_denied", "authorization_declined"].contains(&error), "{ended}");
        assert_eq!(caller.usernames().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_sign_in_is_shared_and_survives_a_kill_without_asking_the_provider() {
    let mut world = World::start().await;
    let token = world.caller().await.sign_in(world.control(), ALICE).await;
    world.control().clear_requests();
    for round in 0..2 {
        let mut other = world.caller().await;
        let shared = other.token(json!({})).await.success();
        assert_eq!(shared["access_token"], token["access_token"], "round {round}");
        assert_eq!(shared["token_source"], "cache");
        assert_eq!(world.control().requests().len(), 0, "round {round}");
        world.machine.restart().await;
    }
    let refreshed = world.caller().await.token(json!({"force_refresh": true})).await.success();
    assert_ne!(refreshed["access_token"], token["access_token"]);
    assert_eq!(refreshed["token_source"], "identity_provider");
}

#[tokio::test]
async fn another_scope_is_had_by_the_refresh_token() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    let files = "https://graph.contoso.com/Files.Read";
    let first = caller.token(json!({"scopes": [files]})).await.success();
    let second = caller.token(json!({"scopes": [files]})).await.success();
    assert_eq!(first["token_source"], "identity_provider");
    assert_eq!(
        (&second["token_source"], &second["access_token"]),
        (&json!("cache"), &first["access_token"])
    );
}

#[tokio::test]
async fn of_several_accounts_one_must_be_named() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    caller.sign_in(world.control(), BOB).await;
    let ambiguous = caller.token(json!({})).await;
    assert_eq!(ambiguous.refusal(), (409, "account_ambiguous".to_owned()));
    let said = ambiguous.json()["error_description"].to_string();
    assert!(said.contains(ALICE) && said.contains(BOB), "{said}");
    let accounts = caller.accounts().await;
    for account in &accounts {
        for selector in [&account["username"], &account["home_account_id"]] {
            let token = caller.token(json!({"account": selector})).await.success();
            let claims =
                world.control().verify_access_token(token["access_token"].as_str().unwrap());
            assert_eq!(claims.unwrap()["preferred_username"], account["username"]);
        }
    }
    let filtered = format!("/v1/apps/{}/accounts?username=ALICE@Contoso.com", caller.app);
    let found = caller.connection.get(&filtered).await.success();
    assert_eq!(found["accounts"].as_array().unwrap().len(), 1, "{found}");
    let unknown = caller.token(json!({"account": "carol@contoso.com"})).await;
    assert_eq!(unknown.refusal(), (404, "unknown_account".to_owned()));
}

#[tokio::test]
async fn signing_out_leaves_nothing_to_sign_in_with() {
    let mut world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    caller.sign_in(world.control(), BOB).await;
    let accounts = caller.accounts().await;
    let alice = accounts.iter().find(|account| account["username"] == ALICE).unwrap();
    let alice = alice["home_account_id"].as_str().unwrap();
    assert_eq!(caller.sign_out(alice).await.status, 204);
    assert_eq!(caller.sign_out(alice).await.refusal(), (404, "unknown_account".to_owned()));
    for _ in 0..2 {
        let mut caller = world.caller().await;
        assert_eq!(caller.usernames().await, [BOB]);
        let gone = caller.token(json!({"account": alice})).await;
        assert_eq!(gone.refusal(), (404, "unknown_account".to_owned()));
        let other = caller.token(json!({"account": BOB})).await.success();
        assert_eq!(other["token_source"], "cache");
        world.machine.restart().await;
    }
}

#[tokio::test]
async fn who_has_signed_out_is_told_no_token_of_the_sign_in_wherever_it_is_kept() {
    let secret = Client { id: CLIENT_ID.into(), secret: Some("hush".into()), ..Client::default() };
    let confidential =
        json!({"kind": "confidential", "credential": {"type": "secret", "secret": "hush"}});
    for (member, clients) in [
        (json!({}), vec![]),
        (json!({"cloud_shell_endpoint": "http://127.0.0.1:1/"}), vec![]),
        (json!({"private_cache": "a1".repeat(16)}), vec![]),
        (confidential, vec![secret]),
    ] {
        let world = World::with(Machine::new(), Options { clients, ..Options::default() }).await;
        let mut definition = world.definition();
        definition.as_object_mut().unwrap().extend(member.as_object().unwrap().clone());
        let mut caller = Caller::open(world.machine.connect().await, &definition).await;
        let [_, start, _] = starts();
        let flow = caller.start_flow(start).await.success();
        play_person(&world, &mut caller, &flow, Person::Agrees).await;
        assert_eq!(caller.wait_for(&flow, 30).await["state"], "completed", "{member}");
        let account = caller.accounts().await[0]["home_account_id"].clone();
        assert_eq!(caller.sign_out(account.as_str().unwrap()).await.status, 204);
        let path = format!("/v1/flows/{}", flow["flow"].as_str().unwrap());
        let gone = caller.connection.get(&path).await.refusal();
        assert_eq!(gone, (404, "unknown_flow".to_owned()), "{member}");
    }
}

#[tokio::test]
async fn a_slash_at_the_end_of_an_authority_makes_no_other_application() {
    let world = World::start().await;
    let mut definition = world.definition();
    let plain = Caller::open(world.machine.connect().await, &definition).await.app;
    definition["authority"] = json!(format!("{}/", world.entra.authority("common")));
    let with_slash = Caller::open(world.machine.connect().await, &definition).await.app;
    assert_eq!(plain, with_slash);
}

#[tokio::test]
async fn without_a_sign_in_the_answer_says_that_one_is_needed() {
    let world = World::start().await;
    let refused = world.caller().await.token(json!({})).await;
    assert_eq!(refused.refusal(), (409, "sign_in_needed".to_owned()));
    assert!(refused.json()["hint"].as_str().unwrap().contains("flow"), "{:?}", refused.json());
    assert_eq!(world.control().requests(), []);
}

#[tokio::test]
async fn a_policy_of_the_provider_reaches_the_application_in_its_own_words() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    world.control().set_user_scenario(ALICE, Some(Scenario::InteractionRequired));
    let refused = caller.token(json!({"force_refresh": true})).await;
    let body = refused.json();
    assert_eq!(refused.refusal().0, 409);
    assert_eq!(
        (&body["error"], &body["suberror"]),
        (&json!("interaction_required"), &json!("basic_action"))
    );
    assert_eq!(body["error_codes"], json!([50_076]));
    let claims = body["claims"].as_str().unwrap();
    let again = json!({"kind": "device_code", "claims_challenge": claims});
    let flow = caller.start_flow(again).await.success();
    world.control().approve_device(flow["device"]["user_code"].as_str().unwrap(), ALICE).unwrap();
    assert_eq!(caller.wait_for(&flow, 30).await["state"], "completed");
    assert_eq!(caller.token(json!({"force_refresh": true})).await.status, 200);
}

#[tokio::test]
async fn events_tell_what_happened_in_order() {
    let world = World::start().await;
    let mut events = Events::open(world.machine.connect().await).await;
    let mut caller = world.caller().await;
    assert_eq!(caller.token(json!({})).await.status, 409);
    caller.sign_in(world.control(), ALICE).await;
    caller.token(json!({"force_refresh": true})).await.success();
    let account = caller.accounts().await[0]["home_account_id"].clone();
    caller.sign_out(account.as_str().unwrap()).await;
    for (expected, whose) in [
        ("sign_in_needed", &Value::Null),
        ("signed_in", &account),
        ("refreshed", &account),
        ("signed_out", &account),
    ] {
        let (name, data) = events.next().await.unwrap();
        assert_eq!((name.as_str(), &data["home_account_id"]), (expected, whose), "{data}");
        assert_eq!((&data["event"], &data["client_id"]), (&json!(expected), &json!(CLIENT_ID)));
    }
}

#[tokio::test]
async fn callers_who_need_the_same_sign_in_join_it() {
    let world = World::start().await;
    let mut first = world.caller().await;
    let opened = first.start_flow(json!({"kind": "interactive"})).await.success();
    let mut second = world.caller().await;
    let joined = second.start_flow(json!({"kind": "interactive"})).await.success();
    assert_eq!((&joined["auth_uri"], &joined["joined"]), (&opened["auth_uri"], &json!(true)));
    let mut other = world.caller().await;
    let files = json!({"kind": "interactive", "scopes": ["https://graph.contoso.com/Files.Read"]});
    assert_ne!(other.start_flow(files).await.success()["auth_uri"], opened["auth_uri"]);
    play_person(&world, &mut first, &opened, Person::Agrees).await;
    let (one, two) = (first.wait_for(&opened, 30).await, second.wait_for(&joined, 30).await);
    assert_eq!(one["result"]["access_token"], two["result"]["access_token"]);
    assert_eq!(world.control().counters()["authorization_code"].answered, 1);
}

#[tokio::test]
async fn a_cancelled_flow_has_ended() {
    for start in starts() {
        let world = World::start().await;
        let mut caller = world.caller().await;
        let flow = caller.start_flow(start).await.success();
        let path = format!("/v1/flows/{}", flow["flow"].as_str().unwrap());
        assert_eq!(world.machine.status().await["counts"]["flows"], 1);
        assert_eq!(caller.connection.delete(&path).await.status, 204);
        let ended = caller.wait_for(&flow, 30).await;
        assert_eq!(
            (&ended["state"], &ended["error"]["error"]),
            (&json!("failed"), &json!("flow_cancelled"))
        );
        assert_eq!(world.machine.status().await["counts"]["flows"], 0);
    }
}

#[tokio::test]
async fn a_device_code_that_ran_out_says_so() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    let flow = caller.start_flow(json!({"kind": "device_code"})).await.success();
    world.control().advance_clock(1_000);
    let ended = caller.wait_for(&flow, 30).await;
    assert_eq!(
        (&ended["state"], &ended["error"]["error"]),
        (&json!("failed"), &json!("expired_token")),
        "{ended}"
    );
}

#[tokio::test]
async fn any_openid_provider_signs_in_and_takes_its_token_back_at_sign_out() {
    let options = Options { generic_oidc: true, ..Options::default() };
    let world = World::with(Machine::new(), options).await;
    let definition =
        json!({"client_id": "desk", "oidc_authority": world.entra.authority("contoso.com")});
    let mut caller = Caller::open(world.machine.connect().await, &definition).await;
    caller.sign_in(world.control(), ALICE).await;
    caller.token(json!({"force_refresh": true})).await.success();
    let account = caller.accounts().await[0]["home_account_id"].clone();
    assert_eq!(caller.sign_out(account.as_str().unwrap()).await.status, 204);
    let revocations = world.control().revocations();
    assert!(
        !revocations.is_empty() && revocations.iter().all(|taken| taken.revoked),
        "{revocations:?}"
    );
}

#[tokio::test]
async fn an_application_of_the_configuration_is_there_by_its_name() {
    let entra = EntraEmulator::start(Options::default()).await.unwrap();
    let mut machine = Machine::new();
    let config = format!(
        "[apps.mail]\nclient_id = \"{CLIENT_ID}\"\nauthority = \"{}\"\nvalidate_authority = false\nscopes = [\"{SCOPE}\"]\n",
        entra.authority("common")
    );
    machine.write("config/valetkey/config.toml", &config);
    machine.launch().await;
    let mut connection = machine.connect().await;
    let apps = connection.get("/v1/apps").await.success();
    assert_eq!(
        (&apps["apps"][0]["name"], &apps["apps"][0]["client_id"]),
        (&json!("mail"), &json!(CLIENT_ID))
    );
    let start = json!({"kind": "device_code"});
    let flow = connection.post("/v1/apps/mail/flows", &start).await.success();
    entra.control().approve_device(flow["device"]["user_code"].as_str().unwrap(), ALICE).unwrap();
    let path = format!("/v1/flows/{}?wait=30", flow["flow"].as_str().unwrap());
    assert_eq!(connection.get(&path).await.success()["state"], "completed");
    let token = connection.post("/v1/apps/mail/token", &json!({})).await.success();
    assert_eq!(token["token_source"], "cache");
    assert!(token["scope"].as_str().unwrap().contains(SCOPE), "{token}");
    let unknown = connection.post("/v1/apps", &json!({"name": "post"})).await;
    assert_eq!(unknown.refusal(), (404, "unknown_app".to_owned()));
    assert!(unknown.json()["error_description"].as_str().unwrap().contains("mail"));
}

#[tokio::test]
async fn opening_an_application_asks_nobody_and_gives_the_same_id_to_all() {
    let world = World::start().await;
    let (first, second) = (world.caller().await, world.caller().await);
    assert_eq!(first.app, second.app);
    assert_eq!(world.control().requests(), []);
    let status = world.machine.status().await;
    assert_eq!(status["counts"]["apps"], 1, "{status}");
    assert_eq!((&status["key"]["provider"], &status["locked"]), (&json!("file"), &json!(false)));
    assert_eq!(status["pid"], world.machine.pid());
    let (mut caller, mut other) = (first, second);
    let path = format!("/v1/apps/{}", caller.app);
    assert_eq!(caller.connection.delete(&path).await.status, 204);
    assert_eq!(other.token(json!({})).await.refusal(), (409, "sign_in_needed".to_owned()));
}

#[tokio::test]
async fn an_aging_token_is_answered_at_once_and_refreshed_behind() {
    let mut options = Options::default();
    options.settings.refresh_in = Some(0);
    let world = World::with(Machine::new(), options).await;
    let mut caller = world.caller().await;
    let first = caller.sign_in(world.control(), ALICE).await;
    world.control().clear_requests();
    let held = entra::Fault::new(Endpoint::Token, entra::Effect::Pass).behind_gate("refresh");
    world.control().add_fault(held);
    let aging = caller.token(json!({})).await.success();
    assert_eq!(aging["access_token"], first["access_token"]);
    valetkey_tests::patiently("the refresh", world.control().wait_at_gate("refresh", 1)).await;
    let mut events = Events::open(world.machine.connect().await).await;
    world.control().open_gate("refresh");
    assert_eq!(events.next().await.unwrap().0, "refreshed");
    assert_ne!(caller.token(json!({})).await.success()["access_token"], first["access_token"]);
}
