//! `[policy] consent = "ask"`: a yes is one to what the person has read, and to nothing more. The test has signed in; Perl is
//! another program, to which the person says yes.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_tests::{ALICE, Caller, Machine, Puppet, SCOPE, World, patiently};

const ASK: &str = "[policy]\nconsent = \"ask\"\n";
/// What the person has not said yes to.
const MORE: &str = "https://graph.contoso.com/Mail.ReadWrite";

/// A world whose daemon asks, and in which the test has signed in for both scopes.
async fn signed_in_for_more() -> (World, Caller) {
    let mut machine = Machine::new();
    machine.write("config/valetkey/config.toml", ASK);
    machine.launch().await;
    let world = World::of(machine, Default::default()).await;
    let mut caller = world.caller().await;
    let start = json!({"kind": "device_code", "scopes": [SCOPE, MORE]});
    assert!(scope_of(&sign_in(&world, &mut caller, start).await.1["result"]).contains(MORE));
    (world, caller)
}

/// The flow's path, and how it has ended.
async fn sign_in(world: &World, caller: &mut Caller, start: Value) -> (String, Value) {
    let flow = caller.start_flow(start).await.success();
    let code = flow["device"]["user_code"].as_str().unwrap();
    world.control().approve_device(code, ALICE).unwrap();
    let ended = caller.wait_for(&flow, 30).await;
    assert_eq!(ended["state"], "completed", "{ended}");
    (format!("/v1/flows/{}", flow["flow"].as_str().unwrap()), ended)
}

/// The person says yes to what is asked next, and reads this.
async fn say_yes(world: &World) -> String {
    let prompts = world.machine.get("/v1/prompts?wait=60").await.success();
    let prompt = &prompts["prompts"][0];
    let path = format!("/v1/prompts/{}", prompt["id"].as_str().unwrap());
    world.machine.connect().await.post(&path, &json!({"answer": "until_lock"})).await.success();
    prompt["scope"].as_str().unwrap().to_owned()
}

fn scope_of(token: &Value) -> &str {
    token["scope"].as_str().unwrap()
}

fn refreshes(world: &World) -> u64 {
    world.control().counters().get("refresh_token").map_or(0, |count| count.answered)
}

#[tokio::test]
async fn a_yes_to_little_hands_out_no_cached_token_that_is_good_for_more() {
    let (world, mut caller) = signed_in_for_more().await;
    let mut other = Puppet::connect(&world.machine).await;
    let path = format!("/v1/apps/{}/token", caller.app);
    let little = json!({"scopes": [SCOPE], "account": ALICE});
    let (answer, read) = tokio::join!(other.post(&path, &little), say_yes(&world));
    let (status, first) = answer.unwrap();
    assert_eq!((status, read.as_str()), (200, SCOPE), "{first}");
    assert!(!scope_of(&first).contains(MORE), "{first}");
    assert_eq!(first["token_source"], "identity_provider");

    let (_, second) = other.post(&path, &little).await.unwrap();
    assert_eq!(
        (&second["token_source"], &second["access_token"]),
        (&json!("cache"), &first["access_token"])
    );
    let own = caller.token(json!({"scopes": [SCOPE, MORE]})).await.success();
    assert_eq!(own["token_source"], "cache", "the yes to others costs who has signed in nothing");
    assert_eq!(refreshes(&world), 1);
}

#[tokio::test]
async fn what_a_token_is_for_is_said_by_the_scopes_that_the_person_reads() {
    let (world, mut caller) = signed_in_for_more().await;
    let mut other = Puppet::connect(&world.machine).await;
    let path = format!("/v1/apps/{}/token", caller.app);
    let with = |data: Value| json!({"scopes": [SCOPE], "account": ALICE, "data": data});
    let elsewhere = with(json!({"resource": "https://vault.contoso.com"}));
    let refuse = async |other: &mut Puppet| {
        let (status, said) = patiently("a refusal", other.post(&path, &elsewhere)).await.unwrap();
        assert_eq!((status, &said["error"]), (403, &json!("access_denied")), "{said}");
        assert!(said["error_description"].as_str().unwrap().contains("\"resource\""), "{said}");
    };
    refuse(&mut other).await;
    let key = with(json!({"client_session": "one"}));
    let (answer, _) = tokio::join!(other.post(&path, &key), say_yes(&world));
    assert_eq!(answer.unwrap().0, 200);
    refuse(&mut other).await;
    assert_eq!(refreshes(&world), 1);
    caller.token(elsewhere.clone()).await.success();
}

#[tokio::test]
async fn who_takes_all_back_ends_what_sign_ins_have_brought_to_each_part_of_the_cache() {
    let (world, mut caller) = signed_in_for_more().await;
    let mut apart = world.definition();
    apart["cloud_shell_endpoint"] = json!("http://127.0.0.1:1/");
    let mut apart = Caller::open(world.machine.connect().await, &apart).await;
    let start = json!({"kind": "device_code"});
    let mut flows = Vec::new();
    for caller in [&mut caller, &mut apart] {
        flows.push(sign_in(&world, caller, start.clone()).await.0);
    }
    world.machine.connect().await.delete("/v1/grants").await.success();
    for (caller, path) in [&mut caller, &mut apart].into_iter().zip(&flows) {
        let gone = caller.connection.get(path).await.refusal();
        assert_eq!(gone, (404, "unknown_flow".to_owned()), "{path}");
    }
}
