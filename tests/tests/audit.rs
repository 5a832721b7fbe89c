//! `GET /v1/audit` and `valetkey audit`: who got what, and when, with the program that asked.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::{Value, json};
use valetkey_tests::{ALICE, CLIENT_ID, Caller, Machine, Program, SCOPE, World, patiently};

async fn records(world: &World) -> Vec<Value> {
    let audit = world.machine.get("/v1/audit").await.success();
    audit["records"].as_array().cloned().unwrap_or_default()
}

fn acts(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["act"].as_str().unwrap()).collect()
}

/// By the command, which is another program, for the application that the test has signed in to.
async fn token_by_command(world: &World) {
    let authority = world.entra.authority("common");
    let mut command = world.machine.command(Program::Cli);
    command.args(["token", "--no-validate-authority", "--client-id", CLIENT_ID]);
    command.args(["--authority", &authority, "--scope", SCOPE]);
    let output = patiently("valetkey token", command.output()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn sign_out(caller: &mut Caller) {
    let accounts = caller.accounts().await;
    caller.sign_out(accounts[0]["home_account_id"].as_str().unwrap()).await;
}

#[tokio::test]
async fn each_program_that_got_a_token_is_on_record_and_the_same_token_again_is_no_news() {
    let mut world = World::start().await;
    assert!(records(&world).await.is_empty());
    let mut caller = world.signed_in(ALICE).await;
    for _ in 0..3 {
        caller.token(json!({})).await.success();
        world.caller().await.token(json!({})).await.success();
        token_by_command(&world).await;
    }
    caller.token(json!({"force_refresh": true})).await.success();
    let id = caller.accounts().await[0]["home_account_id"].clone();
    sign_out(&mut caller).await;
    world.machine.stop().await;
    world.machine.launch().await;

    let records = records(&world).await;
    let expected = ["signed_in", "token_given", "token_given", "token_given", "signed_out"];
    assert_eq!(acts(&records), expected, "{records:#?}");
    for record in &records {
        assert_eq!(record["client_id"], CLIENT_ID);
        assert_eq!((&record["home_account_id"], &record["username"]), (&id, &json!(null)));
        assert!(record["at"].is_i64() && record["program"]["process"].is_u64(), "{record}");
    }
    assert_eq!(records[1]["scope"].as_str().map(|scope| scope.contains(SCOPE)), Some(true));
    if cfg!(any(windows, target_os = "linux")) {
        let this = std::env::current_exe().unwrap();
        let programs = [&this, &this, &Program::Cli.path(), &this, &this];
        for (record, program) in records.iter().zip(programs) {
            assert_eq!(record["program"]["path"], json!(program.canonicalize().unwrap()));
            assert_eq!(record["program"]["unidentified"], json!(null));
        }
    }
    if cfg!(target_os = "linux") {
        let parent = json!(std::env::current_exe().unwrap());
        assert_eq!(records[2]["program"]["parents"][0], parent, "whoever ran the command");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn two_scripts_of_one_interpreter_are_two_programs() {
    let world = World::start().await;
    world.signed_in(ALICE).await;
    let mut processes = Vec::new();
    for _ in 0..2 {
        let mut script = valetkey_tests::Puppet::connect(&world.machine).await;
        let opened = script.post("/v1/apps", &world.definition()).await.unwrap().1;
        let path = format!("/v1/apps/{}/token", opened["app"].as_str().unwrap());
        for _ in 0..2 {
            assert_eq!(script.post(&path, &json!({"scopes": [SCOPE]})).await.unwrap().0, 200);
        }
        processes.push(json!(script.pid()));
    }
    let told = records(&world).await;
    let told = told.iter().skip(1).map(|record| record["program"]["process"].clone());
    assert_eq!(told.collect::<Vec<_>>(), processes);
}

#[tokio::test]
async fn a_denial_is_on_record_with_its_reason() {
    let mut machine = Machine::new();
    machine.write("config/valetkey/config.toml", "[policy]\nauthorities = [\"login.example\"]\n");
    machine.launch().await;
    let world = World::of(machine, Default::default()).await;
    let mut connection = world.machine.connect().await;
    for _ in 0..3 {
        assert_eq!(connection.post("/v1/apps", &world.definition()).await.refusal().0, 403);
    }
    let records = records(&world).await;
    assert_eq!(acts(&records), ["denied"]);
    let detail = records[0]["detail"].as_str().unwrap();
    assert!(detail.contains("does not speak to"), "{detail}");
}

#[tokio::test]
async fn the_command_prints_a_table_and_as_many_records_as_were_asked_for() {
    let world = World::start().await;
    let mut caller = world.signed_in(ALICE).await;
    caller.token(json!({})).await.success();
    let run = async |arguments: &[&str]| {
        let mut command = world.machine.command(Program::Cli);
        let output = patiently("valetkey audit", command.args(arguments).output()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let table = run(&["audit", "--limit", "2"]).await;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(lines[0].starts_with("WHEN") && lines[1].contains("signed in"), "{table}");
    assert!(lines[2].contains("token given") && lines[2].contains(ALICE), "{table}");
    let listed: Value = serde_json::from_str(&run(&["--output", "json", "audit"]).await).unwrap();
    assert_eq!(listed["records"].as_array().map(Vec::len), Some(2));
}
