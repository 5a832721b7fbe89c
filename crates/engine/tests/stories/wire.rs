//! What requests say beside the grant: telemetry, correlation, claims.

use valetkey_engine::{ClientApplication, Definition, SilentRequest};
use valetkey_oauth::HttpRequest;
use valetkey_testkit::http::{On, Reply};
use valetkey_testkit::world::{TestWorld, define, run, settle, tell};

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn last_refresh(world: &TestWorld) -> HttpRequest {
    world.http.requests(&On::refresh()).pop().unwrap()
}

#[test]
fn a_request_says_why_the_cache_did_not_answer() {
    run(async {
        let world = TestWorld::new();
        world.entra.change_manners(|it| it.refresh_in = Some(1800));
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        let usual = |scopes| world.request(&app, scopes);
        let claims_challenge = || Some("{\"access_token\":{}}".to_owned());
        for (later, request, expected) in [
            (0, SilentRequest { force_refresh: true, ..usual("a") }, "4|84,1|"),
            (0, SilentRequest { claims_challenge: claims_challenge(), ..usual("a") }, "4|84,1|"),
            (0, usual("b"), "4|84,2|"),
            (3600, usual("a"), "4|84,3|"),
            (1800, usual("a"), "4|84,4|"),
        ] {
            world.clock.advance(later).await;
            let correlation_id = request.correlation_id.clone();
            world.ask(request).await.unwrap();
            settle().await;
            let sent = last_refresh(&world);
            assert_eq!(header(&sent, "x-client-current-telemetry"), expected);
            assert_eq!(header(&sent, "client-request-id"), correlation_id.as_str());
            assert_eq!(header(&sent, "x-anchormailbox"), "Oid:ada@home");
        }
    });
}

#[test]
fn a_request_tells_of_hits_and_failures_since_the_last_one_that_went_well() {
    run(async {
        let mut world = TestWorld::new();
        world.sign_in(&world.app("editor").await, "ada", "a").await;
        world.restart();
        let app = world.app("editor").await;
        for _ in 0..3 {
            assert_eq!(world.token(&app, "a").await, "cached at-1");
        }
        world.http.script_once(On::refresh(), Reply::refusal("interaction_required"));
        let forced = || SilentRequest { force_refresh: true, ..world.request(&app, "a") };
        let failing = forced();
        let id = failing.correlation_id.as_str().to_owned();
        assert_eq!(tell(&world.ask(failing).await), "provider answered interaction_required");
        assert_eq!(header(&last_refresh(&world), "x-client-last-telemetry"), "4|3|||");
        world.clock.advance(60).await;
        let told = format!("4|3|84,{id}|interaction_required|");
        for expected in [told.as_str(), "4|0|||"] {
            world.ask(forced()).await.unwrap();
            assert_eq!(header(&last_refresh(&world), "x-client-last-telemetry"), expected);
        }
    });
}

#[test]
fn capabilities_and_challenges_become_one_claims_parameter() {
    let capable = |app: &ClientApplication| Definition {
        capabilities: vec!["CP1".to_owned()],
        ..app.definition().clone()
    };
    let (cp1, challenge) =
        (r#"{"access_token": {"xms_cc": {"values": ["CP1"]}}}"#, r#"{"id_token":{"a":1}}"#);
    let both = r#"{"id_token": {"a": 1}, "access_token": {"xms_cc": {"values": ["CP1"]}}}"#;
    for (is_capable, challenge, expected) in [
        (false, None, None),
        (false, Some(challenge), Some(challenge)),
        (true, None, Some(cp1)),
        (true, Some(challenge), Some(both)),
    ] {
        run(async {
            let world = TestWorld::new();
            let mut app = world.app("editor").await;
            if is_capable {
                app = world.open(capable(&app)).await;
            }
            world.sign_in(&app, "ada", "a").await;
            let sign_in = world.http.requests(&On::grant("authorization_code")).pop().unwrap();
            assert_eq!(sign_in.form_value("claims"), is_capable.then_some(cp1));
            let request = SilentRequest {
                force_refresh: true,
                claims_challenge: challenge.map(str::to_owned),
                ..world.request(&app, "a")
            };
            world.ask(request).await.unwrap();
            assert_eq!(last_refresh(&world).form_value("claims"), expected);
        });
    }
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is_asked() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        world.sign_in(&app, "ada", "a").await;
        let claims_challenge = Some("no json".to_owned());
        for (request, expected) in [
            (
                world.request(&app, "c openid"),
                "scope \"openid\" is reserved: it is added to every request by itself",
            ),
            (
                SilentRequest { claims_challenge, ..world.request(&app, "a") },
                "claims are no JSON object",
            ),
        ] {
            assert_eq!(tell(&world.ask(request).await), expected);
        }
        assert_eq!(world.http.count(&On::refresh()), 0);
    });
}

#[test]
fn an_application_may_go_without_a_refresh_token_and_by_a_name() {
    run(async {
        let world = TestWorld::new();
        let definition = Definition {
            exclude_scopes: valetkey_model::ScopeSet::from_target("offline_access"),
            app_name: Some("Editor".to_owned()),
            app_version: Some("2.1".to_owned()),
            ..define("editor", &world.entra.authority, false)
        };
        let app = world.open(definition).await;
        world.sign_in(&app, "ada", "a").await;
        let sent = world.http.requests(&On::grant("authorization_code")).pop().unwrap();
        assert_eq!(sent.form_value("scope"), Some("a openid profile"));
        assert_eq!((header(&sent, "x-app-name"), header(&sent, "x-app-ver")), ("Editor", "2.1"));
        assert_eq!(header(&sent, "x-client-current-telemetry"), "4|832,0|");
    });
}
