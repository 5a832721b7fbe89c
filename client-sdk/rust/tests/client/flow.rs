//! Waiting for a person, and giving up.

use serde_json::{Value, json};
use valetkey_client::Client;
use valetkey_client::v1::Flow;

use crate::support::{Daemon, Reply};

fn pending() -> Value {
    json!({
        "flow": "f-1", "kind": "device_code", "state": "pending", "joined": false, "expires_at": 4_102_444_800_i64,
        "correlation_id": "7",
    })
}

#[tokio::test]
async fn a_wait_that_is_dropped_cancels_the_sign_in() {
    let (polled, mut polls) = tokio::sync::mpsc::unbounded_channel();
    let (cancelled, mut cancels) = tokio::sync::mpsc::unbounded_channel();
    let daemon = Daemon::start(move |request| {
        if request.method == "DELETE" {
            cancelled.send(request.target.clone()).unwrap();
            return Reply::json(204, &Value::Null);
        }
        polled.send(()).unwrap();
        Reply::json(200, &pending())
    });
    let client = Client::at(daemon.endpoint.clone());
    let flow: Flow = serde_json::from_value(pending()).unwrap();
    tokio::select! {
        outcome = client.finish_flow(flow) => panic!("nobody signed in: {outcome:?}"),
        _ = polls.recv() => {}
    }
    assert_eq!(cancels.recv().await.as_deref(), Some("/v1/flows/f-1"));
}

#[tokio::test]
async fn a_wait_that_came_to_its_end_cancels_nothing() {
    for (state, result) in [
        (
            "completed",
            json!({"access_token": "t", "token_type": "Bearer", "expires_in": 60, "token_source": "cache"}),
        ),
        ("failed", Value::Null),
    ] {
        let daemon = Daemon::start(move |_| {
            let mut flow = pending();
            flow["state"] = state.into();
            flow["result"] = result.clone();
            Reply::json(200, &flow)
        });
        let client = Client::at(daemon.endpoint.clone());
        let flow: Flow = serde_json::from_value(pending()).unwrap();
        let outcome = client.finish_flow(flow).await;
        assert_eq!(outcome.is_ok(), state == "completed", "{outcome:?}");
        // What was left to do on this runtime has its turn first.
        client.apps().await.unwrap_err();
        let asked: Vec<_> = daemon.requests().into_iter().map(|request| request.method).collect();
        assert_eq!(asked, ["GET", "GET"], "{state}");
    }
}
