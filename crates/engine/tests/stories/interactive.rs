//! The interactive flow (RFC 8252): one browser window for all, and a port that does not stay open.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinHandle;
use valetkey_engine::ports::Page;
use valetkey_engine::{ClientApplication, Error, Flow, FlowKind};
use valetkey_model::ScopeSet;
use valetkey_testkit::http::On;
use valetkey_testkit::world::{START, TestWorld, run, settle, tell_status, visit_of};

const PORT: u16 = 49152;
const PENDING: &str = "pending after 0";

fn kind(port: Option<u16>) -> FlowKind {
    FlowKind::Interactive { port, timeout_seconds: 300, extra_scopes: ScopeSet::default() }
}

struct Story {
    world: TestWorld,
    app: Arc<ClientApplication>,
    flow: Arc<Flow>,
    redirect: BTreeMap<String, String>,
}

impl Story {
    /// A flow whose page is open, and at which Ada has signed in.
    async fn begin() -> Self {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let (flow, _) = start(&world, &app, None).await.unwrap();
        let redirect = world.entra.sign_in(&visit_of(&flow).auth_uri, "ada");
        Self { world, app, flow, redirect }
    }

    /// The browser comes back.
    fn come_back(&self, redirect: BTreeMap<String, String>) -> JoinHandle<Option<Page>> {
        let redirects = Arc::clone(&self.world.redirects);
        tokio::spawn(async move { redirects.visit(PORT, redirect).await })
    }

    /// Somebody waits for the end of a flow.
    fn wait_for(&self, flow: &Arc<Flow>) -> JoinHandle<String> {
        let (world, flow) = (self.world.clone(), Arc::clone(flow));
        tokio::spawn(async move {
            let (user, patience) = (world.user().await, Duration::from_secs(60));
            tell_status(&world.engine.wait_for_flow(&user, &flow, patience).await)
        })
    }

    fn status(&self) -> String {
        tell_status(&self.flow.status(START))
    }
}

async fn start(
    world: &TestWorld,
    app: &Arc<ClientApplication>,
    port: Option<u16>,
) -> Result<(Arc<Flow>, bool), Error> {
    world.start(world.flow_request(app, kind(port), "a")).await
}

#[test]
fn the_page_says_signed_in_when_it_is_saved() {
    run(async {
        let story = Story::begin().await;
        assert_eq!(story.world.redirects.open_ports(), [PORT]);
        let visit = visit_of(&story.flow);
        assert_eq!(visit.redirect_uri.as_deref(), Some("http://localhost:49152"));
        assert!(visit.auth_uri.contains("response_mode=form_post"));
        story.world.store.gate.close();
        let browser = story.come_back(story.redirect.clone());
        settle().await;
        assert_eq!((story.status().as_str(), browser.is_finished()), (PENDING, false));
        story.world.store.gate.open();
        assert_eq!(browser.await.unwrap(), Some(Page::SignedIn));
        assert_eq!(story.status(), "issued at-1");
        assert_eq!(story.world.token(&story.app, "a").await, "cached at-1");
        assert!(story.world.redirects.open_ports().is_empty());
    });
}

#[test]
fn who_needs_the_same_sign_in_joins_it() {
    run(async {
        let story = Story::begin().await;
        let (joined, is_joined) = start(&story.world, &story.app, None).await.unwrap();
        assert!(is_joined && joined.id != story.flow.id);
        assert_eq!(visit_of(&joined).auth_uri, visit_of(&story.flow).auth_uri);
        let other = story.world.app("reader").await;
        assert!(!start(&story.world, &other, None).await.unwrap().1);
        assert_eq!(story.world.redirects.open_ports(), [PORT, PORT + 1]);
    });
}

#[test]
fn a_person_has_so_much_time() {
    run(async {
        let story = Story::begin().await;
        story.world.clock.advance(299).await;
        assert_eq!(story.world.redirects.open_ports(), [PORT]);
        story.world.clock.advance(1).await;
        assert_eq!(story.status(), "the sign-in was not finished in time");
        assert!(story.world.redirects.open_ports().is_empty());
        assert_eq!(story.come_back(story.redirect.clone()).await.unwrap(), None);
        assert!(!start(&story.world, &story.app, None).await.unwrap().1);
    });
}

#[test]
fn a_cancelled_flow_closes_its_port() {
    run(async {
        let story = Story::begin().await;
        story.world.engine.cancel_flow(&story.flow);
        settle().await;
        assert_eq!(story.status(), "the sign-in was cancelled");
        assert!(story.world.redirects.open_ports().is_empty());
    });
}

#[test]
fn who_cancels_leaves_the_sign_in_to_those_who_joined_it() {
    run(async {
        let story = Story::begin().await;
        let (engine, user) = (&story.world.engine, story.world.user().await);
        let (joined, _) = start(&story.world, &story.app, None).await.unwrap();
        let waiting = story.wait_for(&story.flow);
        settle().await;
        engine.cancel_flow(&story.flow);
        assert_eq!(waiting.await.unwrap(), "the sign-in was cancelled");
        // Once more is no second caller's.
        engine.cancel_flow(&story.flow);
        assert_eq!(story.status(), "the sign-in was cancelled");
        assert_eq!((tell_status(&joined.status(START)).as_str(), user.open_flows()), (PENDING, 1));
        let (late, is_joined) = start(&story.world, &story.app, None).await.unwrap();
        assert!(is_joined);
        let browser = story.come_back(story.redirect.clone());
        assert_eq!(browser.await.unwrap(), Some(Page::SignedIn));
        for flow in [&joined, &late] {
            assert_eq!(tell_status(&flow.status(START)), "issued at-1");
        }
        assert_eq!(story.status(), "the sign-in was cancelled");
    });
}

#[test]
fn the_last_one_to_cancel_ends_the_sign_in() {
    run(async {
        let story = Story::begin().await;
        let (joined, _) = start(&story.world, &story.app, None).await.unwrap();
        for (flow, open_ports) in [(&joined, &[PORT][..]), (&story.flow, &[])] {
            story.world.engine.cancel_flow(flow);
            settle().await;
            assert_eq!(tell_status(&flow.status(START)), "the sign-in was cancelled");
            assert_eq!(story.world.redirects.open_ports(), open_ports);
        }
        assert_eq!(story.world.user().await.open_flows(), 0);
        assert!(!start(&story.world, &story.app, None).await.unwrap().1);
    });
}

#[test]
fn a_redirect_of_another_sign_in_is_stale_and_changes_nothing() {
    run(async {
        let story = Story::begin().await;
        let without = |name: &str| {
            let mut redirect = story.redirect.clone();
            redirect.remove(name);
            redirect
        };
        let foreign = [("state".to_owned(), "evil".to_owned())].into_iter();
        for redirect in
            [without("state"), story.redirect.clone().into_iter().chain(foreign).collect()]
        {
            assert_eq!(story.come_back(redirect).await.unwrap(), Some(Page::Stale));
            assert_eq!(story.status(), PENDING);
        }
        let browser = story.come_back(story.redirect.clone());
        assert_eq!(browser.await.unwrap(), Some(Page::SignedIn));
    });
}

#[test]
fn the_page_says_why_a_sign_in_came_to_nothing() {
    for (name, value, expected) in [
        ("error", "access_denied", "provider answered access_denied"),
        ("code", "unknown", "provider answered invalid_grant"),
        ("iss", "https://evil.example", "redirect's iss is not the provider's issuer"),
    ] {
        run(async {
            let story = Story::begin().await;
            let mut redirect = story.redirect.clone();
            redirect.insert(name.to_owned(), value.to_owned());
            let page = story.come_back(redirect).await.unwrap();
            assert_eq!(page, Some(Page::Refused(expected.to_owned())));
            assert_eq!(story.status(), expected);
            settle().await;
            assert!(story.world.redirects.open_ports().is_empty());
            assert_eq!(story.world.user().await.counts().accounts, 0);
        });
    }
}

#[test]
fn a_full_disk_is_no_sign_in() {
    run(async {
        let story = Story::begin().await;
        story.world.store.fill_disk();
        let full = "store cannot be written: disk full";
        let browser = story.come_back(story.redirect.clone());
        assert_eq!(browser.await.unwrap(), Some(Page::Refused(full.to_owned())));
        assert_eq!(story.status(), full);
    });
}

#[test]
fn a_port_that_is_taken_is_said_to_be() {
    run(async {
        let story = Story::begin().await;
        let error = start(&story.world, &story.app, Some(PORT)).await.err().unwrap();
        assert_eq!(error.to_string(), "listen on loopback port 49152: address in use");
        assert!(!start(&story.world, &story.app, Some(5000)).await.unwrap().1);
        assert_eq!(story.world.redirects.open_ports(), [5000, PORT]);
    });
}

#[test]
fn a_form_is_posted_where_the_provider_says_that_it_can() {
    for (modes, expected) in
        [(json!(null), false), (json!(["query"]), false), (json!(["query", "form_post"]), true)]
    {
        run(async {
            let world = TestWorld::new();
            let metadata = json!({
                "issuer": "https://op.example",
                "authorization_endpoint": "https://op.example/authorize",
                "token_endpoint": "https://op.example/token",
                "response_modes_supported": modes,
            });
            world.http.script(On::discovery(), valetkey_testkit::http::json(200, &metadata));
            let app = world.op_app("editor").await;
            let (flow, _) = start(&world, &app, None).await.unwrap();
            assert_eq!(visit_of(&flow).auth_uri.contains("form_post"), expected);
        });
    }
}
