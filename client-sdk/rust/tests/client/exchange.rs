//! Both clients against a daemon that behaves, and against one that does not.
use crate::support::{Daemon, Reply, Request, new_endpoint};
use serde_json::{Value, json};
use valetkey_client::v1::{Apps, OpenAppRequest, TokenRequest, TokenResponse};
use valetkey_client::{Client, Endpoint, Error, NoDaemon, ProtocolError, blocking};

#[derive(Clone, Copy, Debug)]
enum Flavour {
    Async,
    Blocking,
}

const FLAVOURS: [Flavour; 2] = [Flavour::Async, Flavour::Blocking];

/// Opens an application and asks for a token so many times.
fn acquire(
    flavour: Flavour,
    endpoint: &Endpoint,
    times: usize,
) -> Vec<Result<TokenResponse, Error>> {
    let request = TokenRequest { scopes: vec!["User.Read".into()], ..TokenRequest::default() };
    match flavour {
        Flavour::Async => run(async {
            let app = Client::at(endpoint.clone()).open_app(definition()).await.unwrap();
            let mut results = Vec::new();
            for _ in 0..times {
                results.push(app.acquire_token_silent(&request).await);
            }
            results
        }),
        Flavour::Blocking => {
            let app = blocking::Client::at(endpoint.clone()).open_app(definition()).unwrap();
            (0..times).map(|_| app.acquire_token_silent(&request)).collect()
        }
    }
}

fn list_apps(flavour: Flavour, endpoint: &Endpoint) -> Result<Apps, Error> {
    let apps = match flavour {
        Flavour::Async => run(Client::at(endpoint.clone()).apps()),
        Flavour::Blocking => blocking::Client::at(endpoint.clone()).apps(),
    };
    Ok(Apps { apps: apps? })
}

fn lock(flavour: Flavour, endpoint: &Endpoint) -> Result<(), Error> {
    match flavour {
        Flavour::Async => run(Client::at(endpoint.clone()).lock()),
        Flavour::Blocking => blocking::Client::at(endpoint.clone()).lock(),
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn definition() -> OpenAppRequest {
    OpenAppRequest { client_id: Some("c".into()), ..OpenAppRequest::default() }
}

fn app() -> Value {
    json!({"app": "a-1", "kind": "public", "client_id": "c", "authority": "https://x/t", "newer": 1})
}

fn token(text: &str) -> Value {
    json!({"access_token": text, "token_type": "Bearer", "expires_in": 60, "token_source": "cache"})
}

fn error(code: &str) -> Value {
    json!({"error": code, "error_description": "said so", "correlation_id": "7", "retry_after": 3})
}

/// A daemon that opens applications and answers the n-th other request as told.
fn daemon(mut answer: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Daemon {
    let mut asked = 0;
    Daemon::start(move |request| {
        if request.target == "/v1/apps" && request.method == "POST" {
            return Reply::json(200, &app());
        }
        asked += 1;
        answer(asked, request)
    })
}

#[test]
fn all_calls_go_over_one_connection() {
    for flavour in FLAVOURS {
        let daemon = daemon(|_, _| Reply::json(200, &token("at")));
        for result in acquire(flavour, &daemon.endpoint, 3) {
            assert_eq!(result.unwrap().access_token, "at");
        }
        let connections: Vec<_> = daemon.requests().iter().map(|r| r.connection).collect();
        assert_eq!(connections, [1, 1, 1, 1], "{flavour:?}");
    }
}

#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced_once() {
    for flavour in FLAVOURS {
        let daemon = daemon(|asked, _| match asked {
            1 => Reply::raw(""),
            _ => Reply::json(200, &token("at")),
        });
        let results = acquire(flavour, &daemon.endpoint, 2);
        assert!(results.iter().all(Result::is_ok), "{results:?}");
        let connections: Vec<_> = daemon.requests().iter().map(|r| r.connection).collect();
        assert_eq!(connections, [1, 1, 2, 2], "{flavour:?}");
    }
}

#[test]
fn a_daemon_that_always_hangs_up_is_not_asked_for_ever() {
    for flavour in FLAVOURS {
        let daemon = daemon(|_, _| Reply::raw(""));
        let results = acquire(flavour, &daemon.endpoint, 1);
        assert!(
            matches!(results[..], [Err(Error::Protocol(ProtocolError::HungUp))]),
            "{flavour:?}: {results:?}"
        );
        let connections: Vec<_> = daemon.requests().iter().map(|r| r.connection).collect();
        assert_eq!(connections, [1, 1, 2, 3], "{flavour:?}");
    }
}

#[test]
fn what_may_be_repeated_survives_a_daemon_that_is_just_ending() {
    for flavour in FLAVOURS {
        let daemon = daemon(|asked, _| match asked {
            1 => Reply::raw(""),
            _ => Reply::json(200, &json!({"apps": [app()]})),
        });
        assert_eq!(list_apps(flavour, &daemon.endpoint).unwrap().apps.len(), 1);
        let connections: Vec<_> = daemon.requests().iter().map(|r| r.connection).collect();
        assert_eq!(connections, [1, 2], "{flavour:?}");
    }
}

#[test]
fn what_may_have_begun_something_is_not_repeated() {
    for flavour in FLAVOURS {
        let daemon = daemon(|_, _| Reply::raw(""));
        let error = lock(flavour, &daemon.endpoint).unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::HungUp)), "{flavour:?}: {error}");
        assert_eq!(daemon.requests().len(), 1, "{flavour:?}");
    }
}

#[test]
fn a_connection_that_the_daemon_wants_closed_is_not_used_again() {
    for flavour in FLAVOURS {
        let daemon = daemon(|_, _| {
            let body = token("at").to_string();
            let length = body.len();
            let head =
                format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
            Reply { bytes: (head + &body).into_bytes(), hangs_up: false }
        });
        assert!(acquire(flavour, &daemon.endpoint, 2).iter().all(Result::is_ok));
        let connections: Vec<_> = daemon.requests().iter().map(|r| r.connection).collect();
        assert_eq!(connections, [1, 1, 2], "{flavour:?}");
    }
}

#[test]
fn an_application_that_a_new_daemon_forgot_is_opened_again() {
    for flavour in FLAVOURS {
        let daemon = daemon(|asked, _| match asked {
            1 => Reply::json(404, &error("unknown_app")),
            _ => Reply::json(200, &token("at")),
        });
        let results = acquire(flavour, &daemon.endpoint, 1);
        assert_eq!(results[0].as_ref().unwrap().access_token, "at");
        let targets: Vec<_> = daemon.requests().into_iter().map(|r| r.target).collect();
        let (open, acquire) = ("/v1/apps", "/v1/apps/a-1/token");
        assert_eq!(targets, [open, acquire, open, acquire], "{flavour:?}");
    }
}

#[test]
fn an_application_that_stays_unknown_is_an_error() {
    for flavour in FLAVOURS {
        let daemon = daemon(|_, _| Reply::json(404, &error("unknown_app")));
        let results = acquire(flavour, &daemon.endpoint, 1);
        assert_eq!(results[0].as_ref().unwrap_err().code(), Some("unknown_app"));
        assert_eq!(daemon.requests().len(), 4, "{flavour:?}");
    }
}

#[test]
fn errors_tell_what_an_application_can_do() {
    for (status, code, needs_sign_in) in [
        (409, "sign_in_needed", true),
        (400, "invalid_grant", true),
        (409, "interaction_required", true),
        (409, "account_ambiguous", false),
        (403, "access_denied", false),
        (429, "throttled", false),
    ] {
        for flavour in FLAVOURS {
            let daemon = daemon(move |_, _| Reply::json(status, &error(code)));
            let error = acquire(flavour, &daemon.endpoint, 1).remove(0).unwrap_err();
            assert_eq!(error.code(), Some(code));
            assert_eq!(error.is_sign_in_needed(), needs_sign_in, "{code}");
            assert_eq!(error.retry_after().map(|wait| wait.as_secs()), Some(3));
            assert_eq!(error.to_string(), format!("said so ({code})"));
            assert!(matches!(error, Error::Refused(refusal) if refusal.status == status));
        }
    }
}

#[test]
fn answers_that_break_the_protocol_are_typed_errors() {
    let head = "HTTP/1.1 200 OK\r\ncontent-length: ";
    for (answer, expected) in [
        (format!("{head}99\r\n\r\n{{\"apps\":"), ProtocolError::BrokeOff),
        ("HTTP/1.1 200 OK\r\ncont".to_owned(), ProtocolError::BrokeOff),
        (format!("{head}2\r\n\r\n{{}}{{}}"), ProtocolError::Surplus),
        ("HTTP/1.1 200 OK\r\n\r\n{}".to_owned(), ProtocolError::NoLength),
        ("220 mail.example ESMTP\r\n".to_owned(), ProtocolError::NotHttp),
        (format!("{head}9999999999\r\n\r\n"), ProtocolError::TooLarge),
        (
            format!("{head}13\r\n\r\n{{\"apps\":\"no\"}}"),
            ProtocolError::NotUnderstood { status: 200, column: 12 },
        ),
        (
            "HTTP/1.1 500 X\r\ncontent-length: 4\r\n\r\noops".to_owned(),
            ProtocolError::NotUnderstood { status: 500, column: 1 },
        ),
    ] {
        for flavour in FLAVOURS {
            let reply = Reply::raw(&answer);
            let daemon = Daemon::start(move |_| reply.clone());
            match list_apps(flavour, &daemon.endpoint) {
                Err(Error::Protocol(error)) => assert_eq!(error, expected, "{flavour:?}: {answer}"),
                other => panic!("{flavour:?}: {answer}: {other:?}"),
            }
        }
    }
}

#[test]
fn where_nobody_listens_the_error_says_what_to_run() {
    let (endpoint, _folder) = new_endpoint();
    for flavour in FLAVOURS {
        let error = list_apps(flavour, &endpoint).unwrap_err();
        assert_eq!(error.hint(), Some("run `valetkeyd`"));
        assert!(matches!(error, Error::NoDaemon { reason: NoDaemon::Unreachable(_), .. }));
    }
}

#[test]
fn a_call_that_is_dropped_takes_its_connection_along() {
    let daemon = daemon(|asked, _| match asked {
        1 => Reply { bytes: Vec::new(), hangs_up: false },
        _ => Reply::json(200, &token("at")),
    });
    run(async {
        let app = Client::at(daemon.endpoint.clone()).open_app(definition()).await.unwrap();
        let request = TokenRequest::default();
        tokio::select! {
            biased;
            result = app.acquire_token_silent(&request) => panic!("{result:?}"),
            () = async { while daemon.requests().len() < 2 { tokio::task::yield_now().await } } => {}
        }
        assert_eq!(app.acquire_token_silent(&request).await.unwrap().access_token, "at");
    });
    let connections: Vec<_> = daemon.requests().iter().map(|r| r.connection).collect();
    assert_eq!(connections, [1, 1, 2]);
}

#[test]
fn events_are_streamed_until_the_daemon_ends_them() {
    let event = "event: signed_in\ndata: {\"event\":\"signed_in\",\"at\":5}\n\n";
    let bytes = format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n:\n\n\r\n{:x}\r\n{event}\r\n0\r\n\r\n",
        event.len()
    );
    let reply = Reply::raw(&bytes);
    let daemon = Daemon::start(move |_| reply.clone());
    let times = run(async {
        let mut events = Client::at(daemon.endpoint.clone()).events().await.unwrap();
        let mut times = Vec::new();
        while let Some(event) = events.next().await.unwrap() {
            times.push(event.at);
        }
        times
    });
    let events = blocking::Client::at(daemon.endpoint.clone()).events().unwrap();
    let blocking: Vec<_> = events.map(|event| event.unwrap().at).collect();
    assert_eq!((times, blocking), (vec![5], vec![5]));
}

#[test]
fn a_refused_or_broken_stream_is_an_error() {
    let daemon = Daemon::start(|_| Reply::json(503, &error("shutting_down")));
    let refused = blocking::Client::at(daemon.endpoint.clone()).events().err();
    assert_eq!(refused.and_then(|e| e.code().map(str::to_owned)).as_deref(), Some("shutting_down"));
    let daemon = Daemon::start(|_| {
        Reply::raw("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n:")
    });
    let mut events = blocking::Client::at(daemon.endpoint.clone()).events().unwrap();
    assert!(matches!(events.next(), Some(Err(Error::Protocol(ProtocolError::BrokeOff)))));
}
