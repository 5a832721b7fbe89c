//! Finding out a provider's endpoints: when, how often, and whom to believe.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::json;
use valetkey_engine::{
    Attendant, ClientApplication, Definition, InstanceDiscovery, Route, SilentRequest,
};
use valetkey_policy::{Denial, Policy};
use valetkey_testkit::http::{On, Reply, html, json as answer, status};
use valetkey_testkit::world::{TestWorld, auth_code, define, run, settle, tell};

const DAY: i64 = 24 * 3600;

async fn forced(world: &TestWorld, app: &Arc<ClientApplication>) -> String {
    tell(&world.ask(SilentRequest { force_refresh: true, ..world.request(app, "a") }).await)
}

/// Why no flow can be started at this application.
async fn refusal(world: &TestWorld, app: &Arc<ClientApplication>) -> String {
    let outcome = world.start(world.flow_request(app, auth_code(), "a")).await;
    outcome.err().map(|error| error.to_string()).unwrap_or_default()
}

#[test]
fn opening_an_application_asks_nobody() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        assert!(world.accounts(&app).await.is_empty());
        assert_eq!(world.token(&app, "a").await, "nobody is signed in");
        assert_eq!(world.http.count(&On::any()), 0);
    });
}

#[test]
fn many_callers_make_one_request() {
    run(async {
        let world = TestWorld::new();
        world.sign_in(&world.app("editor").await, "ada", "a").await;
        // The same host, so that the account is known, and another document.
        let authority = "https://login.microsoftonline.com/fabrikam";
        let app = world.open(define("editor", authority, false)).await;
        let elsewhere = On::url("/fabrikam/v2.0/.well-known/openid-configuration");
        let gate = world.http.hold(elsewhere.clone());
        let callers: Vec<_> =
            (0..1000).map(|_| world.spawn_ask(world.request(&app, "a"))).collect();
        let flows: Vec<_> = ["a", "b"]
            .map(|scopes| world.flow_request(&app, auth_code(), scopes))
            .map(|request| (world.clone(), request))
            .map(|(world, request)| tokio::spawn(async move { world.start(request).await.is_ok() }))
            .into();
        settle().await;
        assert_eq!((gate.held(), world.http.count(&elsewhere)), (1, 1));
        gate.open();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), "cached at-1");
        }
        for flow in flows {
            assert!(flow.await.unwrap());
        }
        assert_eq!(world.http.count(&elsewhere), 1);
    });
}

/// The editor, which trusts these certificates beside the system's.
async fn trusting(world: &TestWorld, certificates: &[&[u8]]) -> Arc<ClientApplication> {
    let certificates: BTreeSet<_> = certificates.iter().map(|one| one.to_vec()).collect();
    let route = Route::new(None, BTreeMap::new(), certificates);
    let definition = define("editor", &world.entra.authority, false);
    world.open(Definition { route: Some(Arc::new(route)), ..definition }).await
}

#[test]
fn what_came_by_one_route_is_believed_on_no_other() {
    run(async {
        let mut world = TestWorld::new();
        world.sign_in(&world.app("editor").await, "ada", "a").await;
        for restarts in 0..2 {
            let apps = [
                world.app("editor").await,
                trusting(&world, &[b"home"]).await,
                trusting(&world, &[b"home", b"work"]).await,
                trusting(&world, &[b"work", b"home"]).await,
            ];
            for app in &apps {
                assert!(forced(&world, app).await.starts_with("issued"));
            }
            let expected: Vec<_> =
                apps[..3].iter().map(|app| app.definition().route.clone()).collect();
            assert_eq!(world.http.routes(&On::discovery()), expected, "{restarts} restarts");
            assert_eq!(apps[2].id(), apps[3].id());
            world.restart();
        }
    });
}

#[test]
fn two_routes_make_two_discoveries_at_the_same_time() {
    run(async {
        let world = TestWorld::new();
        let apps = [world.app("editor").await, trusting(&world, &[b"home"]).await];
        let gate = world.http.hold(On::discovery());
        let flows: Vec<_> = (0..4)
            .map(|number| world.flow_request(&apps[number % 2], auth_code(), "a"))
            .map(|request| (world.clone(), request))
            .map(|(world, request)| tokio::spawn(async move { world.start(request).await.is_ok() }))
            .collect();
        settle().await;
        assert_eq!((gate.held(), world.http.count(&On::discovery())), (2, 2));
        gate.open();
        for flow in flows {
            assert!(flow.await.unwrap());
        }
    });
}

#[test]
fn every_request_of_an_application_goes_its_route() {
    run(async {
        let world = TestWorld::new();
        let app = trusting(&world, &[b"home"]).await;
        world.sign_in(&app, "ada", "a").await;
        assert!(forced(&world, &app).await.starts_with("issued"));
        world.sign_out(&app, "ada").await.unwrap();
        let routes = world.http.routes(&On::any());
        assert!(routes.len() >= 3, "{routes:?}");
        assert!(routes.iter().all(|route| *route == app.definition().route), "{routes:?}");
    });
}

#[test]
fn metadata_are_kept_for_a_day_over_restarts() {
    run(async {
        let mut world = TestWorld::new();
        world.sign_in(&world.app("editor").await, "ada", "a").await;
        for (later, expected) in [(0, 1), (DAY - 1, 1), (1, 2), (DAY - 1, 2), (1, 3)] {
            world.clock.advance(later).await;
            world.restart();
            assert!(forced(&world, &world.app("editor").await).await.starts_with("issued"));
            assert_eq!(world.http.count(&On::discovery()), expected);
        }
    });
}

#[test]
fn a_restart_without_a_network_answers_from_the_cache() {
    run(async {
        let mut world = TestWorld::new();
        world.sign_in(&world.app("editor").await, "ada", "a").await;
        world.restart();
        world.http.script(On::any(), Reply::offline());
        let app = world.app("editor").await;
        assert_eq!(world.token(&app, "a").await, "cached at-1");
        assert_eq!(world.http.count(&On::discovery()), 1);
    });
}

#[test]
fn old_metadata_are_good_enough_while_the_provider_is_out_of_order() {
    for reply in [Reply::offline(), status(503), status(500)] {
        run(async {
            let world = TestWorld::new();
            let app = world.app("editor").await;
            world.sign_in(&app, "ada", "a").await;
            world.clock.advance(DAY).await;
            world.http.script(On::discovery(), reply);
            assert_eq!(world.token(&app, "a").await, "issued at-2");
            assert_eq!(world.http.count(&On::discovery()), 2);
        });
    }
}

#[test]
fn metadata_that_cannot_be_trusted_leave_no_trace() {
    let foreign = json!({
        "issuer": "https://evil.example",
        "authorization_endpoint": "https://evil.example/authorize",
        "token_endpoint": "https://evil.example/token",
    });
    for (reply, expected) in [
        (answer(200, &foreign), "names a foreign issuer, \"https://evil.example\""),
        (status(404), "provider has no configuration for https://op.example (status 404)"),
        (status(400), "provider has no configuration for https://op.example (status 400)"),
        (html(), "a proxy or a network's sign-in page may have answered"),
        (status(503), "provider is unavailable (status 503)"),
        (Reply::offline(), "connect to the network: is down"),
    ] {
        run(async {
            let world = TestWorld::new();
            let app = world.op_app("editor").await;
            world.http.script(On::discovery(), reply);
            for _ in 0..2 {
                let refusal = refusal(&world, &app).await;
                assert!(refusal.contains(expected), "{refusal}");
            }
            assert_eq!(world.user().await.counts().documents, 0);
            world.http.forget_scripts();
            assert_eq!(world.sign_in(&app, "ada", "a").await, "issued at-1", "after {expected}");
        });
    }
}

const UNKNOWN: &str = "https://login.unknown.example/contoso";
const INSTANCE: &str = "https://login.microsoftonline.com/common/discovery/instance";

/// An application at an Entra that Microsoft has not heard of, in the eyes of the developer.
async fn at_unknown_host(discovery: InstanceDiscovery) -> (TestWorld, Arc<ClientApplication>) {
    let world = TestWorld::new();
    world.http.add_host("login.unknown.example", Arc::<_>::clone(&world.entra) as Arc<_>);
    let definition =
        Definition { instance_discovery: discovery, ..define("editor", UNKNOWN, false) };
    let app = world.open(definition).await;
    (world, app)
}

#[test]
fn microsoft_is_asked_about_an_unknown_host() {
    run(async {
        let (world, app) = at_unknown_host(InstanceDiscovery::Enabled).await;
        let unknown_instance = json!({"error": "invalid_instance"});
        world.http.script(On::url(INSTANCE), answer(400, &unknown_instance));
        let refused = refusal(&world, &app).await;
        assert!(refused.starts_with("invalid_instance: login.unknown.example"), "{refused}");
        assert_eq!(world.http.count(&On::url(UNKNOWN)), 0);

        let endpoint = format!("{UNKNOWN}/v2.0/.well-known/openid-configuration");
        let known = json!({ "tenant_discovery_endpoint": endpoint });
        world.http.script(On::url(INSTANCE), answer(200, &known));
        assert_eq!(refusal(&world, &app).await, "");
        let (asked, discovered) =
            (world.http.requests(&On::url(INSTANCE)), world.http.count(&On::url(&endpoint)));
        assert_eq!((asked.len(), discovered), (2, 1));
        let about = asked[0].url.query_pairs().find(|(name, _)| name == "authorization_endpoint");
        assert_eq!(about.unwrap().1, format!("{UNKNOWN}/oauth2/v2.0/authorize"));
    });
}

#[test]
fn a_developer_can_vouch_for_a_host() {
    run(async {
        let (world, app) = at_unknown_host(InstanceDiscovery::Disabled).await;
        assert_eq!(refusal(&world, &app).await, "");
        assert_eq!(world.http.count(&On::url(INSTANCE)), 0);
    });
}

#[test]
fn what_one_application_did_not_ask_microsoft_is_asked_for_the_next() {
    run(async {
        let (mut world, trusting) = at_unknown_host(InstanceDiscovery::Disabled).await;
        assert_eq!(refusal(&world, &trusting).await, "");
        let unknown_instance = json!({"error": "invalid_instance"});
        world.http.script(On::url(INSTANCE), answer(400, &unknown_instance));
        for _ in 0..2 {
            let careful = world.open(define("mail", UNKNOWN, false)).await;
            let refused = refusal(&world, &careful).await;
            assert!(refused.starts_with("invalid_instance: login.unknown.example"), "{refused}");
            world.restart();
        }
        // Who did not want Microsoft asked still finds what was stored for it.
        let discovered = world.http.count(&On::url(UNKNOWN));
        let trusting = world.open(trusting.definition().clone()).await;
        assert_eq!(refusal(&world, &trusting).await, "");
        assert_eq!(world.http.count(&On::url(UNKNOWN)), discovered);
    });
}

#[test]
fn another_endpoint_than_microsofts_is_asked_where_the_application_names_it() {
    run(async {
        let listed = "https://clouds.example/instance";
        let (mut world, careful) = at_unknown_host(InstanceDiscovery::Enabled).await;
        let endpoint = format!("{UNKNOWN}/v2.0/.well-known/openid-configuration");
        let known = json!({ "tenant_discovery_endpoint": endpoint });
        world.http.script(On::url(INSTANCE), answer(400, &json!({"error": "invalid_instance"})));
        world.http.script(On::url(listed), answer(200, &known));
        let at = |url: &str| Definition {
            instance_discovery: InstanceDiscovery::At(url.parse().unwrap()),
            ..define("editor", UNKNOWN, false)
        };
        for _ in 0..2 {
            let policy = Policy {
                instance_discovery_endpoints: vec![listed.to_owned()],
                ..Policy::of_user()
            };
            let app = world.open(at(listed)).await;
            let request = world.flow_request(&app, auth_code(), "a");
            let authorized = world.decide(&policy, request).unwrap();
            let attendant = Attendant::new(None, &world.connection);
            world.engine.start_flow(&world.user().await, &authorized, &attendant).await.unwrap();
            let request = world.flow_request(&app, auth_code(), "a");
            let denied = world.decide(&Policy::of_user(), request);
            assert!(matches!(denied, Err(Denial::InstanceDiscovery { .. })));
            assert_eq!(world.http.count(&On::url(listed)), 1);
            world.restart();
        }
        let asked = &world.http.requests(&On::url(listed))[0];
        let about = asked.url.query_pairs().find(|(name, _)| name == "authorization_endpoint");
        assert_eq!(about.unwrap().1, format!("{UNKNOWN}/oauth2/v2.0/authorize"));
        assert_eq!(world.http.count(&On::url(INSTANCE)), 0);
        // Who asks Microsoft is not served what the other endpoint said.
        let careful = world.open(careful.definition().clone()).await;
        assert!(refusal(&world, &careful).await.starts_with("invalid_instance"));
        assert_ne!(world.open(at("https://clouds.example/other")).await.id(), careful.id());
    });
}
