//! The proxies of the environment: for the network, and never for a provider on this machine.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::json;
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Caller, Machine, World};

/// A proxy that refuses every connection.
fn closed_proxy() -> String {
    // Bound and let go again, so that nobody listens there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn a_provider_on_this_machine_is_spoken_to_without_a_proxy() {
    let mut machine = Machine::new();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]
    {
        machine.set(name, closed_proxy());
    }
    let world = World::with(machine, Options::default()).await;
    let mut caller = world.signed_in(ALICE).await;
    caller.token(json!({"force_refresh": true})).await.success();
}

#[tokio::test]
async fn a_provider_on_the_network_is_spoken_to_through_the_proxy() {
    let mut machine = Machine::new().with("HTTPS_PROXY", closed_proxy());
    machine.launch().await;
    let definition = json!({"client_id": "c", "oidc_authority": "https://provider.invalid"});
    let mut caller = Caller::open(machine.connect().await, &definition).await;
    let refused = caller.start_flow(json!({"kind": "device_code"})).await;
    assert_eq!(refused.refusal(), (502, "provider_unreachable".to_owned()));
    let body = refused.json();
    assert!(body["error_description"].as_str().unwrap().contains("HTTPS_PROXY"), "{body}");
}
