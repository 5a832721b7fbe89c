//! Applications with something of their own: the daemon knows them by connection.

use std::collections::HashSet;

use crate::support::{Daemon, Reply, Request};
use serde_json::json;
use valetkey_client::v1::{
    ClientCredential, ClientKind, FlowKind, Grant, OpenAppRequest, SecretText, StartFlowRequest,
    TokenRequest,
};
use valetkey_client::{AssertionNeeded, Client, blocking};

/// A daemon that answers about an application over those connections alone that have opened it, and hangs up after each
/// token.
fn daemon(kind: &'static str) -> Daemon {
    let mut opened = HashSet::new();
    Daemon::start(move |request| match (request.method.as_str(), request.target.as_str()) {
        ("POST", "/v1/apps") => {
            opened.insert(request.connection);
            let app = json!({"app": "app-1", "kind": kind, "client_id": "c", "authority": "a"});
            Reply::json(200, &app)
        }
        _ if kind == "confidential" && !opened.contains(&request.connection) => {
            Reply::json(404, &error("unknown_app"))
        }
        ("POST", "/v1/apps/app-1/flows") => {
            Reply { hangs_up: true, ..Reply::json(200, &flow("pending")) }
        }
        ("GET", _) => Reply::json(200, &flow("completed")),
        _ => answer_token(request),
    })
}

fn answer_token(request: &Request) -> Reply {
    let given = request.body.as_ref().map(|body| body["client_assertion"].clone());
    let is_asked = given == Some(json!("c|t|")) || given == Some(json!(null));
    assert!(is_asked, "{given:?}");
    Reply { hangs_up: true, ..Reply::json(200, &token()) }
}

fn token() -> serde_json::Value {
    json!({"access_token": "at", "token_type": "Bearer", "expires_in": 1, "token_source": "cache"})
}

fn flow(state: &str) -> serde_json::Value {
    json!({
        "flow": "flow-1", "kind": "auth_code", "state": state, "joined": false, "expires_at": 1,
        "correlation_id": "7", "result": (state == "completed").then(token),
    })
}

fn error(code: &str) -> serde_json::Value {
    json!({"error": code, "error_description": code, "correlation_id": "7"})
}

fn definition(kind: ClientKind) -> OpenAppRequest {
    let secret = ClientCredential::Secret { secret: SecretText("s".into()) };
    let credential = (kind == ClientKind::Confidential).then_some(secret);
    OpenAppRequest { kind, client_id: Some("c".into()), credential, ..OpenAppRequest::default() }
}

fn request() -> TokenRequest {
    TokenRequest { grant: Grant::ClientCredentials, ..TokenRequest::default() }
}

fn run<T>(future: impl Future<Output = T> + Send) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Which connection was asked for what.
fn asked(daemon: &Daemon) -> Vec<(usize, String)> {
    let requests = daemon.requests().into_iter();
    requests.map(|it| (it.connection, it.target.replace("/v1/apps", ""))).collect()
}

fn check(kind: ClientKind, name: &'static str, expected: &[(usize, &str)]) {
    for is_async in [true, false] {
        let daemon = daemon(name);
        let endpoint = daemon.endpoint.clone();
        if is_async {
            run(async {
                let app = Client::at(endpoint).open_app(definition(kind)).await.unwrap();
                for _ in 0..2 {
                    app.acquire_token(&request()).await.unwrap();
                }
            });
        } else {
            let app = blocking::Client::at(endpoint).open_app(definition(kind)).unwrap();
            for _ in 0..2 {
                app.acquire_token(&request()).unwrap();
            }
        }
        let asked = asked(&daemon);
        let asked: Vec<_> = asked.iter().map(|(number, path)| (*number, path.as_str())).collect();
        assert_eq!(asked, expected, "async: {is_async}");
    }
}

#[test]
fn one_with_a_credential_is_opened_over_each_connection() {
    let token = "/app-1/token";
    check(ClientKind::Confidential, "confidential", &[(1, ""), (1, token), (2, ""), (2, token)]);
}

#[test]
fn one_without_is_opened_once() {
    let token = "/app-1/token";
    check(ClientKind::Public, "public", &[(1, ""), (1, token), (2, token)]);
}

#[test]
fn one_that_the_configuration_declares_is_what_the_daemon_says_it_is() {
    let daemon = daemon("confidential");
    let app = blocking::Client::at(daemon.endpoint.clone()).open_named_app("reports").unwrap();
    for _ in 0..2 {
        app.acquire_token(&request()).unwrap();
    }
    assert_eq!(asked(&daemon).len(), 4, "{:?}", asked(&daemon));
}

#[test]
fn its_flow_is_found_over_another_connection() {
    for is_async in [true, false] {
        let daemon = daemon("confidential");
        let endpoint = daemon.endpoint.clone();
        let start = StartFlowRequest::new(FlowKind::AuthCode, Vec::new());
        let definition = definition(ClientKind::Confidential);
        if is_async {
            run(async {
                let client = Client::at(endpoint);
                let app = client.open_app(definition).await.unwrap();
                let flow = app.start_flow(&start).await.unwrap();
                client.finish_flow(flow).await.unwrap();
            });
        } else {
            let client = blocking::Client::at(endpoint);
            let app = client.open_app(definition).unwrap();
            let flow = app.start_flow(&start).unwrap();
            client.finish_flow(flow).unwrap();
        }
        let asked = asked(&daemon);
        assert_eq!(asked[2], (2, String::new()), "{asked:?}");
        assert!(asked[3].1.starts_with("/v1/flows/flow-1?wait="), "{asked:?}");
    }
}

#[test]
fn a_program_makes_the_assertions_that_it_is_asked_for() {
    let make = |asked: &AssertionNeeded| format!("{}|{}|", asked.client_id, asked.token_endpoint);
    for is_async in [true, false] {
        let daemon = Daemon::start(|request| match &request.body {
            Some(body) if request.target == "/v1/apps" => {
                assert_eq!(body["credential"], json!({"type": "assertion_callback"}));
                Reply::json(
                    200,
                    &json!({"app": "app-1", "kind": "confidential", "client_id": "c", "authority": "a"}),
                )
            }
            Some(body) if body["client_assertion"].is_null() => {
                let mut asked = error("client_assertion_needed");
                asked["client_id"] = "c".into();
                asked["token_endpoint"] = "t".into();
                Reply::json(409, &asked)
            }
            _ => answer_token(request),
        });
        let endpoint = daemon.endpoint.clone();
        let credential = Some(ClientCredential::AssertionCallback);
        let definition = OpenAppRequest { credential, ..definition(ClientKind::Confidential) };
        let token = if is_async {
            run(async {
                let client = Client::at(endpoint);
                let app = client.open_app_with_assertions(definition, make).await.unwrap();
                app.acquire_token(&request()).await
            })
        } else {
            let client = blocking::Client::at(endpoint);
            client.open_app_with_assertions(definition, make).unwrap().acquire_token(&request())
        };
        assert_eq!(token.unwrap().access_token, "at");
    }
}
