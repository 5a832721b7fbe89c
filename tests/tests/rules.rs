//! `[[rules]]`: what a rule denies, no other verb gives. The test speaks for the honest program, and Perl for the one that
//! the rules are about.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_testkit::entra::NewUser;
use valetkey_tests::{ALICE, BOB, CLIENT_ID, Caller, Events, Machine, Puppet, SCOPE, World};

/// Of the program that the rules are about.
const FITS: &str = "[[rules]]\nname = \"perl\"\nprograms = [\"/usr/bin/perl\"]\n";

/// A world whose daemon has this rule for Perl, and both people signed in.
async fn ruled(rule: &str) -> (World, Caller) {
    let mut machine = Machine::new();
    machine.write("config/valetkey/config.toml", format!("{FITS}{rule}"));
    machine.launch().await;
    let world = World::of(machine, Default::default()).await;
    let mut honest = world.signed_in(ALICE).await;
    honest.sign_in(world.control(), BOB).await;
    (world, honest)
}

async fn ask(puppet: &mut Puppet, method: &str, path: &str, body: &Value) -> (u16, Value) {
    puppet.ask(method, path, body).await.unwrap()
}

async fn check_denied(puppet: &mut Puppet, requests: &[(&str, &str, Value)]) {
    for (method, path, body) in requests {
        let (status, said) = ask(puppet, method, path, body).await;
        let text = said["error_description"].as_str().unwrap_or_default();
        assert!(status == 403 && text.contains("the rule \"perl\""), "{method} {path}: {said}");
    }
}

#[tokio::test]
async fn who_may_have_nothing_is_told_so_by_every_verb_but_the_status() {
    let (world, mut honest) = ruled("deny = true\n").await;
    let mut denied = Puppet::connect(&world.machine).await;
    let app = format!("/v1/apps/{}", honest.app);
    let of_app = |path: &str| format!("{app}/{path}");
    check_denied(
        &mut denied,
        &[
            ("GET", "/v1/apps", json!(null)),
            ("POST", "/v1/apps", world.definition()),
            ("DELETE", &app, json!(null)),
            ("POST", &of_app("token"), json!({"scopes": [SCOPE], "account": BOB})),
            ("GET", &of_app("accounts"), json!(null)),
            ("GET", "/v1/flows/none", json!(null)),
            ("GET", "/v1/events", json!(null)),
            ("GET", "/v1/audit", json!(null)),
            ("GET", "/v1/diagnosis", json!(null)),
            ("GET", "/v1/grants", json!(null)),
            ("POST", "/v1/lock", json!(null)),
            ("POST", "/v1/unlock", json!({"passphrase": ""})),
            ("POST", "/v1/keys/rotate", json!({"data": true})),
        ],
    )
    .await;
    assert_eq!(ask(&mut denied, "GET", "/v1/status", &json!(null)).await.0, 200);
    honest.token(json!({"account": BOB})).await.success();
}

#[tokio::test]
async fn who_may_not_administer_neither_locks_nor_unlocks_nor_reads_the_record() {
    let (world, mut honest) = ruled("may_administer = false\n").await;
    let mut ruled = Puppet::connect(&world.machine).await;
    check_denied(
        &mut ruled,
        &[
            ("POST", "/v1/lock", json!(null)),
            ("POST", "/v1/unlock", json!({"passphrase": ""})),
            ("GET", "/v1/audit", json!(null)),
            ("GET", "/v1/diagnosis", json!(null)),
        ],
    )
    .await;
    honest.token(json!({"account": BOB})).await.success();
    assert_eq!(honest.connection.post("/v1/lock", &json!({})).await.status, 204);
    check_denied(&mut ruled, &[("POST", "/v1/unlock", json!({"passphrase": ""}))]).await;
    assert_eq!(world.machine.status().await["locked"], true);
}

#[tokio::test]
async fn who_may_have_some_accounts_reads_no_others_by_administering() {
    let (world, mut honest) = ruled(&format!("accounts = [{BOB:?}]\n")).await;
    let mut ruled = Puppet::connect(&world.machine).await;
    check_denied(
        &mut ruled,
        &[
            ("POST", "/v1/cache/export", json!({"unencrypted": true})),
            ("GET", "/v1/audit", json!(null)),
            ("GET", "/v1/grants", json!(null)),
            ("GET", "/v1/prompts", json!(null)),
            ("GET", "/v1/diagnosis", json!(null)),
        ],
    )
    .await;
    assert_eq!(honest.connection.get("/v1/audit").await.status, 200);
}

#[tokio::test]
async fn an_application_that_a_rule_names_is_the_same_when_it_is_defined_anew() {
    let mut machine = Machine::new();
    machine.launch().await;
    let world = World::of(machine, Default::default()).await;
    let config = format!(
        "[apps.mail]\nclient_id = \"{CLIENT_ID}\"\nauthority = \"{}\"\nvalidate_authority = false\n{FITS}\
         apps = [\"mail\"]\ndeny = true\n",
        world.entra.authority("common")
    );
    world.machine.write("config/valetkey/config.toml", &config);
    assert_eq!(world.machine.status().await["configuration"]["problem"], json!(null));
    let honest = world.signed_in(ALICE).await;
    let mut denied = Puppet::connect(&world.machine).await;
    let token = format!("/v1/apps/{}/token", honest.app);
    let mut at_tenant = world.definition();
    at_tenant["authority"] = json!(world.entra.authority("organizations"));
    check_denied(
        &mut denied,
        &[
            ("POST", "/v1/apps", json!({"name": "mail"})),
            ("POST", "/v1/apps", world.definition()),
            ("POST", "/v1/apps", at_tenant),
            ("POST", &token, json!({"scopes": [SCOPE]})),
        ],
    )
    .await;
    let mut another = world.definition();
    another["client_id"] = json!("another");
    assert_eq!(ask(&mut denied, "POST", "/v1/apps", &another).await.0, 200);
    assert_eq!(ask(&mut denied, "GET", "/v1/apps", &json!(null)).await.0, 200);
}

#[tokio::test]
async fn an_application_that_a_rule_names_is_the_same_in_each_spelling() {
    let mut machine = Machine::new();
    let public = "https://login.microsoftonline.com/common";
    let config = format!(
        "[apps.mail]\nclient_id = \"{CLIENT_ID}\"\nauthority = \"{public}\"\n{FITS}apps = [\"mail\"]\ndeny = true\n"
    );
    machine.write("config/valetkey/config.toml", config);
    machine.launch().await;
    let mut denied = Puppet::connect(&machine).await;
    let open = |client_id: &str, authority: &str| {
        let definition = json!({
            "client_id": client_id, "authority": authority,
            "validate_authority": false, "instance_discovery": false,
        });
        ("POST", "/v1/apps", definition)
    };
    let plain = CLIENT_ID.replace('-', "");
    check_denied(
        &mut denied,
        &[
            open(CLIENT_ID, "https://login.microsoftonline.com./common"),
            open(CLIENT_ID, "https://login-us.microsoftonline.com/common"),
            open(CLIENT_ID, "https://westus2.login.microsoft.com/common"),
            open(&CLIENT_ID.to_uppercase(), public),
            open(&format!("{{{CLIENT_ID}}}"), public),
            open(&plain, public),
        ],
    )
    .await;
    for client_id in [format!("{CLIENT_ID} "), format!("\u{a0}{CLIENT_ID}")] {
        let (_, path, definition) = open(&client_id, public);
        let (status, said) = ask(&mut denied, "POST", path, &definition).await;
        let text = said["error_description"].as_str().unwrap_or_default();
        assert!(status == 400 && text.contains("client_id: has a blank"), "{said}");
    }
    let (_, path, elsewhere) = open(CLIENT_ID, "https://login.example/common");
    assert_eq!(ask(&mut denied, "POST", path, &elsewhere).await.0, 200);
}

#[tokio::test]
async fn of_the_accounts_a_program_sees_and_signs_out_those_of_its_rule() {
    let (world, mut honest) = ruled(&format!("accounts = [{BOB:?}]\n")).await;
    let accounts = honest.accounts().await;
    let path_of = |user: &str| {
        let found = accounts.iter().find(|account| account["username"] == user).unwrap();
        let id = found["home_account_id"].as_str().unwrap();
        format!("/v1/apps/{}/accounts/{id}", honest.app)
    };
    let (alice, bob) = (path_of(ALICE), path_of(BOB));
    let mut ruled = Puppet::connect(&world.machine).await;
    let path = format!("/v1/apps/{}/accounts", honest.app);
    let (_, listed) = ask(&mut ruled, "GET", &path, &json!(null)).await;
    let names: Vec<_> = listed["accounts"].as_array().unwrap().iter().collect();
    assert_eq!(names.iter().map(|it| &it["username"]).collect::<Vec<_>>(), [BOB], "{listed}");
    check_denied(&mut ruled, &[("DELETE", &alice, json!(null))]).await;
    assert_eq!(honest.usernames().await, [ALICE, BOB]);
    assert_eq!(ask(&mut ruled, "DELETE", &bob, &json!(null)).await.0, 204);
    assert_eq!(honest.usernames().await, [ALICE]);
}

#[tokio::test]
async fn which_of_several_accounts_is_meant_is_said_of_those_of_the_rule_alone() {
    const CAROL: &str = "carol@contoso.com";
    let cases: [(&[&str], u16, Value, &[&str]); 3] = [
        (&[BOB], 200, json!(null), &[]),
        (&[BOB, CAROL], 409, json!("account_ambiguous"), &[BOB, CAROL]),
        (&["dave@contoso.com"], 409, json!("sign_in_needed"), &[]),
    ];
    for (accounts, status, error, named) in cases {
        let (world, mut honest) = ruled(&format!("accounts = {accounts:?}\n")).await;
        world.control().create_user(NewUser::named(CAROL));
        honest.sign_in(world.control(), CAROL).await;
        let mut ruled = Puppet::connect(&world.machine).await;
        let path = format!("/v1/apps/{}/token", honest.app);
        let (got, said) = ask(&mut ruled, "POST", &path, &json!({"scopes": [SCOPE]})).await;
        assert_eq!((got, &said["error"]), (status, &error), "{said}");
        let text = said["error_description"].as_str().unwrap_or_default();
        for user in [ALICE, BOB, CAROL] {
            assert_eq!(text.contains(user), named.contains(&user), "{user}: {text}");
        }
        if status == 200 {
            let (_, bobs) = (world, honest.token(json!({"account": BOB})).await.success());
            assert_eq!(said["access_token"], bobs["access_token"]);
        }
    }
}

/// What the program hears of, and of which accounts, until somebody locks.
async fn hear(puppet: &mut Puppet) -> Vec<(String, Option<String>)> {
    let mut heard = Vec::new();
    loop {
        let event = puppet.hear().await;
        let kind = event["event"].as_str().unwrap().to_owned();
        if kind == "locked" {
            return heard;
        }
        heard.push((kind, event["home_account_id"].as_str().map(str::to_owned)));
    }
}

#[tokio::test]
async fn of_the_accounts_a_program_hears_of_those_of_its_rule() {
    for named_by_id in [false, true] {
        let mut machine = Machine::new();
        machine.launch().await;
        let world = World::of(machine, Default::default()).await;
        let mut honest = world.signed_in(ALICE).await;
        honest.sign_in(world.control(), BOB).await;
        let accounts = honest.accounts().await;
        let id_of = |user: &str| {
            let found = accounts.iter().find(|account| account["username"] == user).unwrap();
            found["home_account_id"].as_str().unwrap().to_owned()
        };
        let (alice, bob) = (id_of(ALICE), id_of(BOB));
        let named = if named_by_id { &bob } else { BOB };
        let rule = format!("{FITS}accounts = [{named:?}]\n");
        world.machine.write("config/valetkey/config.toml", rule);
        assert_eq!(world.machine.status().await["configuration"]["problem"], json!(null));
        let mut ruled = Puppet::connect(&world.machine).await;
        ruled.listen().await;
        let mut others = Events::open(world.machine.connect().await).await;
        for (user, id) in [(ALICE, &alice), (BOB, &bob)] {
            honest.token(json!({"account": id, "force_refresh": true})).await.success();
            honest.sign_out(id).await;
            honest.sign_in(world.control(), user).await;
        }
        honest.connection.post("/v1/lock", &json!({})).await.success();
        let kinds = ["refreshed", "signed_out", "signed_in"];
        let expected = kinds.map(|kind| (kind.to_owned(), Some(bob.clone())));
        assert_eq!(hear(&mut ruled).await, expected, "{named}");
        for id in [&alice, &bob] {
            for kind in kinds {
                let (name, told) = others.next().await.unwrap();
                assert_eq!((name.as_str(), &told["home_account_id"]), (kind, &json!(id)));
            }
        }
    }
}

#[tokio::test]
async fn what_a_token_is_for_is_said_by_its_scopes_alone_where_a_rule_bounds_them() {
    let (world, honest) = ruled(&format!("scopes = [{SCOPE:?}]\n")).await;
    let mut ruled = Puppet::connect(&world.machine).await;
    let (vault, path) =
        ("https://vault.contoso.com/Secret.Get", format!("/v1/apps/{}", honest.app));
    let flows = format!("{path}/flows");
    let (status, flow) =
        ask(&mut ruled, "POST", &flows, &json!({"kind": "device_code", "scopes": [SCOPE]})).await;
    assert_eq!(status, 201, "{flow}");
    let complete = format!("/v1/flows/{}/complete", flow["flow"].as_str().unwrap());
    let resource = json!({"resource": "https://vault.contoso.com"});
    check_denied(
        &mut ruled,
        &[
            (
                "POST",
                &format!("{path}/token"),
                json!({"scopes": [SCOPE], "account": BOB, "data": resource}),
            ),
            (
                "POST",
                &flows,
                json!({"kind": "interactive", "scopes": [SCOPE], "extra_scopes_to_consent": [vault]}),
            ),
            ("POST", &flows, json!({"kind": "device_code", "scopes": [SCOPE], "data": resource})),
            ("POST", &complete, json!({"auth_response": {}, "data": resource})),
        ],
    )
    .await;
    let usual = json!({"scopes": [SCOPE], "account": BOB});
    assert_eq!(ask(&mut ruled, "POST", &format!("{path}/token"), &usual).await.0, 200);
}

#[tokio::test]
async fn who_closes_an_application_closes_it_for_nobody_else() {
    let (world, mut honest) = ruled("may_ask = false\n").await;
    let mut other = Puppet::connect(&world.machine).await;
    let app = format!("/v1/apps/{}", honest.app);
    assert_eq!(ask(&mut other, "DELETE", &app, &json!(null)).await.0, 204);
    honest.token(json!({"account": BOB})).await.success();
}
