//! Caches that a program keeps itself: it reads and replaces what is in them, and nobody else does.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_tests::{ALICE, Answer, BOB, Caller, Connection, World, patiently, request};

const NAME: &str = "0123456789abcdef";

async fn open(world: &World, name: &str) -> Caller {
    let mut definition = world.definition();
    definition["private_cache"] = name.into();
    Caller::open(world.machine.connect().await, &definition).await
}

async fn read(caller: &mut Caller) -> (u64, Value) {
    let path = path_of(caller);
    let mut answer = caller.connection.get(&path).await.success();
    (answer["version"].as_u64().unwrap(), answer["cache"].take())
}

async fn replace(caller: &mut Caller, content: &Value) -> Answer {
    let path = path_of(caller);
    put(&mut caller.connection, &path, &json!({ "cache": content })).await
}

async fn put(connection: &mut Connection, path: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    connection.ask(&request("PUT", path, &headers, body.as_bytes())).await
}

fn path_of(caller: &Caller) -> String {
    format!("/v1/apps/{}/cache", caller.app)
}

#[tokio::test]
async fn what_is_read_from_one_cache_serves_in_the_place_of_another() {
    let world = World::start().await;
    let mut first = open(&world, NAME).await;
    assert_eq!(read(&mut first).await, (0, json!({})));
    first.sign_in(world.control(), ALICE).await;
    let (version, content) = read(&mut first).await;
    assert!(version > 0);
    assert_eq!(content["RefreshToken"].as_object().unwrap().len(), 1);
    let token = first.token(json!({})).await.success();
    assert_eq!(read(&mut first).await.0, version, "an answer from the cache changes nothing");

    let mut second = open(&world, &NAME.replace('0', "x")).await;
    second.sign_in(world.control(), BOB).await;
    let before = read(&mut second).await.0;
    let answer = replace(&mut second, &content).await.success();
    assert_eq!(answer, json!({"version": before + 1}));
    assert_eq!(second.token(json!({})).await.success()["access_token"], token["access_token"]);
    assert_eq!(read(&mut second).await, (before + 1, content));
}

#[tokio::test]
async fn what_another_library_put_there_survives() {
    let world = World::start().await;
    let mut caller = open(&world, NAME).await;
    let content = json!({
        "AppMetadata": {"appmetadata-login.contoso.com-c": {
            "client_id": "c", "environment": "login.contoso.com", "other": {"deep": [1, null]}}},
        "Future": {"any": ["thing"]},
    });
    assert_eq!(replace(&mut caller, &content).await.success(), json!({"version": 1}));
    assert_eq!(read(&mut caller).await, (1, content));
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_changes_nothing() {
    let world = World::start().await;
    let mut caller = open(&world, NAME).await;
    let kept = json!({"Future": {"any": "thing"}});
    replace(&mut caller, &kept).await.success();
    let path = path_of(&caller);
    let no_expiry = json!({"AccessToken": {"k": {"secret": "s", "environment": "e"}}});
    for (body, words) in [
        (json!({}), "cache"),
        (json!({"cache": []}), "cache"),
        (json!({"cache": {}, "version": 1}), "version"),
        (json!({"cache": {"AccessToken": []}}), "cache: section \"AccessToken\""),
        (json!({"cache": {"Future": {}, "RefreshToken": {"k": 1}}}), "entry 1"),
        (json!({"cache": no_expiry}), "\"expires_on\" is missing"),
    ] {
        let answer = put(&mut caller.connection, &path, &body).await;
        assert_eq!(answer.refusal(), (400, "bad_request".to_owned()), "{body}");
        let said = answer.json()["error_description"].to_string().replace('\\', "");
        assert!(said.contains(words), "{body}: {said}");
    }
    assert_eq!(read(&mut caller).await, (1, kept));
}

#[tokio::test]
async fn a_cache_may_be_larger_than_other_bodies_but_not_without_bound() {
    let world = World::start().await;
    let mut caller = open(&world, NAME).await;
    let of_size =
        |size: usize| json!({"Future": "x".repeat(size - r#"{"cache":{"Future":""}}"#.len())});
    assert_eq!(replace(&mut caller, &of_size(1024 * 1024)).await.status, 200);
    let refused = replace(&mut caller, &of_size(1024 * 1024 + 1)).await;
    assert_eq!(refused.refusal(), (413, "payload_too_large".to_owned()));
}

#[tokio::test]
async fn the_shared_cache_is_not_handed_out() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    let path = path_of(&caller);
    let refused = (403, "access_denied".to_owned());
    let answer = caller.connection.get(&path).await;
    assert_eq!(answer.refusal(), refused);
    assert!(answer.json()["error_description"].to_string().contains("private_cache"));
    assert_eq!(replace(&mut caller, &json!({})).await.refusal(), refused);
    caller.token(json!({})).await.success();
}

#[tokio::test]
async fn a_cache_made_by_assertions_of_the_program_is_not_handed_out_either() {
    let world = World::start().await;
    let mut definition = world.definition();
    definition["kind"] = "confidential".into();
    definition["credential"] = json!({"type": "assertion_callback"});
    let mut caller = Caller::open(world.machine.connect().await, &definition).await;
    let path = path_of(&caller);
    assert_eq!(caller.connection.get(&path).await.refusal().0, 403);
}

#[tokio::test]
async fn a_private_cache_is_there_for_the_process_that_opened_it_until_it_is_closed() {
    let world = World::start().await;
    let caller = open(&world, NAME).await;
    let mut connection = world.machine.connect().await;
    assert_eq!(connection.get(&path_of(&caller)).await.status, 200, "another connection");
    #[cfg(target_os = "linux")]
    {
        let mut other = valetkey_tests::Puppet::connect(&world.machine).await;
        let (status, said) = other.ask("GET", &path_of(&caller), &Value::Null).await.unwrap();
        assert_eq!((status, &said["error"]), (404, &json!("unknown_app")), "another process");
    }
    assert_eq!(connection.delete(&format!("/v1/apps/{}", caller.app)).await.status, 204);
    let closed = world.machine.get(&path_of(&caller)).await;
    assert_eq!(closed.refusal(), (404, "unknown_app".to_owned()));
}

#[tokio::test]
async fn a_credential_is_brought_once_by_a_program_that_has_a_connection_for_each_request() {
    let world = World::start().await;
    let mut definition = world.definition();
    definition["kind"] = "confidential".into();
    definition["credential"] = json!({"type": "secret", "secret": "s"});
    let opened = world.machine.connect().await.post("/v1/apps", &definition).await.success();
    let path = format!("/v1/apps/{}/accounts", opened["app"].as_str().unwrap());
    assert_eq!(world.machine.get(&path).await.success(), json!({"accounts": []}));
    let listed = world.machine.get("/v1/apps").await.success();
    assert_eq!(listed["apps"][0]["app"], opened["app"]);
}

#[tokio::test]
async fn one_program_has_so_many_and_is_told_how_to_make_room() {
    let world = World::start().await;
    let mut connection = world.machine.connect().await;
    let mut open = async |number: usize| {
        let mut definition = world.definition();
        definition["private_cache"] = format!("{NAME}-{number}").into();
        connection.post("/v1/apps", &definition).await
    };
    for number in 0..192 {
        open(number).await.success();
    }
    let refused = open(192).await;
    assert_eq!(refused.refusal(), (429, "too_many_requests".to_owned()));
    assert!(refused.json()["error_description"].to_string().contains("close one"));
    open(0).await.success();
    drop(connection);
    // The daemon learns of a connection's end when it learns of it.
    let mut connection = world.machine.connect().await;
    let mut definition = world.definition();
    definition["private_cache"] = format!("{NAME}-192").into();
    let opened = async {
        while connection.post("/v1/apps", &definition).await.status != 200 {
            tokio::task::yield_now().await;
        }
    };
    patiently("room", opened).await;
}

#[tokio::test]
async fn a_public_application_is_told_that_it_has_no_tokens_of_its_own() {
    let world = World::start().await;
    let mut caller = world.caller().await;
    let path = format!("/v1/apps/{}/tokens", caller.app);
    assert_eq!(caller.connection.delete(&path).await.refusal(), (400, "bad_request".to_owned()));
}
