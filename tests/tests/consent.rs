//! `[policy] consent = "ask"`: a program asks the person before it uses an account that another program has signed in.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use valetkey_tests::{
    ALICE, Act, BOB, CLIENT_ID, Caller, Machine, Program, Puppet, SCOPE, World, patiently,
};

const ASK: &str = "[policy]\nconsent = \"ask\"\n";

/// A world whose daemon has this configuration.
async fn world(configuration: &str) -> World {
    let mut machine = Machine::new();
    machine.write("config/valetkey/config.toml", configuration);
    machine.launch().await;
    World::of(machine, Default::default()).await
}

/// `valetkey token`: another program than the test, which has signed in.
fn token_by_command(world: &World) -> Command {
    token_printed_as(world, "json")
}

fn token_printed_as(world: &World, format: &str) -> Command {
    let mut command = world.machine.command(Program::Cli);
    command.args(["--output", format, "token", "--no-validate-authority"]);
    command.args(["--client-id", CLIENT_ID, "--authority", &world.entra.authority("common")]);
    command.args(["--scope", SCOPE]).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

async fn ended(command: Child) -> (Option<i32>, Value) {
    let output = patiently("valetkey token", command.wait_with_output()).await.unwrap();
    let said = if output.status.success() { output.stdout } else { output.stderr };
    let said =
        serde_json::from_slice(&said).unwrap_or_else(|_| String::from_utf8_lossy(&said).into());
    (output.status.code(), said)
}

/// `valetkey grants watch`, and the person in front of it.
struct Watch {
    _command: Child,
    shown: Lines<BufReader<ChildStdout>>,
    typed: ChildStdin,
}

impl Watch {
    fn start(world: &World) -> Self {
        let mut command = world.machine.command(Program::Cli);
        command.args(["--output", "json", "grants", "watch"]);
        let mut command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdout, typed) = (command.stdout.take().unwrap(), command.stdin.take().unwrap());
        Self { _command: command, shown: BufReader::new(stdout).lines(), typed }
    }

    async fn prompt(&mut self) -> Value {
        let line = patiently("a prompt", self.shown.next_line()).await.unwrap().unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// `valetkey token`, to which the person has said no.
    async fn refuse(&mut self, world: &World) -> Child {
        let asking = token_by_command(world).spawn().unwrap();
        self.prompt().await;
        self.answer("no").await;
        asking
    }

    async fn answer(&mut self, words: &str) {
        self.typed.write_all(format!("{words}\n").as_bytes()).await.unwrap();
        self.typed.flush().await.unwrap();
    }
}

async fn prompts(world: &World) -> Vec<Value> {
    let listed = world.machine.get("/v1/prompts").await.success();
    listed["prompts"].as_array().unwrap().clone()
}

async fn grants(world: &World) -> Vec<Value> {
    let listed = world.machine.get("/v1/grants").await.success();
    listed["grants"].as_array().unwrap().clone()
}

fn words(grants: &[Value]) -> Vec<&str> {
    grants.iter().map(|grant| grant["word"].as_str().unwrap()).collect()
}

/// Until so many requests wait for one prompt.
async fn wait_for_waiting(world: &World, count: usize) -> Value {
    let waiting = async {
        loop {
            let listed = world.machine.get("/v1/prompts?wait=60").await.success();
            let prompt = listed["prompts"][0].clone();
            if prompt["waiting"].as_u64() == Some(count as u64) {
                return prompt;
            }
            tokio::task::yield_now().await;
        }
    };
    patiently("the requests", waiting).await
}

#[tokio::test]
async fn who_has_signed_in_is_not_asked_and_another_programs_first_request_waits_for_the_answer() {
    let world = world(ASK).await;
    let mut caller = world.signed_in(ALICE).await;
    caller.token(json!({})).await.success();
    assert!(prompts(&world).await.is_empty());

    let mut watch = Watch::start(&world);
    let asking = token_by_command(&world).spawn().unwrap();
    let pid = asking.id().unwrap();
    let prompt = watch.prompt().await;
    assert_eq!(prompt["program"]["path"], json!(Program::Cli.path().canonicalize().unwrap()));
    assert_eq!(prompt["processes"], json!([pid]));
    assert_eq!((&prompt["username"], &prompt["client_id"]), (&json!(ALICE), &json!(CLIENT_ID)));
    assert!(prompt["scope"].as_str().unwrap().contains(SCOPE), "{prompt}");
    let parents = prompt["program"]["parents"].as_array().unwrap();
    assert!(!parents.is_empty(), "{prompt}");
    watch.answer("always").await;
    let (exit, result) = ended(asking).await;
    assert_eq!(exit, Some(0), "{result}");
    assert!(result["access_token"].is_string());

    let (exit, _) = ended(token_by_command(&world).spawn().unwrap()).await;
    assert_eq!(exit, Some(0), "the answer is remembered");
    assert_eq!(words(&grants(&world).await), ["signed_in", "always"]);
}

#[tokio::test]
async fn a_denial_reaches_the_program_as_access_denied_with_a_hint_and_is_not_asked_about_again() {
    let world = world(ASK).await;
    world.signed_in(ALICE).await;
    let mut watch = Watch::start(&world);
    let asking = watch.refuse(&world).await;
    for asking in [asking, token_by_command(&world).spawn().unwrap()] {
        let (exit, said) = ended(asking).await;
        assert_eq!((exit, &said["error"]), (Some(4), &json!("access_denied")), "{said}");
        assert!(said["error_description"].as_str().unwrap().contains(ALICE), "{said}");
        assert!(said["hint"].as_str().unwrap().contains("valetkey grants"), "{said}");
    }
    assert!(prompts(&world).await.is_empty());

    let no = grants(&world).await.into_iter().find(|grant| grant["word"] == "no").unwrap();
    let mut revoke = world.machine.command(Program::Cli);
    revoke.args(["grants", "revoke", no["id"].as_str().unwrap()]);
    assert!(patiently("revoke", revoke.status()).await.unwrap().success());
    let asking = token_by_command(&world).spawn().unwrap();
    watch.prompt().await;
    watch.answer("once").await;
    assert_eq!(ended(asking).await.0, Some(0));
    let mut asking = token_by_command(&world).spawn().unwrap();
    watch.prompt().await;
    asking.kill().await.unwrap();
}

#[tokio::test]
async fn who_waits_for_the_answer_is_told_where_to_give_it() {
    let world = world(ASK).await;
    world.signed_in(ALICE).await;
    let mut asking = token_printed_as(&world, "text").spawn().unwrap();
    let mut told = BufReader::new(asking.stderr.take().unwrap()).lines();
    let mut watch = Watch::start(&world);
    watch.prompt().await;
    let mut line = async || patiently("a line", told.next_line()).await.unwrap();
    assert!(line().await.unwrap().contains("waits for your answer"));
    assert!(line().await.unwrap().contains("`valetkey grants watch`"));
    watch.answer("once").await;
    assert_eq!(line().await, None, "it is told once");
    assert!(patiently("the end", asking.wait()).await.unwrap().success());
}

#[tokio::test]
async fn fifty_callers_cause_one_prompt() {
    let world = world(ASK).await;
    world.signed_in(ALICE).await;
    let asking: Vec<_> = (0..50).map(|_| token_by_command(&world).spawn().unwrap()).collect();
    let prompt = wait_for_waiting(&world, 50).await;
    assert_eq!(prompt["processes"].as_array().map(Vec::len), Some(50));
    let id = prompt["id"].as_str().unwrap();
    let answer = json!({"answer": "hours", "hours": 2});
    let path = format!("/v1/prompts/{id}");
    world.machine.connect().await.post(&path, &answer).await.success();
    for asking in asking {
        let (exit, said) = ended(asking).await;
        assert_eq!(exit, Some(0), "{said}");
    }
    assert!(prompts(&world).await.is_empty());
    let refusal = world.machine.connect().await.post(&path, &answer).await.refusal();
    assert_eq!(refusal, (404, "unknown_prompt".to_owned()));
    let grants = grants(&world).await;
    let span = grants[1]["until"].as_i64().unwrap() - grants[1]["since"].as_i64().unwrap();
    assert_eq!((words(&grants), span), (vec!["signed_in", "for_time"], 7200));
}

#[tokio::test]
async fn what_was_said_survives_a_restart_and_a_sign_out_takes_back_what_the_sign_in_meant() {
    let mut world = world(ASK).await;
    let mut caller = world.signed_in(ALICE).await;
    world.machine.restart().await;
    let mut after = world.caller().await;
    after.token(json!({})).await.success();
    assert!(prompts(&world).await.is_empty());
    drop(caller.connection);
    caller = world.caller().await;
    let accounts = caller.accounts().await;
    caller.sign_out(accounts[0]["home_account_id"].as_str().unwrap()).await;
    assert!(grants(&world).await.is_empty());
}

#[tokio::test]
async fn who_asks_cannot_answer_and_the_waiting_ends_with_the_daemon() {
    let world = world(ASK).await;
    let signed_in = {
        let mut command = world.machine.command(Program::Cli);
        command.args([
            "login",
            "--device-code",
            "--no-validate-authority",
            "--client-id",
            CLIENT_ID,
        ]);
        command.args(["--authority", &world.entra.authority("common"), "--scope", SCOPE]);
        command.args(["--output", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut login = command.spawn().unwrap();
        let mut told = BufReader::new(login.stderr.take().unwrap()).lines();
        let told = patiently("the code", told.next_line()).await.unwrap().unwrap();
        let told: Value = serde_json::from_str(&told).unwrap();
        world.control().approve_device(told["user_code"].as_str().unwrap(), ALICE).unwrap();
        patiently("login", login.wait()).await.unwrap().success()
    };
    assert!(signed_in);
    let mut caller = world.caller().await;
    let asked = tokio::spawn(async move { caller.try_token(json!({})).await });
    let prompt = wait_for_waiting(&world, 1).await;
    let path = format!("/v1/prompts/{}", prompt["id"].as_str().unwrap());
    let answer = world.machine.connect().await.post(&path, &json!({"answer": "always"})).await;
    assert_eq!(answer.refusal(), (403, "access_denied".to_owned()));
    for bad in [json!({"answer": "hours", "hours": 0}), json!({"answer": "no", "hours": 1})] {
        let refused = world.machine.connect().await.post(&path, &bad).await.refusal();
        assert_eq!(refused, (400, "bad_request".to_owned()));
    }
    world.machine.ask_to_stop();
    let told = patiently("an answer or an end", asked).await.unwrap();
    assert!(told.is_err() || told.unwrap().status >= 400);
}

#[tokio::test]
async fn the_first_rule_that_fits_decides_what_a_program_may_ask_for() {
    let cli = Program::Cli.path().canonicalize().unwrap();
    let rules = format!(
        "{ASK}[[rules]]\nname = \"command\"\nprograms = [{cli:?}]\naccounts = [\"{BOB}\"]\nconsent = \"none\"\n\
         may_administer = false\n[[rules]]\nscopes = [{SCOPE:?}]\nmay_ask = false\n"
    );
    let world = world(&rules).await;
    let mut caller = world.caller().await;
    let (status, error) = caller.start_flow(json!({"kind": "device_code"})).await.refusal();
    assert_eq!((status, error.as_str()), (403, "access_denied"), "the second rule: no asking");
    let body = caller.token(json!({"scopes": ["Mail.Read"]})).await.json();
    let said = body["error_description"].as_str().unwrap();
    assert!(
        said.contains("the 2nd of [[rules]]") && said.contains("the scope Mail.Read"),
        "{said}"
    );

    world.machine.write("config/valetkey/config.toml", ASK);
    let mut caller = world.signed_in(ALICE).await;
    world.machine.write("config/valetkey/config.toml", &rules);
    let (exit, said) = ended(token_by_command(&world).spawn().unwrap()).await;
    assert_eq!((exit, &said["error"]), (Some(3), &json!("sign_in_needed")), "{said}");
    let (exit, said) =
        ended(token_by_command(&world).args(["--account", ALICE]).spawn().unwrap()).await;
    assert_eq!(exit, Some(4), "{said}");
    assert!(
        said["error_description"].as_str().unwrap().contains(r#"the rule "command""#),
        "{said}"
    );
    let mut list = world.machine.command(Program::Cli);
    list.args(["--output", "json", "grants"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let (exit, said) = ended(list.spawn().unwrap()).await;
    assert_eq!((exit, &said["error"]), (Some(4), &json!("access_denied")), "{said}");
    caller.token(json!({})).await.success();
}

#[tokio::test]
async fn who_joins_anothers_sign_in_is_asked_about_before_the_token_goes_to_it() {
    let world = world(ASK).await;
    let mut caller = world.caller().await;
    let flow = caller.start_flow(json!({"kind": "device_code"})).await.success();
    let mut joining = Caller::open(world.machine.connect().await, &world.definition()).await;
    let joined = joining.start_flow(json!({"kind": "device_code"})).await.success();
    assert_eq!(joined["joined"], true);
    let code = flow["device"]["user_code"].as_str().unwrap();
    world.control().approve_device(code, ALICE).unwrap();
    let ended = joining.wait_for(&joined, 30).await;
    assert_eq!(ended["state"], "completed", "the same program");
    assert_eq!(words(&grants(&world).await), ["signed_in"]);
}

#[tokio::test]
async fn a_sign_in_that_another_program_has_joined_is_no_word_about_either() {
    let world = world(ASK).await;
    let mut beginner = Puppet::connect(&world.machine).await;
    let opened = beginner.post("/v1/apps", &world.definition()).await.unwrap().1;
    let app = format!("/v1/apps/{}", opened["app"].as_str().unwrap());
    let begin = json!({"kind": "device_code", "scopes": [SCOPE]});
    let (_, begun) = beginner.post(&format!("{app}/flows"), &begin).await.unwrap();
    let mut joining = world.caller().await;
    let joined = joining.start_flow(json!({"kind": "device_code"})).await.success();
    assert_eq!(joined["joined"], true);
    // Nobody knows which of the two has shown it.
    let code = begun["device"]["user_code"].as_str().unwrap();
    world.control().approve_device(code, ALICE).unwrap();
    let mut watch = Watch::start(&world);
    let answering = async {
        let prompt = watch.prompt().await;
        watch.answer("once").await;
        prompt
    };
    let (ended, prompt) = tokio::join!(joining.wait_for(&joined, 30), answering);
    assert_eq!(ended["state"], "completed", "{ended}");
    assert_eq!(prompt["processes"], json!([std::process::id()]));
    assert!(grants(&world).await.is_empty());
    beginner.send("POST", &format!("{app}/token"), &json!({"scopes": [SCOPE]})).await;
    assert_eq!(watch.prompt().await["processes"], json!([beginner.pid()]));
}

#[tokio::test]
async fn a_sign_in_that_is_over_brings_neither_its_grant_nor_its_token_back() {
    let world = world(ASK).await;
    let mut caller = world.caller().await;
    for takes_back in ["grant", "account"] {
        let flow = caller.start_flow(json!({"kind": "device_code"})).await.success();
        let code = flow["device"]["user_code"].as_str().unwrap();
        world.control().approve_device(code, ALICE).unwrap();
        assert_eq!(caller.wait_for(&flow, 30).await["state"], "completed");
        let path = format!("/v1/flows/{}", flow["flow"].as_str().unwrap());
        assert_eq!(world.machine.get(&path).await.status, 200);
        let grant = grants(&world).await.remove(0);
        let accounts = caller.accounts().await;
        match takes_back {
            "grant" => {
                let path = format!("/v1/grants/{}", grant["id"].as_str().unwrap());
                world.machine.connect().await.delete(&path).await.success();
            }
            _ => {
                let account = accounts[0]["home_account_id"].as_str().unwrap();
                caller.sign_out(account).await;
            }
        }
        let gone = world.machine.get(&path).await.refusal();
        assert_eq!(gone, (404, "unknown_flow".to_owned()), "{takes_back}");
        assert!(grants(&world).await.is_empty(), "{takes_back}");
    }
}

#[tokio::test]
async fn a_no_is_about_the_program_whatever_it_asks_for_next() {
    let world = world(ASK).await;
    world.signed_in(ALICE).await;
    let mut watch = Watch::start(&world);
    let asking = watch.refuse(&world).await;
    assert_eq!(ended(asking).await.0, Some(4));
    let mut more = token_by_command(&world);
    let (exit, said) = ended(more.args(["--scope", "Mail.ReadWrite"]).spawn().unwrap()).await;
    assert_eq!((exit, &said["error"]), (Some(4), &json!("access_denied")), "{said}");
    assert!(prompts(&world).await.is_empty());
}

#[tokio::test]
async fn a_program_that_changes_while_the_person_is_asked_gets_nothing_by_the_answer() {
    let world = world(ASK).await;
    world.signed_in(ALICE).await;
    let mut puppet = Puppet::connect(&world.machine).await;
    let opened = puppet.post("/v1/apps", &world.definition()).await.unwrap().1;
    let path = format!("/v1/apps/{}/token", opened["app"].as_str().unwrap());
    let first = Pid::from_raw(i32::try_from(puppet.pid()).unwrap()).unwrap();
    puppet.act(Act::Stay).await;
    let request = json!({"scopes": [SCOPE]});
    let asked = puppet.post(&path, &request);
    let said = async {
        let prompt = wait_for_waiting(&world, 1).await;
        let why = prompt["program"]["unidentified"].as_str().unwrap().to_owned();
        assert!(why.contains("interpreter"), "{prompt}");
        for word in ["always", "hours"] {
            let path = format!("/v1/prompts/{}", prompt["id"].as_str().unwrap());
            let answer = json!({"answer": word});
            let refused = world.machine.connect().await.post(&path, &answer).await;
            assert_eq!(refused.refusal(), (400, "bad_request".to_owned()), "{word}");
            let told = refused.json()["error_description"].to_string();
            assert!(told.contains("known by its process alone"), "{told}");
        }
        assert_eq!(words(&grants(&world).await), ["signed_in"]);
        kill_process(first, Signal::USR1).unwrap();
        let executable = format!("/proc/{first}/exe");
        while !std::fs::read_link(&executable).unwrap().ends_with("sleep") {
            tokio::task::yield_now().await;
        }
        let path = format!("/v1/prompts/{}", prompt["id"].as_str().unwrap());
        world.machine.connect().await.post(&path, &json!({"answer": "until_lock"})).await.success();
    };
    let (answer, ()) = tokio::join!(asked, said);
    let (status, body) = answer.unwrap();
    assert_eq!((status, &body["error"]), (403, &json!("access_denied")), "{body}");
    assert!(body["error_description"].as_str().unwrap().contains("has changed"), "{body}");
    puppet.send("POST", &path, &request).await;
    wait_for_waiting(&world, 1).await;
}
