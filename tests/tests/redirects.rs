//! Redirects that are forged, refused, repeated or meant for others: what the loopback listener and `complete` make of them.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;
use valetkey_testkit::entra::{
    Browser as Session, Effect, Endpoint, Fault, Options, Person, Redirect,
};
use valetkey_tests::{ALICE, BOB, Browser, Caller, Machine, World, patiently, redirect_port};

/// A sign-in that waits for its redirect, and the redirect that the provider would send.
struct Waiting {
    world: World,
    caller: Caller,
    flow: Value,
    redirect: Redirect,
}

impl Waiting {
    async fn start(kind: &str) -> Self {
        Self::with(kind, Options::default()).await
    }

    async fn with(kind: &str, options: Options) -> Self {
        let world = World::with(Machine::new(), options).await;
        let mut caller = world.caller().await;
        let mut request = json!({"kind": kind});
        if kind == "auth_code" {
            request["redirect_uri"] = json!("http://localhost:4711/callback");
        }
        let flow = caller.start_flow(request).await.success();
        let url = flow["auth_uri"].as_str().unwrap();
        let redirect = world.control().authorize(url, ALICE, Person::Agrees, &Session::default());
        Self { world, caller, flow, redirect: redirect.unwrap() }
    }

    /// Brings a redirect with these parameters: the status of the page or of the answer, and what it says.
    async fn bring(&mut self, redirect: &Redirect) -> (u16, String) {
        let answer = if self.flow["kind"] == "interactive" {
            Browser::of(redirect).follow(redirect).await.unwrap()
        } else {
            self.caller.complete(&self.flow, &redirect.params).await
        };
        (answer.status, String::from_utf8(answer.body).unwrap())
    }

    async fn ended(&mut self) -> Value {
        self.caller.wait_for(&self.flow, 30).await
    }

    async fn check_still_waiting(&mut self, name: &str) {
        assert_eq!(self.caller.wait_for(&self.flow, 0).await["state"], "pending", "{name}");
    }

    /// The flow's own redirect still brings the sign-in.
    async fn check_own_redirect_completes(mut self) {
        let redirect = self.redirect.clone();
        let (status, said) = self.bring(&redirect).await;
        assert_eq!(status, 200, "{said}");
        assert_eq!(self.ended().await["state"], "completed");
        assert_eq!(self.caller.usernames().await, [ALICE]);
    }

    async fn check_failed(mut self, error: &str) {
        let ended = self.ended().await;
        assert_eq!((&ended["state"], &ended["error"]["error"]), (&json!("failed"), &json!(error)));
        assert_eq!(self.caller.usernames().await, [""; 0], "{error}");
        assert!(!self.world.control().counters().contains_key("authorization_code"), "{error}");
    }
}

/// The redirect with parameters set, or left out where there is no value.
fn changed(redirect: &Redirect, changes: &[(&str, Option<&str>)]) -> Redirect {
    let mut redirect = redirect.clone();
    for (name, value) in changes {
        redirect.params.retain(|(known, _)| known != name);
        redirect.params.extend(value.map(|value| ((*name).to_owned(), value.to_owned())));
    }
    redirect
}

#[tokio::test]
async fn a_redirect_of_another_sign_in_changes_nothing() {
    for (kind, refused) in [("interactive", 410), ("auth_code", 400)] {
        let mut waiting = Waiting::start(kind).await;
        for (name, changes) in [
            ("another state", vec![("state", Some("forged"))]),
            ("an empty state", vec![("state", Some(""))]),
            ("no state", vec![("state", None)]),
            (
                "another state and an error",
                vec![("state", Some("forged")), ("code", None), ("error", Some("access_denied"))],
            ),
        ] {
            let forged = changed(&waiting.redirect, &changes);
            let (status, said) = waiting.bring(&forged).await;
            assert_eq!(status, refused, "{kind}, {name}: {said}");
            if kind == "auth_code" {
                assert!(said.contains("state_mismatch") && said.contains("hint"), "{said}");
            }
            waiting.check_still_waiting(name).await;
        }
        waiting.check_own_redirect_completes().await;
    }
}

#[tokio::test]
async fn a_refusal_ends_the_flow_in_the_providers_words() {
    for (kind, status) in [("interactive", 400), ("auth_code", 409)] {
        for error in ["access_denied", "server_error", "consent_required"] {
            let mut waiting = Waiting::start(kind).await;
            let changes = [
                ("code", None),
                ("error", Some(error)),
                ("error_description", Some("AADSTS65004: <script>alert(1)</script>")),
            ];
            let refusal = changed(&waiting.redirect, &changes);
            let (answered, said) = waiting.bring(&refusal).await;
            assert_eq!(answered, status, "{kind}, {error}: {said}");
            if kind == "interactive" {
                assert!(!said.contains("<script>"), "{said}");
            } else {
                assert!(said.contains(error) && said.contains("AADSTS65004"), "{said}");
            }
            waiting.check_failed(error).await;
        }
    }
}

/// RFC 9207: another provider's answer, or none where the provider promised it.
#[tokio::test]
async fn a_foreign_issuer_ends_the_flow_before_the_code_is_sent_anywhere() {
    for (kind, status) in [("interactive", 400), ("auth_code", 400)] {
        for issuer in [Some("https://evil.example"), None] {
            let mut options = Options::default();
            options.settings.authorization_response_iss = true;
            let mut waiting = Waiting::with(kind, options).await;
            assert!(waiting.redirect.param("iss").is_some());
            let forged = changed(&waiting.redirect, &[("iss", issuer)]);
            let (answered, said) = waiting.bring(&forged).await;
            assert_eq!(answered, status, "{kind}, {issuer:?}: {said}");
            waiting.check_failed("issuer_mismatch").await;
        }
        let mut options = Options::default();
        options.settings.authorization_response_iss = true;
        Waiting::with(kind, options).await.check_own_redirect_completes().await;
    }
}

#[tokio::test]
async fn a_redirect_without_code_and_error_is_none() {
    let mut waiting = Waiting::start("auth_code").await;
    let empty = changed(&waiting.redirect, &[("code", None)]);
    let (status, said) = waiting.bring(&empty).await;
    assert_eq!(status, 400, "{said}");
    assert!(said.contains("neither a code nor an error"), "{said}");
}

#[tokio::test]
async fn a_redirect_counts_once() {
    let mut waiting = Waiting::start("auth_code").await;
    let redirect = waiting.redirect.clone();
    assert_eq!(waiting.bring(&redirect).await.0, 200);
    let again = waiting.caller.complete(&waiting.flow, &redirect.params).await;
    assert_eq!(again.refusal(), (409, "flow_closed".to_owned()));
    assert_eq!(waiting.ended().await["state"], "completed");
    assert_eq!(waiting.world.control().counters()["authorization_code"].answered, 1);
}

#[tokio::test]
async fn of_two_that_come_at_once_one_is_redeemed() {
    let mut waiting = Waiting::start("auth_code").await;
    let gate = Fault::new(Endpoint::Token, Effect::Pass).behind_gate("redeem");
    waiting.world.control().add_fault(gate);
    let (flow, parameters) = (waiting.flow.clone(), waiting.redirect.params.clone());
    let mut first = waiting.world.caller().await;
    let first = tokio::spawn(async move { first.complete(&flow, &parameters).await.success() });
    patiently("the redemption", waiting.world.control().wait_at_gate("redeem", 1)).await;
    let second = waiting.caller.complete(&waiting.flow, &waiting.redirect.params).await;
    assert_eq!(second.refusal(), (409, "flow_closed".to_owned()));
    waiting.world.control().open_gate("redeem");
    assert_eq!(first.await.unwrap()["state"], "completed");
}

#[tokio::test]
async fn of_two_browsers_that_come_back_one_is_told_that_it_is_over() {
    let mut waiting = Waiting::start("interactive").await;
    let gate = Fault::new(Endpoint::Token, Effect::Pass).behind_gate("redeem");
    waiting.world.control().add_fault(gate);
    let browser = Browser::of(&waiting.redirect);
    let come_back = || {
        let redirect = waiting.redirect.clone();
        tokio::spawn(async move { browser.follow(&redirect).await })
    };
    let first = come_back();
    patiently("the redemption", waiting.world.control().wait_at_gate("redeem", 1)).await;
    let second = come_back();
    waiting.world.control().open_gate("redeem");
    assert_eq!(first.await.unwrap().unwrap().status, 200);
    // The second may find the port closed already.
    let second = second.await.unwrap();
    assert!(second.as_ref().map_or(true, |page| page.status == 410), "{second:?}");
    assert_eq!(waiting.ended().await["state"], "completed");
    assert_eq!(waiting.world.control().counters()["authorization_code"].answered, 1);
}

#[tokio::test]
async fn a_code_that_the_provider_does_not_know_is_refused_in_its_words() {
    for (kind, status) in [("interactive", 400), ("auth_code", 200)] {
        let mut waiting = Waiting::start(kind).await;
        let forged = changed(&waiting.redirect, &[("code", Some("0.AAAA"))]);
        assert_eq!(waiting.bring(&forged).await.0, status);
        let ended = waiting.ended().await;
        assert_eq!(ended["error"]["error"], "invalid_grant", "{ended}");
        assert_eq!(waiting.caller.usernames().await, [""; 0]);
    }
}

/// An ID token of another sign-in, which an attacker could have put into the answer.
#[tokio::test]
async fn another_sign_ins_id_token_leaves_no_trace() {
    for kind in ["interactive", "auth_code"] {
        let mut waiting = Waiting::start(kind).await;
        let foreign = {
            let mut other = waiting.world.caller().await;
            let scopes = ["https://graph.contoso.com/Files.Read"];
            let request = json!({"kind": "interactive", "scopes": scopes});
            let flow = other.start_flow(request).await.success();
            let url = flow["auth_uri"].as_str().unwrap();
            let session = Session::default();
            let redirect = waiting.world.control().authorize(url, BOB, Person::Agrees, &session);
            let redirect = redirect.unwrap();
            Browser::of(&redirect).follow(&redirect).await.unwrap();
            other.wait_for(&flow, 30).await["result"]["id_token"].clone()
        };
        let set = [("id_token".to_owned(), foreign)].into_iter().collect();
        let swap = Effect::EditAnswer { remove: Vec::new(), set };
        waiting.world.control().add_fault(Fault::new(Endpoint::Token, swap));
        let redirect = waiting.redirect.clone();
        waiting.bring(&redirect).await;
        let ended = waiting.ended().await;
        assert_eq!(ended["error"]["error"], "nonce_mismatch", "{ended}");
        assert_eq!(waiting.caller.usernames().await, [BOB]);
    }
}

/// What else may come to the loopback port, from pages and programs that know it.
#[tokio::test]
async fn the_listener_takes_nothing_but_a_redirect() {
    let waiting = Waiting::start("interactive").await;
    let browser = Browser::of(&waiting.redirect);
    let own = format!("Host: localhost:{}", browser.port);
    let state = waiting.redirect.param("state").unwrap();
    let forged = format!("code=forged&state={state}");
    let form = "Content-Type: application/x-www-form-urlencoded";
    let big = "x".repeat(100_000);
    let cases = [
        (format!("GET /?{forged} HTTP/1.1\r\nHost: evil.example:{}", browser.port), 421),
        (format!("GET /?{forged} HTTP/1.1\r\nHost: localhost"), 421),
        (format!("GET /?{forged} HTTP/1.1\r\n{own}\r\n{own}"), 421),
        (format!("GET /favicon.ico HTTP/1.1\r\n{own}"), 404),
        (format!("GET /other?{forged} HTTP/1.1\r\n{own}"), 404),
        (format!("GET / HTTP/1.1\r\n{own}"), 404),
        (format!("GET /?state={state} HTTP/1.1\r\n{own}"), 404),
        (format!("GET /?{forged}&code=twice HTTP/1.1\r\n{own}"), 400),
        (format!("PUT /?{forged} HTTP/1.1\r\n{own}\r\nContent-Length: 0"), 405),
        (format!("HEAD /?{forged} HTTP/1.1\r\n{own}"), 405),
        (format!("OPTIONS / HTTP/1.1\r\n{own}"), 405),
        (format!("POST / HTTP/1.1\r\n{own}\r\nContent-Type: text/plain\r\nContent-Length: 0"), 415),
        (format!("POST / HTTP/1.1\r\n{own}\r\n{form}\r\nContent-Length: 0"), 404),
        (format!("POST / HTTP/1.1\r\n{own}\r\n{form}\r\nContent-Length: 100000\r\n\r\n{big}"), 413),
    ];
    let mut waiting = waiting;
    for (request, status) in cases {
        let line = request.lines().next().unwrap().to_owned();
        // The body of the last one ends it; the others have none.
        let end = if request.ends_with(&big) { "" } else { "\r\n\r\n" };
        let answered = answer_status(browser, &format!("{request}{end}")).await;
        assert_eq!(answered, status, "{line}");
        waiting.check_still_waiting(&line).await;
    }
    waiting.check_own_redirect_completes().await;
}

/// The status alone: the answer to a `HEAD` announces a body that does not come.
async fn answer_status(browser: Browser, request: &str) -> u16 {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, browser.port)).await.unwrap();
    let mut connection = valetkey_tests::Connection::over(stream);
    connection.send(request.as_bytes()).await.unwrap();
    let said = patiently("an answer", connection.read_to_end()).await.unwrap();
    String::from_utf8_lossy(&said)[9..12].parse().unwrap()
}

/// A browser that does not speak `form_post` comes with a query; both addresses of `localhost` are the daemon's.
#[tokio::test]
async fn a_redirect_may_come_as_a_query_or_a_form() {
    for by_form in [false, true] {
        let mut waiting = Waiting::start("interactive").await;
        let browser = Browser::of(&waiting.redirect);
        let parameters = waiting.redirect.form_body();
        let page =
            if by_form { browser.post(&parameters).await } else { browser.get(&parameters).await };
        let page = page.unwrap();
        assert_eq!(page.status, 200, "{page:?}");
        assert_eq!(page.header("cache-control"), Some("no-store"), "{page:?}");
        assert_eq!(page.header("referrer-policy"), Some("no-referrer"), "{page:?}");
        assert_eq!(waiting.ended().await["state"], "completed");
    }
}

#[tokio::test]
async fn the_port_is_open_for_one_flow_only() {
    for end in ["completed", "cancelled", "timed out"] {
        let world = World::start().await;
        let mut caller = world.caller().await;
        let seconds = if end == "timed out" { 1 } else { 60 };
        let request = json!({"kind": "interactive", "timeout": seconds});
        let flow = caller.start_flow(request).await.success();
        let port = redirect_port(flow["redirect_uri"].as_str().unwrap());
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok());
        match end {
            "completed" => {
                let url = flow["auth_uri"].as_str().unwrap();
                let session = Session::default();
                let redirect = world.control().authorize(url, ALICE, Person::Agrees, &session);
                Browser { port }.follow(&redirect.unwrap()).await.unwrap();
            }
            "cancelled" => {
                let path = format!("/v1/flows/{}", flow["flow"].as_str().unwrap());
                caller.connection.delete(&path).await;
            }
            _ => {}
        }
        let ended = caller.wait_for(&flow, 30).await;
        let expected = match end {
            "completed" => Value::Null,
            "cancelled" => json!("flow_cancelled"),
            _ => json!("flow_timed_out"),
        };
        assert_eq!(ended["error"]["error"], expected, "{end}: {ended}");
        patiently("the port's end", async {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                // sleep: the port closes a moment after the flow, which nothing else tells.
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    let taken = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = caller.start_flow(json!({"kind": "interactive", "port": port})).await;
    assert_eq!(refused.refusal(), (400, "bad_request".to_owned()));
    assert!(refused.json()["error_description"].as_str().unwrap().contains(&port.to_string()));
    drop(taken);
    let flow = caller.start_flow(json!({"kind": "interactive", "port": port})).await.success();
    assert_eq!(redirect_port(flow["redirect_uri"].as_str().unwrap()), port);
}
