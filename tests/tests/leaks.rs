//! No secret leaves the daemon but in the answer it is meant for: not in a log at the most talkative level, not in a file,
//! not in what the system shows of the process.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use valetkey_testkit::entra::{
    Browser as Session, Effect, Endpoint, Fault, Options, Person, Rotation,
};
use valetkey_tests::{ALICE, BOB, Browser, Caller, Machine, World};

/// The state of an auth code flow that a test chooses itself.
const OWN_STATE: &str = "state-of-the-application-1b2c3d";

/// All that a daemon does for its users in a day, with a kill, faults and an orderly end among it.
async fn live_a_whole_life(log: &str) -> World {
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds: 10 };
    let mut world = World::with(Machine::new().with("VALETKEY_LOG", log), options).await;
    let mut caller = world.signed_in(ALICE).await;
    sign_in_by_browser(&world, &mut caller, BOB).await;
    sign_in_by_code(&world, &mut caller, ALICE).await;
    for user in [ALICE, BOB] {
        caller.token(json!({"account": user, "force_refresh": true})).await.success();
        let files = json!(["https://graph.contoso.com/Files.Read"]);
        caller.token(json!({"account": user, "scopes": files})).await.success();
    }
    meet_faults(&world, &mut caller).await;
    world.machine.restart().await;
    let mut caller = world.caller().await;
    caller.token(json!({"account": ALICE, "force_refresh": true})).await.success();
    let accounts = caller.accounts().await;
    let bob = accounts.iter().find(|account| account["username"] == BOB).unwrap();
    caller.sign_out(bob["home_account_id"].as_str().unwrap()).await;
    world.machine.status().await;
    world
}

async fn sign_in_by_browser(world: &World, caller: &mut Caller, user: &str) {
    let flow =
        caller.start_flow(json!({"kind": "interactive", "login_hint": user})).await.success();
    let url = flow["auth_uri"].as_str().unwrap();
    let redirect = world.control().authorize(url, user, Person::Agrees, &Session::default());
    let redirect = redirect.unwrap();
    // Once as a query, which is where a code could end up in a log of requests.
    Browser::of(&redirect).get(&redirect.form_body()).await.unwrap();
    assert_eq!(caller.wait_for(&flow, 30).await["state"], "completed");
}

async fn sign_in_by_code(world: &World, caller: &mut Caller, user: &str) {
    let start =
        json!({"kind": "auth_code", "redirect_uri": "http://localhost:4711", "state": OWN_STATE});
    let flow = caller.start_flow(start).await.success();
    let url = flow["auth_uri"].as_str().unwrap();
    let redirect = world.control().authorize(url, user, Person::Agrees, &Session::default());
    let redirect = redirect.unwrap();
    let mut forged = redirect.params.clone();
    forged.iter_mut().filter(|(name, _)| name == "state").for_each(|(_, state)| state.push('x'));
    assert_eq!(caller.complete(&flow, &forged).await.status, 400);
    assert_eq!(caller.complete(&flow, &redirect.params).await.success()["state"], "completed");
}

/// Errors are where secrets end up in logs.
async fn meet_faults(world: &World, caller: &mut Caller) {
    for (number, effect) in [
        Effect::NonsenseJson,
        Effect::Html { status: 502 },
        Effect::DropAnswer,
        Effect::without_access_token(),
        Effect::EditAnswer {
            remove: Vec::new(),
            set: [("expires_in".to_owned(), json!("soon"))].into_iter().collect(),
        },
    ]
    .into_iter()
    .enumerate()
    {
        world.control().add_fault(Fault::new(Endpoint::Token, effect));
        let scopes = json!([format!("https://graph.contoso.com/Fault{number}")]);
        let refused = caller.token(json!({"account": ALICE, "scopes": scopes})).await;
        assert!(refused.status >= 500, "{}", refused.json());
        caller.token(json!({"account": ALICE, "force_refresh": true})).await.success();
    }
    let unknown = json!({"account": ALICE, "scopes": ["s"], "claims_challenge": "not json"});
    assert_eq!(caller.token(unknown).await.status, 400);
    assert_eq!(caller.connection.post("/v1/apps", &json!({"client_id": 7})).await.status, 400);
}

/// Every token and code that was issued, and what the daemon made up itself, as the provider saw it.
fn secrets(world: &World) -> BTreeMap<String, BTreeSet<String>> {
    let mut secrets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut add = |kind: &str, value: &str| {
        secrets.entry(kind.to_owned()).or_default().insert(value.to_owned());
    };
    for secret in world.control().secrets() {
        add(&secret.kind, &secret.value);
    }
    for request in world.control().requests() {
        for name in ["state", "nonce"] {
            request.query.get(name).into_iter().for_each(|value| add(name, value));
        }
        for name in ["code_verifier", "code", "device_code", "refresh_token"] {
            request.field(name).into_iter().for_each(|value| add(name, value));
        }
    }
    let kinds = [
        "access_token",
        "refresh_token",
        "id_token",
        "code",
        "device_code",
        "user_code",
        "state",
        "nonce",
        "code_verifier",
    ];
    for kind in kinds {
        assert!(secrets.contains_key(kind), "the run had no {kind}");
    }
    secrets
}

/// Fails when a secret is in there, as it is or as a URL or a form would have it.
fn check_no_secret(place: &str, content: &[u8], secrets: &BTreeMap<String, BTreeSet<String>>) {
    for (kind, values) in secrets {
        for value in values {
            let escaped: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            for needle in [value.as_str(), &escaped] {
                let found = content.windows(needle.len()).position(|it| it == needle.as_bytes());
                if let Some(at) = found {
                    let around = &content[at.saturating_sub(120)..(at + 40).min(content.len())];
                    panic!("{kind} in {place}: …{}…", String::from_utf8_lossy(around));
                }
            }
        }
    }
}

#[test]
#[should_panic(expected = "code in a test")]
fn an_escaped_secret_is_found_too() {
    let secrets = BTreeMap::from([("code".to_owned(), BTreeSet::from(["0.A/b+c=".to_owned()]))]);
    check_no_secret("a test", b"GET /?code=0.A%2Fb%2Bc%3D HTTP/1.1", &secrets);
}

fn all_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] })
        .filter(|path| path.is_file())
        .collect()
}

#[tokio::test]
async fn no_secret_is_in_a_log_a_file_or_the_process_table() {
    let mut world = live_a_whole_life("trace").await;
    let secrets = secrets(&world);
    let log = world.machine.logs();
    assert!(log.contains("TRACE") && log.lines().count() > 100, "the log was not talkative");
    check_no_secret("the log", log.as_bytes(), &secrets);
    let pid = world.machine.pid();
    for file in ["cmdline", "environ", "comm", "status", "maps"] {
        let path = format!("/proc/{pid}/{file}");
        // Of a process that forbids it the environment is readable by root alone.
        if let Ok(content) = fs::read(&path) {
            check_no_secret(&path, &content, &secrets);
        }
    }
    check_files(&world, &secrets);
    assert!(world.machine.stop().await.success());
    check_files(&world, &secrets);
    check_no_secret("the log", world.machine.logs().as_bytes(), &secrets);
}

/// The store holds the tokens, sealed; `strings` of it shows neither them nor whose they are.
fn check_files(world: &World, secrets: &BTreeMap<String, BTreeSet<String>>) {
    let files = all_files(world.machine.folder());
    assert!(files.iter().any(|path| path.ends_with("vault.redb")), "{files:?}");
    for path in &files {
        let content = fs::read(path).unwrap();
        check_no_secret(&path.display().to_string(), &content, secrets);
        if path.starts_with(world.machine.state_dir()) {
            for name in [ALICE, BOB] {
                let is_there = content.windows(name.len()).any(|it| it == name.as_bytes());
                assert!(!is_there, "{name} in {}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn at_info_the_log_names_nobody() {
    let world = live_a_whole_life("info").await;
    let log = world.machine.logs().to_lowercase();
    assert!(log.contains("info"), "{log}");
    for name in [ALICE, BOB, "alice", "contoso.com"] {
        assert!(!log.contains(name), "{name}: {log}");
    }
    check_no_secret("the log", world.machine.logs().as_bytes(), &secrets(&world));
}
