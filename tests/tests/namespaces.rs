//! A daemon in a PID namespace of its own: it has no number for any of its callers, as one in a container has none for those
//! outside. Their user is known all the same, and nothing that goes by the program is mixed up among them.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Map, Value, json};
use tokio::process::Command;
use valetkey_testkit::entra::{Client, EXCHANGE_AUDIENCE, FederatedCredential, Options};
use valetkey_tests::{ALICE, Caller, Machine, Program, World, patiently};

const CONFIG: &str = "config/valetkey/config.toml";
const WORKLOAD: &str = "b0b0b0b0-0000-4000-8000-00000000da7a";
const ISSUER: &str = "https://cluster.example";

/// A world whose daemon is in a namespace; none where no namespace can be made.
async fn world(options: Options) -> Option<World> {
    let mut machine = Machine::new();
    if !in_namespace(&machine, "true").status().await.unwrap().success() {
        assert!(std::env::var_os("CI").is_none(), "no PID namespace can be made here");
        println!("skipped: this machine lets a test make no PID namespace");
        return None;
    }
    let daemon = in_namespace(&machine, Program::Daemon.path().to_str().unwrap());
    machine.launch_by(daemon).await;
    Some(World::of(machine, options).await)
}

fn in_namespace(machine: &Machine, program: &str) -> Command {
    let mut command = machine.command_of("unshare");
    if !rustix::process::geteuid().is_root() {
        command.args(["--user", "--map-current-user"]);
    }
    command.args(["--pid", "--fork", "--kill-child", program]);
    command
}

#[tokio::test]
async fn a_caller_of_no_number_is_served_and_on_record_as_unidentified() {
    let Some(world) = world(Options::default()).await else { return };
    let mut command = world.machine.command(Program::Cli);
    let told = patiently("status", command.args(["--output", "json", "status"]).output()).await;
    assert!(told.unwrap().status.success());
    let mut caller = world.signed_in(ALICE).await;
    caller.token(json!({})).await.success();
    let audit = world.machine.get("/v1/audit").await.success();
    let programs: Vec<_> = audit["records"].as_array().unwrap().iter().collect();
    assert!(!programs.is_empty());
    for record in programs {
        let program = &record["program"];
        assert!(program["process"].is_null() && program["path"].is_null(), "{record}");
        assert!(program["unidentified"].is_string(), "{record}");
    }
}

#[tokio::test]
async fn callers_of_no_number_are_asked_about_each_by_itself_and_answer_for_none() {
    let Some(world) = world(Options::default()).await else { return };
    world.signed_in(ALICE).await;
    world.machine.write(CONFIG, "[policy]\nconsent = \"ask\"\n");
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut caller = world.caller().await;
        waiting.push(tokio::spawn(async move { caller.try_token(json!({})).await }));
    }
    let prompts = patiently("two questions", async {
        loop {
            let listed = world.machine.get("/v1/prompts?wait=60").await.success();
            let prompts = listed["prompts"].as_array().unwrap().clone();
            let asked: u64 = prompts.iter().map(|it| it["waiting"].as_u64().unwrap()).sum();
            if asked == 2 {
                return prompts;
            }
            tokio::task::yield_now().await;
        }
    });
    let prompts = prompts.await;
    assert_eq!(prompts.len(), 2, "{prompts:?}");
    for prompt in prompts {
        let path = format!("/v1/prompts/{}", prompt["id"].as_str().unwrap());
        let answer = world.machine.connect().await.post(&path, &json!({"answer": "once"})).await;
        assert_eq!(answer.refusal(), (403, "access_denied".to_owned()));
    }
    for waiting in waiting {
        waiting.abort();
    }
}

/// Opens an application that proves itself with this assertion, and asks for its own token.
async fn token_by(world: &World, assertion: &str) -> (u16, Value) {
    let definition = json!({
        "client_id": WORKLOAD,
        "kind": "confidential",
        "authority": world.entra.authority("contoso.com"),
        "validate_authority": false,
        "credential": {"type": "assertion", "assertion": assertion},
    });
    let mut caller = Caller::open(world.machine.connect().await, &definition).await;
    let request =
        json!({"grant": "client_credentials", "scopes": ["https://vault.contoso.com/.default"]});
    let answer = caller.connection.post(&format!("/v1/apps/{}/token", caller.app), &request).await;
    (answer.status, answer.json())
}

#[tokio::test]
async fn what_one_caller_of_no_number_got_by_an_assertion_is_not_anothers() {
    let credential = FederatedCredential {
        issuer: ISSUER.into(),
        subject: "workload".into(),
        audience: EXCHANGE_AUDIENCE.into(),
        certificate: None,
    };
    let workload = Client {
        id: WORKLOAD.into(),
        federated_credentials: vec![credential],
        ..Client::default()
    };
    let options = Options { clients: vec![workload], ..Options::default() };
    let Some(world) = world(options).await else { return };
    let claims = [("iss", ISSUER), ("sub", "workload"), ("aud", EXCHANGE_AUDIENCE)];
    let claims = claims.map(|(name, value)| (name.to_owned(), Value::from(value)));
    let assertion = world.control().sign_assertion(Map::from_iter(claims));
    let (status, token) = token_by(&world, &assertion).await;
    assert_eq!(status, 200, "{token}");
    let (status, refusal) = token_by(&world, "none.that.holds").await;
    assert!(status >= 400 && refusal["access_token"].is_null(), "{refusal}");
}
