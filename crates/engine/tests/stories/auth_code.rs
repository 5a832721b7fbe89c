//! The authorization code flow: which redirects count, and what they leave behind.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use valetkey_engine::{
    Attendant, ClientApplication, Completion, Error, Flow, FlowKind, FlowRequest, Hints,
};
use valetkey_model::{ProcessId, ScopeSet};
use valetkey_testkit::http::On;
use valetkey_testkit::http::provider::Manners;
use valetkey_testkit::world::{START, TestWorld, auth_code, run, settle, tell_status, visit_of};

const CLOSED: &str = "this flow has ended already";
const TIMED_OUT: &str = "the sign-in was not finished in time";

fn code_grant() -> On {
    On::grant("authorization_code")
}

/// A flow of `editor` at the OpenID Connect provider, at which Ada has signed in.
struct Story {
    world: TestWorld,
    app: Arc<ClientApplication>,
    flow: Arc<Flow>,
    redirect: BTreeMap<String, String>,
}

impl Story {
    async fn begin(manners: impl FnOnce(&mut Manners), hints: Hints) -> Self {
        let world = TestWorld::new();
        world.op.change_manners(manners);
        let app = world.op_app("editor").await;
        let request = FlowRequest { hints, ..world.flow_request(&app, auth_code(), "a b") };
        let (flow, _) = world.start(request).await.unwrap();
        let redirect = world.op.sign_in(&visit_of(&flow).auth_uri, "ada");
        Self { world, app, flow, redirect }
    }

    async fn usual() -> Self {
        Self::begin(|_| {}, Hints::default()).await
    }

    /// Hands in the redirect with some parameters changed; an empty one is left out.
    async fn complete_with(&self, changes: &[(&str, &str)]) -> String {
        let mut redirect = self.redirect.clone();
        for (name, value) in changes {
            redirect.insert((*name).to_owned(), (*value).to_owned());
        }
        redirect.retain(|_, value| !value.is_empty());
        match self.world.complete(&self.flow, redirect).await {
            Ok(status) => tell_status(&status),
            Err(error) => error.to_string(),
        }
    }

    /// Where the flow stands for who asks.
    async fn look(&self) -> String {
        let (engine, user) = (&self.world.engine, self.world.user().await);
        tell_status(&engine.wait_for_flow(&user, &self.flow, Duration::ZERO).await)
    }

    async fn nothing_is_stored(&self) {
        let counts = self.world.user().await.counts();
        assert_eq!((counts.access_tokens, counts.refresh_tokens), (0, 0));
        assert_eq!((counts.id_tokens, counts.accounts), (0, 0));
    }
}

#[test]
fn a_redirect_signs_in_and_closes_the_flow() {
    run(async {
        let story = Story::usual().await;
        assert_eq!(story.complete_with(&[]).await, "issued at-1");
        assert_eq!(story.complete_with(&[]).await, CLOSED);
        assert_eq!(story.world.token(&story.app, "a").await, "cached at-1");
        let request = &story.world.http.requests(&code_grant())[0];
        assert_eq!(request.form_value("redirect_uri"), Some("http://localhost:8400"));
        assert_eq!(request.form_value("scope"), Some("a b offline_access openid profile"));
    });
}

#[test]
fn a_redirect_of_another_sign_in_leaves_the_flow_open() {
    run(async {
        let story = Story::usual().await;
        for (state, expected) in
            [("evil", "redirect's state is not that of the request"), ("", "redirect has no state")]
        {
            assert_eq!(story.complete_with(&[("state", state)]).await, expected);
        }
        assert_eq!(story.world.http.count(&code_grant()), 0);
        assert_eq!(story.complete_with(&[]).await, "issued at-1");
    });
}

#[test]
fn any_other_redirect_is_the_only_one() {
    for (changes, expected) in [
        (&[("error", "access_denied")][..], "provider answered access_denied"),
        (&[("code", "")], "redirect has neither a code nor an error"),
        (&[("iss", "https://evil.example")], "redirect's iss is not the provider's issuer"),
        (
            &[("iss", "https://evil.example"), ("error", "x")],
            "redirect's iss is not the provider's issuer",
        ),
        (&[("iss", "")], "redirect lacks iss, which the provider promises to send"),
    ] {
        run(async {
            let story = Story::begin(|it| it.sends_iss = true, Hints::default()).await;
            assert_eq!(story.complete_with(changes).await, expected);
            assert_eq!(tell_status(&story.flow.status(START)), expected);
            assert_eq!(story.complete_with(&[]).await, CLOSED);
            assert_eq!(story.world.http.count(&code_grant()), 0);
            story.nothing_is_stored().await;
        });
    }
}

#[test]
fn an_id_token_that_answers_something_else_leaves_no_trace() {
    let foreign = |name: &str| json!({ name: "evil" });
    for (members, expected) in [
        (foreign("nonce"), "id token's nonce is not that of the request"),
        (json!({"nonce": null}), "id token's nonce is not that of the request"),
        (foreign("iss"), "id token's iss is not the provider's issuer"),
        (foreign("aud"), "id token's aud or azp is not this client"),
        (foreign("azp"), "id token's aud or azp is not this client"),
        (json!({"sub": null}), "id token lacks a sub"),
    ] {
        run(async {
            let story = Story::begin(|it| it.id_token = members, Hints::default()).await;
            assert_eq!(story.complete_with(&[]).await, expected);
            story.nothing_is_stored().await;
        });
    }
}

#[test]
fn a_sign_in_must_be_as_recent_as_was_asked_for() {
    let start = START.seconds();
    for (auth_time, expected) in [
        (Some(start), "issued at-1"),
        (Some(start - 60 - 120), "issued at-1"),
        (Some(start - 60 - 121), "the sign-in is older than max_age allows"),
        (None, "id token lacks auth_time, although max_age was asked for"),
    ] {
        run(async {
            let hints = Hints { max_age: Some(60), ..Hints::default() };
            let story = Story::begin(|it| it.auth_time = auth_time, hints).await;
            assert!(visit_of(&story.flow).auth_uri.contains("max_age=60"));
            assert_eq!(story.complete_with(&[]).await, expected);
        });
    }
}

#[test]
fn the_code_can_be_redeemed_for_some_of_the_scopes_and_no_others() {
    for (scopes, expected, asked) in [
        ("a", "issued at-1", Some("a offline_access openid profile")),
        ("a c", "scopes: \"a c\" is no subset of the flow's scopes", None),
    ] {
        run(async {
            let story = Story::usual().await;
            let scopes = Some(ScopeSet::from_target(scopes));
            let parameters = story.redirect.clone();
            let completion = Completion { parameters, scopes, ..Completion::default() };
            let status = story.world.complete_with(&story.flow, completion).await.unwrap();
            assert_eq!(tell_status(&status), expected);
            let requests = story.world.http.requests(&code_grant());
            assert_eq!(requests.first().and_then(|it| it.form_value("scope")), asked);
        });
    }
}

#[test]
fn a_caller_that_hangs_up_wastes_no_code() {
    run(async {
        let story = Story::usual().await;
        let gate = story.world.http.hold(code_grant());
        let (world, flow) = (story.world.clone(), Arc::clone(&story.flow));
        let redirect = story.redirect.clone();
        let caller = tokio::spawn(async move { world.complete(&flow, redirect).await.is_ok() });
        settle().await;
        caller.abort();
        assert!(caller.await.is_err());
        gate.open();
        settle().await;
        assert_eq!(tell_status(&story.flow.status(START)), "issued at-1");
        assert_eq!(story.world.token(&story.app, "a").await, "cached at-1");
    });
}

#[test]
fn a_flow_waits_for_an_hour() {
    for (seconds, expected) in [(3599, "issued at-1"), (3600, CLOSED)] {
        run(async {
            let story = Story::usual().await;
            story.world.clock.advance(seconds).await;
            assert_eq!(story.complete_with(&[]).await, expected);
        });
    }
}

#[test]
fn a_flow_that_nobody_finished_says_so() {
    run(async {
        let story = Story::usual().await;
        story.world.clock.advance(3599).await;
        assert_eq!(story.look().await, "pending after 0");
        let (world, flow) = (story.world.clone(), Arc::clone(&story.flow));
        let waiting = tokio::spawn(async move {
            let (user, patience) = (world.user().await, Duration::from_secs(60));
            tell_status(&world.engine.wait_for_flow(&user, &flow, patience).await)
        });
        story.world.clock.advance(1).await;
        assert_eq!(waiting.await.unwrap(), TIMED_OUT);
        assert_eq!(story.look().await, TIMED_OUT);
        assert_eq!(story.world.user().await.open_flows(), 0);
    });
}

#[test]
fn a_flow_times_out_by_the_clock_and_not_by_a_timer() {
    run(async {
        let story = Story::usual().await;
        settle().await;
        // The computer slept: no timer went off.
        story.world.clock.set(START.plus_seconds(3600));
        assert_eq!(story.look().await, TIMED_OUT);
        assert_eq!(story.complete_with(&[]).await, CLOSED);
    });
}

#[test]
fn a_code_that_came_in_time_is_redeemed_beyond_it() {
    run(async {
        let story = Story::usual().await;
        let gate = story.world.http.hold(code_grant());
        story.world.clock.advance(3599).await;
        let (world, flow) = (story.world.clone(), Arc::clone(&story.flow));
        let redirect = story.redirect.clone();
        let caller = tokio::spawn(async move { world.complete(&flow, redirect).await.is_ok() });
        story.world.clock.advance(10).await;
        assert_eq!((gate.held(), story.look().await.as_str()), (1, "pending after 0"));
        gate.open();
        assert!(caller.await.unwrap());
        assert_eq!(story.look().await, "issued at-1");
    });
}

#[test]
fn two_web_sessions_never_share_a_flow() {
    run(async {
        let story = Story::usual().await;
        let state = || Some("of the application".to_owned());
        let kind =
            || FlowKind::AuthCode { redirect_uri: None, state: state(), response_mode: None };
        let start = || story.world.start(story.world.flow_request(&story.app, kind(), "a"));
        let (one, other) = (start().await.unwrap(), start().await.unwrap());
        assert!(!one.1 && !other.1 && one.0.id != other.0.id);
        assert_eq!(visit_of(&one.0).state, "of the application");
    });
}

/// As `TestWorld::start`, by a program of its own.
async fn start_by(
    world: &TestWorld,
    attendant: &Attendant,
    request: FlowRequest,
) -> Result<(Arc<Flow>, bool), Error> {
    let (user, authorized) = (world.user().await, world.authorize(request));
    world.engine.start_flow(&user, &authorized, attendant).await
}

#[test]
fn a_person_has_sixty_four_flows_open_at_most_and_an_application_sixteen() {
    run(async {
        let Story { world, app, flow, .. } = Story::usual().await;
        let start_at =
            |app: &Arc<ClientApplication>| world.start(world.flow_request(app, auth_code(), "a"));
        let start = || start_at(&app);
        for _ in 1..16 {
            start().await.unwrap();
        }
        let error = start().await.err().unwrap();
        assert_eq!(error.to_string(), "16 sign-in flows of this application are open already");
        let latecomer = world.app("latecomer").await;
        let error = start_at(&latecomer).await.err().unwrap();
        assert_eq!(error.to_string(), "16 sign-in flows of this program are open already");
        let programs: [Arc<()>; 4] = Default::default();
        for (name, program) in ["reader", "mailer", "player"].iter().zip(&programs) {
            let another = world.app(name).await;
            for _ in 0..16 {
                let request = world.flow_request(&another, auth_code(), "a");
                start_by(&world, &Attendant::new(None, program), request).await.unwrap();
            }
        }
        let greedy = Attendant::new(None, &programs[0]);
        let request = world.flow_request(&latecomer, auth_code(), "a");
        let error = start_by(&world, &greedy, request).await.err().unwrap();
        assert_eq!(error.to_string(), "64 sign-in flows are open already");
        let other = world.as_uid(1001);
        assert_eq!(other.sign_in(&other.app("editor").await, "bob", "a").await, "issued at-1");
        world.engine.cancel_flow(&flow);
        start().await.unwrap();
        // Flows that ended long ago are forgotten.
        world.clock.advance(3600 + 600).await;
        start().await.unwrap();
        assert_eq!(world.user().await.open_flows(), 1);
    });
}

#[test]
fn a_sign_in_that_nobody_attends_to_gives_way() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let (gone, here) = (Arc::new(()), Arc::new(()));
        let start = |number: u32, connection: &Arc<()>| {
            let process = Some(ProcessId { number, started: 0 });
            let attendant = Attendant::new(process, connection);
            let (world, request) = (&world, world.flow_request(&app, auth_code(), "a"));
            async move { start_by(world, &attendant, request).await }
        };
        let (first, _) = start(1, &gone).await.unwrap();
        let (second, _) = start(1, &gone).await.unwrap();
        for number in 2..16 {
            start(number, &here).await.unwrap();
        }
        assert!(start(2, &here).await.is_err(), "all of them are attended to");
        first.attend(Attendant::new(None, &here));
        drop(gone);
        start(2, &here).await.unwrap();
        assert!(first.status(START).is_pending(), "its program has another connection");
        assert_eq!(tell_status(&second.status(START)), "the sign-in was cancelled");
        assert!(start(2, &here).await.is_err());
    });
}

#[test]
fn of_too_many_sign_ins_the_oldest_of_the_program_that_has_most_gives_way() {
    run(async {
        let world = TestWorld::new();
        let here = Arc::new(());
        let start = async |number: u32, app: &str| {
            let process = Some(ProcessId { number, started: 0 });
            let app = world.app(app).await;
            let request = world.flow_request(&app, auth_code(), "a");
            start_by(&world, &Attendant::new(process, &here), request).await
        };
        let mut greedy = Vec::new();
        for number in 0..64 {
            let program = number / 16;
            greedy.push(start(program, &format!("app {program}")).await.unwrap().0);
        }
        start(7, "mail").await.unwrap();
        let given_way: Vec<_> =
            (0..64).filter(|number| !greedy[*number].status(START).is_pending()).collect();
        assert_eq!(given_way, [0]);
        start(7, "mail").await.unwrap();
        assert!(start(1, "app 1").await.is_err(), "who has most gets no more");
    });
}

#[test]
fn one_program_does_not_use_up_the_joins_of_all() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let connections: [Arc<()>; 2] = Default::default();
        let start = |connection: &Arc<()>| {
            let attendant = Attendant::new(None, connection);
            let (world, request) = (&world, world.flow_request(&app, FlowKind::DeviceCode, "a"));
            async move { start_by(world, &attendant, request).await }
        };
        for _ in 0..1024 {
            start(&connections[0]).await.unwrap();
        }
        let error = start(&connections[0]).await.err().unwrap();
        assert_eq!(error.to_string(), "1024 sign-in flows of this program are open already");
        let (flow, joined) = start(&connections[1]).await.unwrap();
        assert!(joined && flow.status(START).is_pending());
    });
}

#[test]
fn of_sign_ins_that_have_ended_only_the_last_are_remembered() {
    run(async {
        let Story { world, app, flow, .. } = Story::usual().await;
        world.engine.cancel_flow(&flow);
        let user = world.user().await;
        for _ in 0..64 {
            let (next, _) = world.start(world.flow_request(&app, auth_code(), "a")).await.unwrap();
            assert!(world.engine.find_flow(&user, &flow.id).is_ok());
            world.engine.cancel_flow(&next);
        }
        world.start(world.flow_request(&app, auth_code(), "a")).await.unwrap();
        assert!(world.engine.find_flow(&user, &flow.id).is_err());
    });
}

#[test]
fn what_no_provider_needs_to_be_asked_about_is_refused_here() {
    run(async {
        let world = TestWorld::new();
        let app = world.app("editor").await;
        let usual = |scopes| world.flow_request(&app, auth_code(), scopes);
        let claims =
            |text: Value| FlowRequest { claims_challenge: Some(text.to_string()), ..usual("a") };
        for (request, expected) in [
            (
                usual("a openid"),
                "scope \"openid\" is reserved: it is added to every request by itself",
            ),
            (claims(json!([])), "claims are no JSON object"),
        ] {
            let error = world.start(request).await.err().unwrap();
            assert_eq!(error.to_string(), expected);
        }
        assert_eq!(world.http.count(&code_grant()), 0);
    });
}
