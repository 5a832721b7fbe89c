//! Tokens that are bound to a key, through the real daemon: the key stays in it, and what it signs is taken by the resource.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_testkit::entra::SignedRequest;
use valetkey_tests::{ALICE, Caller, SCOPE, World};

fn scheme(nonce: &str) -> Value {
    json!({"http_method": "GET", "url": "https://mail.contoso.com/inbox?top=1", "nonce": nonce})
}

fn open(world: &World, answer: &Value) -> SignedRequest {
    assert_eq!(answer["token_type"], "pop", "{answer}");
    world.control().open_signed_request(answer["access_token"].as_str().unwrap()).unwrap()
}

async fn signed(caller: &mut Caller, nonce: &str) -> Value {
    caller.token(json!({"scopes": [SCOPE], "auth_scheme": scheme(nonce)})).await.success()
}

#[tokio::test]
async fn a_signed_request_is_taken_by_the_resource_and_never_cached_for_others() {
    let mut world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    let bearer = caller.token(json!({"scopes": [SCOPE]})).await.success();
    let (one, two) = (signed(&mut caller, "n-1").await, signed(&mut caller, "n-2").await);
    assert_eq!(
        (&one["token_source"], &two["token_source"]),
        (&json!("identity_provider"), &json!("cache"))
    );
    let expected = json!({"m": "GET", "u": "mail.contoso.com", "p": "/inbox", "nonce": "n-1"});
    let opened = open(&world, &one);
    assert_eq!((&opened.request, &opened.token["preferred_username"]), (&expected, &json!(ALICE)));
    assert_eq!(open(&world, &two).request["nonce"], "n-2");
    let again = caller.token(json!({"scopes": [SCOPE]})).await.success();
    assert_eq!(
        (&again["access_token"], &again["token_type"]),
        (&bearer["access_token"], &json!("Bearer"))
    );

    world.machine.kill().await;
    world.machine.launch().await;
    let three = signed(&mut world.caller().await, "n-3").await;
    assert_eq!(three["token_source"], "cache", "the key was kept with the token");
    assert_eq!(open(&world, &three).token["uti"], opened.token["uti"]);
}

#[tokio::test]
async fn each_look_at_a_finished_flow_signs_anew() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    let start = json!({"kind": "device_code", "scopes": [SCOPE], "auth_scheme": scheme("n")});
    let flow = caller.start_flow(start).await.success();
    world.control().approve_device(flow["device"]["user_code"].as_str().unwrap(), ALICE).unwrap();
    let ended = caller.wait_for(&flow, 30).await;
    assert_eq!(ended["state"], "completed", "{ended}");
    assert_eq!(open(&world, &ended["result"]).request["nonce"], "n");
}

#[tokio::test]
async fn what_cannot_be_signed_is_refused_by_its_name() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    let url = "https://mail.contoso.com/";
    let long = "n".repeat(5000);
    let cases = [
        (json!({"http_method": "get", "url": url, "nonce": "n"}), "http_method"),
        (json!({"http_method": "TRACE", "url": url, "nonce": "n"}), "http_method"),
        (json!({"http_method": "GET\r\nX: y", "url": url, "nonce": "n"}), "http_method"),
        (json!({"http_method": "GET", "url": "/inbox", "nonce": "n"}), "url"),
        (json!({"http_method": "GET", "url": format!("{url}#top"), "nonce": "n"}), "url"),
        (json!({"http_method": "GET", "url": format!("{url}\r\nX: y"), "nonce": "n"}), "url"),
        (json!({"http_method": "GET", "url": "ftp://contoso.com/", "nonce": "n"}), "url"),
        (json!({"http_method": "GET", "url": url, "nonce": ""}), "nonce"),
        (json!({"http_method": "GET", "url": url, "nonce": long}), "nonce"),
        (json!({"http_method": "GET", "url": url, "nonce": "a\nb"}), "nonce"),
        (json!({"http_method": "GET", "url": url}), "nonce"),
        (json!({"http_method": 1, "url": url, "nonce": "n"}), "http_method"),
        (json!({"http_method": "GET", "url": url, "nonce": "n", "extra": 1}), "extra"),
        (json!("PoP"), "auth_scheme"),
    ];
    for (auth_scheme, member) in cases {
        let request = json!({"scopes": [SCOPE], "auth_scheme": auth_scheme});
        let answer = caller.token(request).await;
        let (status, error) = answer.refusal();
        assert_eq!((status, error.as_str()), (400, "bad_request"), "{auth_scheme}");
        let told = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(told.contains(member) || told.contains("string"), "{auth_scheme}: {told}");
    }
    let both = json!({
        "scopes": [SCOPE], "auth_scheme": scheme("n"), "data": {"token_type": "pop", "req_cnf": "e30"},
    });
    assert_eq!(caller.token(both).await.refusal(), (400, "bad_request".to_owned()));
}

#[tokio::test]
async fn a_proof_is_refused_for_what_has_no_key() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    let url = "https://mail.contoso.com/";
    for (request, expected) in [
        (
            json!({"access_token": "at", "http_method": "GET", "url": url}),
            "no tokens that are bound",
        ),
        (json!({"access_token": "", "http_method": "GET", "url": url}), "access_token"),
        (json!({"access_token": "a\r\nb", "http_method": "GET", "url": url}), "access_token"),
        (json!({"access_token": "at", "http_method": "get", "url": url}), "http_method"),
        (json!({"access_token": "at", "http_method": "GET", "url": "/inbox"}), "url"),
        (json!({"access_token": "at", "http_method": "GET", "url": format!("{url}#a")}), "url"),
        (json!({"access_token": "at", "http_method": "GET", "url": url, "nonce": "a b"}), "nonce"),
        (json!({"http_method": "GET", "url": url}), "access_token"),
        (json!([]), "must be a JSON object"),
    ] {
        let answer = caller.proof(request.clone()).await;
        assert_eq!(answer.refusal(), (400, "bad_request".to_owned()), "{request}");
        let told = answer.json()["error_description"].as_str().unwrap().to_owned();
        assert!(told.contains(expected), "{request}: {told}");
    }
    let definition = json!({
        "client_id": "c", "oidc_authority": "https://op.example", "dpop": true,
        "private_cache": "0123456789abcdef",
    });
    let refused = world.machine.connect().await.post("/v1/apps", &definition).await;
    assert_eq!(refused.refusal(), (400, "bad_request".to_owned()));
}
