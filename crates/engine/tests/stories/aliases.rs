//! One provider under several names: when further names are found out, and what is found under them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use valetkey_engine::{
    AppTokensRequest, ClientApplication, ClientCredential, ClientType, Definition, Grant,
    InstanceDiscovery, Route,
};
use valetkey_model::{Authority, AuthorityOptions, Secret};
use valetkey_testkit::http::{On, Reply, json as answer, status};
use valetkey_testkit::world::{TestWorld, define, run};

const HOST: &str = "login.unknown.example";
const OTHER: &str = "login.other.example";

/// What Microsoft says of a cloud of its own that this library has never heard of.
fn groups() -> Value {
    json!({"metadata": [
        {"aliases": ["login.microsoftonline.com", "login.windows.net"]},
        {"preferred_network": HOST, "aliases": [HOST, "Login.Other.Example", "login.third.example"]},
        {"aliases": "spoilt"},
    ]})
}

fn question() -> On {
    On::url("/common/discovery/instance?api-version=1.1")
}

/// A cloud that only Microsoft knows.
fn new_world() -> TestWorld {
    let world = TestWorld::new();
    for host in [HOST, OTHER] {
        world.http.add_host(host, Arc::<_>::clone(&world.entra) as Arc<_>);
    }
    let endpoint = format!("https://{HOST}/contoso/v2.0/.well-known/openid-configuration");
    let known = json!({ "tenant_discovery_endpoint": endpoint });
    world.http.script(On::url("/discovery/instance?api-version=1.0"), answer(200, &known));
    world.http.script(question(), answer(200, &groups()));
    world
}

fn at(host: &str, client_id: &str) -> Definition {
    define(client_id, &format!("https://{host}/contoso"), false)
}

async fn app(world: &TestWorld) -> Arc<ClientApplication> {
    world.open(at(HOST, "editor")).await
}

/// As another library left it, which goes by another of the cloud's names.
async fn sign_in_elsewhere(world: &TestWorld, person: &str) {
    let discovery = InstanceDiscovery::Disabled;
    let elsewhere = Definition { instance_discovery: discovery, ..at(OTHER, "editor") };
    world.sign_in(&world.open(elsewhere).await, person, "a").await;
}

#[test]
fn what_came_under_another_name_of_the_host_is_found() {
    run(async {
        let mut world = new_world();
        sign_in_elsewhere(&world, "ada").await;
        assert_eq!(world.accounts(&app(&world).await).await, ["ada@contoso.com"]);
        world.restart();
        assert_eq!(world.token(&app(&world).await, "a").await, "cached at-1");
        world.restart();
        world.clock.advance(3600).await;
        assert_eq!(world.token(&app(&world).await, "a").await, "issued at-2");
        assert_eq!(world.http.count(&question()), 1);
        let asked = &world.http.requests(&question())[0];
        assert_eq!(asked.url.host_str(), Some("login.microsoftonline.com"));
    });
}

#[test]
fn who_signs_out_is_gone_under_every_name() {
    run(async {
        let mut world = new_world();
        sign_in_elsewhere(&world, "ada").await;
        let here = app(&world).await;
        world.sign_out(&here, "ada").await.unwrap();
        assert_eq!(world.token(&here, "a").await, "nobody is signed in");
        assert!(world.sign_out(&here, "ada").await.is_err());
        world.restart();
        assert!(world.store.refresh_tokens(world.partition()).is_empty());
        assert!(world.accounts(&app(&world).await).await.is_empty());
    });
}

#[test]
fn an_application_forgets_its_own_tokens_under_every_name() {
    run(async {
        let world = new_world();
        let service = |host: &str, instance_discovery| Definition {
            client_type: ClientType::Confidential,
            credential: Some(ClientCredential::Secret(Secret::new("s3cret".to_owned()))),
            instance_discovery,
            ..at(host, "service")
        };
        let there = world.open(service(OTHER, InstanceDiscovery::Disabled)).await;
        let ask =
            || world.redeem(world.grant_request(&there, Grant::ClientCredentials, "r/.default"));
        assert_eq!(ask().await, "issued at-1");
        assert_eq!(ask().await, "cached at-1");
        let here = world.open(service(HOST, InstanceDiscovery::Enabled)).await;
        let authorized = world.authorize(AppTokensRequest { app: here });
        world.engine.remove_app_tokens(&world.user().await, &authorized).await.unwrap();
        assert_eq!(ask().await, "issued at-2");
    });
}

#[test]
fn microsoft_is_asked_once_a_day_and_only_when_something_is_missed() {
    run(async {
        let mut world = new_world();
        world.sign_in(&app(&world).await, "ada", "a").await;
        assert_eq!(world.accounts(&app(&world).await).await, ["ada@contoso.com"]);
        assert_eq!(world.token(&app(&world).await, "a").await, "cached at-1");
        assert_eq!(world.http.count(&question()), 0);
        for (later, expected) in [(0, 1), (24 * 3600 - 1, 1), (1, 2)] {
            world.clock.advance(later).await;
            world.restart();
            let stranger = world.open(at(HOST, "stranger")).await;
            for _ in 0..2 {
                let missed = world.token(&stranger, "b").await;
                assert_eq!(missed, "no refresh token for this account and application");
            }
            assert_eq!(world.http.count(&question()), expected, "{later}");
        }
    });
}

#[test]
fn many_callers_ask_once() {
    run(async {
        let world = new_world();
        sign_in_elsewhere(&world, "ada").await;
        let here = app(&world).await;
        let callers: Vec<_> =
            (0..100).map(|_| world.spawn_ask(world.request(&here, "a"))).collect();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "cached at-1");
        }
        assert_eq!(world.http.count(&question()), 1);
    });
}

/// A miss is a miss, whatever becomes of the question; it is put again after a minute.
async fn check_failure(reply: Reply) {
    let world = new_world();
    sign_in_elsewhere(&world, "ada").await;
    world.http.script(question(), reply);
    let here = app(&world).await;
    for (later, expected) in [(0, 1), (59, 1), (1, 2)] {
        world.clock.advance(later).await;
        assert!(world.accounts(&here).await.is_empty());
        assert_eq!(world.token(&here, "a").await, "nobody is signed in");
        assert_eq!(world.http.count(&question()), expected, "{later}");
    }
    world.http.script(question(), answer(200, &groups()));
    world.clock.advance(60).await;
    assert_eq!(world.accounts(&here).await, ["ada@contoso.com"]);
}

#[test]
fn a_question_that_nobody_answers_is_no_failure_of_the_request() {
    run(async {
        check_failure(Reply::offline()).await;
        check_failure(status(503)).await;
        check_failure(answer(200, &json!({"metadata": "none"}))).await;
    });
}

#[test]
fn nobody_is_asked_about_a_host_that_is_known_vouched_for_or_reached_another_way() {
    run(async {
        let world = new_world();
        sign_in_elsewhere(&world, "ada").await;
        let vouched = AuthorityOptions { oidc: false, validate: false };
        let vouched = Authority::parse(&format!("https://{HOST}/contoso"), vouched).unwrap();
        let route = Route::new(None, BTreeMap::new(), BTreeSet::from([b"mine".to_vec()]));
        let here = || at(HOST, "editor");
        for definition in [
            Definition { instance_discovery: InstanceDiscovery::Disabled, ..here() },
            Definition { authority: vouched, ..here() },
            // Whom the application believes could say that its own host is Microsoft's.
            Definition { route: Some(Arc::new(route)), ..here() },
            define("editor", "https://login.microsoftonline.com/contoso", false),
            define("editor", "https://op.example", true),
        ] {
            let app = world.open(definition).await;
            assert!(world.accounts(&app).await.is_empty());
            assert_eq!(world.token(&app, "a").await, "nobody is signed in");
        }
        assert_eq!(world.http.count(&question()), 0);
    });
}

#[test]
fn accounts_are_listed_over_all_names_of_the_host_and_each_once() {
    run(async {
        let world = TestWorld::new();
        for (host, person, realm) in [
            ("login.windows.net", "bob", "contoso"),
            ("login.windows.net", "ada", "contoso"),
            ("login.microsoftonline.com", "ada", "contoso"),
            ("login.microsoftonline.com", "ada", "fabrikam"),
            ("sts.windows.net", "bob", "contoso"),
            ("login.microsoftonline.us", "eve", "contoso"),
        ] {
            world.put_account(&format!("{person}@{host}"), host, realm);
        }
        let app = world.app("editor").await;
        let expected = [
            "ada@login.microsoftonline.com or ada@login.windows.net",
            "bob@login.windows.net or bob@sts.windows.net",
        ];
        assert_eq!(world.accounts(&app).await, expected);
        assert_eq!(world.token(&app, "a").await, "2 accounts may be meant");
    });
}
