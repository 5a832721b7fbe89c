//! `valetkey`, the command, against the real daemon: what it prints where, and how it exits.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::process::{Output, Stdio};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr};
use valetkey_testkit::entra::{Browser as Session, EntraEmulator, Options, Person};
use valetkey_tests::{ALICE, BOB, Browser, CLIENT_ID, Machine, Program, SCOPE, World, patiently};

/// A daemon whose configuration has the application `mail`.
async fn world_with_mail() -> World {
    let mut options = Options::default();
    options.settings.device_interval = 1;
    let entra = EntraEmulator::start(options).await.unwrap();
    let config = format!(
        "[apps.mail]\nclient_id = \"{CLIENT_ID}\"\nauthority = \"{}\"\nvalidate_authority = false\nscopes = [\"{SCOPE}\"]\n",
        entra.authority("common")
    );
    let mut machine = Machine::new();
    machine.write("config/valetkey/config.toml", &config);
    machine.launch().await;
    World { machine, entra }
}

async fn run(world: &World, arguments: &str) -> Output {
    let mut command = world.machine.command(Program::Cli);
    patiently(arguments, command.args(arguments.split_whitespace()).output()).await.unwrap()
}

/// Standard output of a command that succeeds.
async fn output_of(world: &World, arguments: &str) -> String {
    let output = run(world, arguments).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

async fn json_of(world: &World, arguments: &str) -> Value {
    let text = output_of(world, &format!("--output json {arguments}")).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments}: {error}: {text}"))
}

/// A command fails with this exit code, says so in words, and as JSON with this `error`.
async fn check_fails(world: &World, arguments: &str, exit: i32, error: &str, words: &str) {
    let output = run(world, arguments).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{arguments}: {said}");
    assert!(said.contains(words), "{arguments}: {said:?} lacks {words:?}");
    assert_eq!(output.stdout, b"", "{arguments}");
    let output = run(world, &format!("--output json {arguments}")).await;
    let body: Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!((output.status.code(), &body["error"]), (Some(exit), &json!(error)), "{body}");
}

/// A `login` that waits for the person.
struct Login {
    command: Child,
    told: BufReader<ChildStderr>,
}

impl Login {
    fn start(world: &World, arguments: &str) -> Self {
        let mut command = world.machine.command(Program::Cli);
        command.args(["login", "mail"]).args(arguments.split_whitespace());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut command = command.spawn().unwrap();
        let told = BufReader::new(command.stderr.take().unwrap());
        Self { command, told }
    }

    /// The word after `before`, in what the person is told.
    async fn read_word_after(&mut self, before: &str) -> String {
        let reading = async {
            loop {
                let mut line = String::new();
                assert_ne!(self.told.read_line(&mut line).await.unwrap(), 0, "no {before:?}");
                if let Some((_, rest)) = line.split_once(before) {
                    return rest.split_whitespace().next().unwrap().to_owned();
                }
            }
        };
        patiently(before, reading).await
    }

    /// Exit code, standard output, and the rest of standard error.
    async fn finish(mut self) -> (Option<i32>, String, String) {
        let mut told = String::new();
        patiently("the rest", self.told.read_to_string(&mut told)).await.unwrap();
        let output = patiently("the login", self.command.wait_with_output()).await.unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), told)
    }
}

async fn sign_in(world: &World, user: &str) {
    let mut login = Login::start(world, "--device-code --no-qr");
    let user_code = login.read_word_after("type the code").await;
    world.control().approve_device(&user_code, user).unwrap();
    let (exit, printed, told) = login.finish().await;
    assert_eq!(exit, Some(0), "{told}");
    assert!(printed.starts_with(&format!("Signed in as {user}")), "{printed}");
}

#[tokio::test]
async fn a_person_signs_in_with_a_code_and_programs_get_tokens() {
    let world = world_with_mail().await;
    check_fails(&world, "token mail", 3, "sign_in_needed", "valetkey login mail").await;
    sign_in(&world, ALICE).await;
    let token = output_of(&world, "token mail").await;
    let claims = world.control().verify_access_token(token.trim_end()).unwrap();
    assert_eq!(claims["preferred_username"], ALICE);
    assert_eq!(token, format!("{}\n", token.trim()), "the token alone, on one line");
    let result = json_of(&world, "token mail").await;
    assert_eq!(
        (&result["token_source"], &result["token_type"]),
        (&json!("cache"), &json!("Bearer"))
    );
    let other = json_of(&world, "token mail --scope https://graph.contoso.com/Files.Read").await;
    assert_eq!(other["token_source"], "identity_provider");
    let forced = json_of(&world, "token mail --force-refresh").await;
    assert_ne!(forced["access_token"], result["access_token"]);
}

#[tokio::test]
async fn a_person_signs_in_with_a_browser() {
    let world = world_with_mail().await;
    let mut login = Login::start(&world, "--no-browser");
    let url = login.read_word_after("  http").await;
    let url = format!("http{url}");
    let redirect = world.control().authorize(&url, ALICE, Person::Agrees, &Session::default());
    let redirect = redirect.unwrap();
    Browser::of(&redirect).follow(&redirect).await.unwrap();
    let (exit, printed, told) = login.finish().await;
    assert_eq!((exit, printed.contains(ALICE)), (Some(0), true), "{told}");
}

#[tokio::test]
async fn a_person_who_says_no_is_a_denial() {
    let world = world_with_mail().await;
    let mut login = Login::start(&world, "--device-code --no-qr");
    let user_code = login.read_word_after("type the code").await;
    world.control().decline_device(&user_code).unwrap();
    let (exit, printed, told) = login.finish().await;
    assert_eq!((exit, printed.as_str()), (Some(4), ""), "{told}");
}

#[tokio::test]
async fn of_several_accounts_one_is_named() {
    let world = world_with_mail().await;
    sign_in(&world, ALICE).await;
    sign_in(&world, BOB).await;
    check_fails(&world, "token mail", 1, "account_ambiguous", ALICE).await;
    let accounts = json_of(&world, "accounts mail").await;
    assert_eq!(accounts["accounts"].as_array().unwrap().len(), 2, "{accounts}");
    let listed = output_of(&world, "accounts").await;
    assert!(listed.contains(ALICE) && listed.contains(BOB), "{listed}");
    for account in accounts["accounts"].as_array().unwrap() {
        for member in ["username", "home_account_id"] {
            let name = account[member].as_str().unwrap();
            let token = output_of(&world, &format!("token mail --account {name}")).await;
            let claims = world.control().verify_access_token(token.trim_end()).unwrap();
            assert_eq!(claims["preferred_username"], account["username"]);
        }
    }
    check_fails(&world, "logout mail", 1, "account_ambiguous", BOB).await;
    output_of(&world, &format!("logout mail --account {ALICE}")).await;
    let left = json_of(&world, "accounts mail").await;
    assert_eq!(left["accounts"][0]["username"], BOB, "{left}");
    output_of(&world, "logout mail --all").await;
    check_fails(&world, "token mail", 3, "sign_in_needed", "valetkey login mail").await;
}

#[tokio::test]
async fn the_daemon_is_described() {
    let world = world_with_mail().await;
    let status = json_of(&world, "status").await;
    assert_eq!(status["pid"], world.machine.pid());
    assert!(output_of(&world, "status").await.contains("file"), "where the key is");
    let path = output_of(&world, "path").await;
    assert_eq!(path.trim_end(), world.machine.endpoint().to_string());
    assert_eq!(json_of(&world, "path").await["socket"], path.trim_end());
    assert_eq!(json_of(&world, "apps").await["apps"][0]["name"], "mail");
    assert!(output_of(&world, "completions bash").await.contains("valetkey"));
}

#[tokio::test]
async fn a_wrong_command_line_is_told_from_a_refused_one() {
    let world = world_with_mail().await;
    for arguments in
        ["", "magic", "token mail --magic", "login mail --device-code --no-browser", "token"]
    {
        let output = run(&world, arguments).await;
        assert_eq!(output.status.code(), Some(2), "{arguments}: {output:?}");
    }
    check_fails(&world, "token post", 1, "unknown_app", "mail").await;
    check_fails(&world, "token mail --scope openid", 1, "reserved_scope", "openid").await;
}

#[tokio::test]
async fn events_are_printed_as_they_come_through_locks_until_the_daemon_ends() {
    let mut world = world_with_mail().await;
    let mut command = world.machine.command(Program::Cli);
    command.args(["--output", "json", "events"]).stdout(Stdio::piped());
    let mut events = command.spawn().unwrap();
    let mut lines = BufReader::new(events.stdout.take().unwrap()).lines();
    // The stream may open after an event: one that comes again and again is seen in the end.
    let first = patiently("an event", async {
        loop {
            run(&world, "token mail").await;
            tokio::select! {
                line = lines.next_line() => break line.unwrap().unwrap(),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
    let event: Value = serde_json::from_str(&first).unwrap();
    assert_eq!(
        (&event["event"], &event["client_id"]),
        (&json!("sign_in_needed"), &json!(CLIENT_ID))
    );
    world.machine.write("foreign.json", "{\"AccessToken\": {}}");
    let import = format!("cache import {}", world.machine.folder().join("foreign.json").display());
    for (arguments, expected) in
        [("lock", "locked"), ("unlock", "unlocked"), (import.as_str(), "cache_imported")]
    {
        output_of(&world, arguments).await;
        let next = async {
            loop {
                let line = lines.next_line().await.unwrap().expect("it goes on");
                let event: Value = serde_json::from_str(&line).unwrap();
                // There may be more of the first kind.
                if event["event"] != "sign_in_needed" {
                    break event["event"].clone();
                }
            }
        };
        assert_eq!(patiently(expected, next).await, expected);
    }
    world.machine.kill().await;
    let ended = patiently("the end of the events", events.wait()).await.unwrap();
    assert_eq!(ended.code(), Some(5));
}
