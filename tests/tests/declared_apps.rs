//! Confidential applications that the configuration declares: a program uses a credential that it never sees, if it is one
//! of those that the application is for.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use valetkey_client::v1::{Grant, TokenRequest};
use valetkey_testkit::entra::{Certificate, Client, EntraEmulator, Options};
use valetkey_tests::{
    ALICE, Answer, Caller, Connection, Machine, Program, Puppet, World, patiently, request,
};

const CONFIG: &str = "config/valetkey/config.toml";
const APP: &str = "a91a91a9-0000-4000-8000-00000000da7a";
const SECRET: &str = "s3cret-that-nobody-sees";
const SCOPE: &str = "https://vault.contoso.com/.default";
const PASSPHRASE: &str = "schlüssel";
const BY_FILE: &str = "secret = { file = \"@secret\" }";
const THUMBPRINT: &str = "7A:31:62:5E:C0:A0:13:A7:1D:30:4E:AC:03:19:93:9A:12:72:53:9E";

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../crates/oauth/src/credential/fixtures/", $name))
    };
}

/// A daemon that has systemd's credentials in `credentials`, and a provider that knows the application.
async fn start() -> World {
    let certificate = String::from_utf8_lossy(fixture!("certificate.pem"));
    let options = Options {
        clients: vec![Client {
            id: APP.into(),
            secret: Some(SECRET.into()),
            certificates: vec![Certificate::from_pem(&certificate).unwrap()],
            identifier_uris: vec!["api://reports".into()],
            ..Client::default()
        }],
        ..Options::default()
    };
    let mut machine = Machine::new().with("VALETKEY_LOG", "trace");
    machine.set("CREDENTIALS_DIRECTORY", machine.folder().join("credentials"));
    for (name, content) in [
        ("secret", SECRET.as_bytes()),
        ("line", &[SECRET.as_bytes(), b"\n"].concat()),
        ("wrong", b"another"),
        ("passphrase", PASSPHRASE.as_bytes()),
        ("key", fixture!("key.pem")),
        ("key.aes", fixture!("key.aes.pem")),
        ("certificate", fixture!("certificate.pem")),
        ("pfx", fixture!("aes.pfx")),
    ] {
        for folder in ["secrets", "credentials"] {
            let path = format!("{folder}/{name}");
            machine.write(&path, content);
            let mode = fs::Permissions::from_mode(0o600);
            fs::set_permissions(machine.folder().join(path), mode).unwrap();
        }
    }
    machine.launch().await;
    let mut options = options;
    options.settings.device_interval = 1;
    World { machine, entra: EntraEmulator::start(options).await.unwrap() }
}

/// Declares the application `reports`. In `credential`, `@name` is a file of that name.
fn declare(world: &World, callers: &str, credential: &str) {
    let authority = world.entra.authority("contoso.com");
    let folder = world.machine.folder().join("secrets");
    let files = format!("file = \"{}/", folder.display());
    let credential = credential.replace("file = \"@", &files);
    let text = format!(
        "[apps.reports]\nkind = \"confidential\"\nclient_id = \"{APP}\"\nauthority = \"{authority}\"\n\
         validate_authority = false\nscopes = [\"{SCOPE}\"]\n{callers}\n[apps.reports.credential]\n{credential}\n"
    );
    world.machine.write(CONFIG, text);
}

/// The rule that lets this test in.
fn this_program() -> String {
    format!("programs = [{:?}]", std::env::current_exe().unwrap())
}

async fn open(world: &World) -> Answer {
    world.machine.connect().await.post("/v1/apps", &json!({"name": "reports"})).await
}

async fn caller(world: &World) -> Caller {
    Caller::open(world.machine.connect().await, &json!({"name": "reports"})).await
}

/// A program that is named, and has had a token.
async fn admitted() -> (World, Caller) {
    let world = start().await;
    declare(&world, &this_program(), BY_FILE);
    let mut caller = caller(&world).await;
    assert_eq!(own_token(&mut caller).await.status, 200);
    (world, caller)
}

/// The application's own token, for the scopes that it was declared with.
async fn own_token(caller: &mut Caller) -> Answer {
    let path = format!("/v1/apps/{}/token", caller.app);
    caller.connection.post(&path, &json!({"grant": "client_credentials"})).await
}

async fn put_secret(connection: &mut Connection, name: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    let path = format!("/v1/secrets/{name}");
    connection.ask(&request("PUT", &path, &headers, body.as_bytes())).await
}

/// It is refused with this code, and the text or the hint says this.
fn check_refused(answer: &Answer, expected: (u16, &str), words: &str) {
    assert_eq!(answer.refusal(), (expected.0, expected.1.to_owned()));
    let body = answer.json();
    let said = format!("{} {}", body["error_description"], body["hint"]).replace('\\', "");
    assert!(said.contains(words), "{said} lacks {words}");
    assert!(!said.contains("verified"), "{said}");
}

#[tokio::test]
async fn a_program_uses_a_credential_in_every_form_and_place() {
    let world = start().await;
    let mut connection = world.machine.connect().await;
    for (name, body) in [
        ("secret", json!({"secret": SECRET})),
        ("passphrase", json!({"secret": PASSPHRASE})),
        ("pfx", json!({"base64": STANDARD.encode(fixture!("aes.pfx"))})),
    ] {
        assert_eq!(put_secret(&mut connection, name, &body).await.status, 204);
    }
    for credential in [
        BY_FILE,
        "secret = { file = \"@line\" }",
        "secret = { systemd_credential = \"secret\" }",
        "secret = { vault = \"secret\" }",
        &format!("private_key = {{ file = \"@key\" }}\nthumbprint = \"{THUMBPRINT}\""),
        "private_key = { file = \"@key.aes\" }\npassphrase = { vault = \"passphrase\" }\n\
         certificate = { systemd_credential = \"certificate\" }",
        "pfx = { file = \"@pfx\" }\npassphrase = { systemd_credential = \"passphrase\" }",
        "pfx = { vault = \"pfx\" }\npassphrase = { file = \"@passphrase\" }\nsend_certificate = true",
    ] {
        declare(&world, &this_program(), credential);
        let mut caller = caller(&world).await;
        let token = own_token(&mut caller).await;
        assert_eq!(token.status, 200, "{credential}: {}", token.json());
        let claims =
            world.control().verify_access_token(token.json()["access_token"].as_str().unwrap());
        assert_eq!(claims.unwrap()["azp"], APP, "{credential}");
    }
}

#[tokio::test]
async fn a_declared_application_acts_for_the_user_who_called_it() {
    let world = start().await;
    declare(&world, &this_program(), BY_FILE);
    let mut user = world.caller().await;
    let flow = json!({"kind": "device_code", "scopes": ["api://reports/Read"]});
    let flow = user.start_flow(flow).await.success();
    let code = flow["device"]["user_code"].as_str().unwrap();
    world.control().approve_device(code, ALICE).unwrap();
    let called_with = user.wait_for(&flow, 30).await["result"]["access_token"].clone();

    let mut caller = caller(&world).await;
    let request = json!({"grant": "on_behalf_of", "user_assertion": called_with});
    let token = caller.token(request.clone()).await.success();
    assert_eq!(token["token_source"], "identity_provider");
    let again = caller.token(request).await.success();
    assert_eq!(
        (&again["token_source"], &again["access_token"]),
        (&json!("cache"), &token["access_token"])
    );
    assert_eq!(caller.usernames().await, [""; 0], "an exchange is no account of the application's");
}

#[tokio::test]
async fn whoever_is_not_named_is_refused_and_told_which_key_names_them() {
    let world = start().await;
    let secret = BY_FILE;
    let uid = rustix::process::getuid().as_raw();
    let this = std::env::current_exe().unwrap();
    let add = format!("add {this:?} to `programs` in [apps.reports]");
    for (callers, words) in [
        ("", "programs = [\"/path\"]"),
        ("programs = [\"/bin/true\"]", add.as_str()),
        ("programs = [\"/nonexistent\"]", &add),
        ("programs = []", &add),
        (&format!("{}\nusers = [\"nobody\"]", this_program()), &format!("add {uid} to `users`")),
        ("users = [\"no-such-user\"]", "to `users` in [apps.reports]"),
    ] {
        declare(&world, callers, secret);
        check_refused(&open(&world).await, (403, "access_denied"), words);
    }
    for callers in [format!("users = [{uid}]"), format!("{}\nusers = [{uid}]", this_program())] {
        declare(&world, &callers, secret);
        assert_eq!(open(&world).await.status, 200, "{callers}");
    }
    assert_eq!(world.control().requests(), [], "nothing of this asks the provider");
}

#[tokio::test]
async fn a_program_is_known_by_its_file() {
    let world = start().await;
    let link = world.machine.folder().join("link");
    std::os::unix::fs::symlink(std::env::current_exe().unwrap(), &link).unwrap();
    declare(&world, &format!("programs = [{link:?}]"), BY_FILE);
    assert_eq!(open(&world).await.status, 200, "a link leads to the same file");
    let copy = world.machine.folder().join("copy");
    fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    declare(&world, &format!("programs = [{copy:?}]"), BY_FILE);
    check_refused(&open(&world).await, (403, "access_denied"), "`programs`");
}

#[tokio::test]
async fn its_id_opens_nothing_to_another_process() {
    let (world, first) = admitted().await;
    let mut other = Puppet::connect(&world.machine).await;
    let (path, body) = (format!("/v1/apps/{}/token", first.app), json!({"scopes": []}));
    let (status, said) = other.ask("POST", &path, &body).await.unwrap();
    assert_eq!((status, &said["error"]), (404, &json!("unknown_app")));
}

#[tokio::test]
async fn who_is_named_no_longer_gets_nothing_more() {
    let (world, mut caller) = admitted().await;
    caller.connection = world.machine.connect().await;
    assert_eq!(own_token(&mut caller).await.status, 200, "each connection of the process");
    declare(&world, "programs = [\"/bin/true\"]", BY_FILE);
    world.machine.status().await;
    assert_eq!(own_token(&mut caller).await.refusal(), (403, "access_denied".to_owned()));
    let opened = caller.connection.post("/v1/apps", &json!({"name": "reports"})).await;
    assert_eq!(opened.refusal(), (403, "access_denied".to_owned()));
}

#[tokio::test]
async fn who_asks_for_nothing_but_tokens_is_refused_within_seconds() {
    let (world, mut caller) = admitted().await;
    declare(&world, "programs = [\"/bin/true\"]", BY_FILE);
    let refused = async {
        while own_token(&mut caller).await.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    patiently("the refusal", refused).await;
    assert_eq!(own_token(&mut caller).await.refusal(), (403, "access_denied".to_owned()));
}

#[tokio::test]
async fn a_secret_that_was_replaced_is_used_from_then_on() {
    let world = start().await;
    let mut connection = world.machine.connect().await;
    put_secret(&mut connection, "reports", &json!({"secret": "wrong"})).await.success();
    declare(&world, &this_program(), "secret = { vault = \"reports\" }");
    let mut caller = caller(&world).await;
    let (_, error) = own_token(&mut caller).await.refusal();
    assert_eq!(error, "invalid_client");
    put_secret(&mut connection, "reports", &json!({"secret": SECRET})).await.success();
    assert_eq!(own_token(&mut caller).await.refusal().1, "unknown_app", "to be opened again");
    caller = Caller::open(caller.connection, &json!({"name": "reports"})).await;
    assert_eq!(own_token(&mut caller).await.status, 200);
    assert_eq!(connection.delete("/v1/secrets/reports").await.status, 204);
    check_refused(
        &open(&world).await,
        (400, "invalid_credential"),
        "`valetkey apps secret reports` sets it",
    );
}

#[tokio::test]
async fn a_secret_that_is_as_before_or_another_ones_ends_nothing() {
    let world = start().await;
    let mut connection = world.machine.connect().await;
    put_secret(&mut connection, "reports", &json!({"secret": SECRET})).await.success();
    declare(&world, &this_program(), "secret = { vault = \"reports\" }");
    let mut caller = caller(&world).await;
    for _ in 0..2 {
        put_secret(&mut connection, "reports", &json!({"secret": SECRET})).await.success();
        put_secret(&mut connection, "another", &json!({"secret": "x"})).await.success();
        assert_eq!(connection.delete("/v1/secrets/nowhere").await.status, 204);
        assert_eq!(own_token(&mut caller).await.status, 200);
    }
    assert_eq!(connection.delete("/v1/secrets/another").await.status, 204);
    let logs = world.machine.logs();
    let count = |words: &str| logs.lines().filter(|line| line.contains(words)).count();
    assert_eq!((count("a secret was kept"), count("a secret was forgotten")), (2, 1), "{logs}");
    let process = std::process::id().to_string();
    let said = logs.lines().find(|line| line.contains("a secret was forgotten")).unwrap();
    assert!(said.contains("another") && said.contains(&process), "{said}");
}

#[tokio::test]
async fn there_is_an_end_to_the_number_of_secrets() {
    let machine = Machine::start().await;
    let mut connection = machine.connect().await;
    let secret = json!({"secret": "x"});
    for number in 0..256 {
        let name = format!("secret-{number}");
        assert_eq!(put_secret(&mut connection, &name, &secret).await.status, 204, "{name}");
    }
    let refused = put_secret(&mut connection, "one-more", &secret).await;
    check_refused(&refused, (429, "too_many_requests"), "256 secrets");
    let other = json!({"secret": "y"});
    assert_eq!(put_secret(&mut connection, "secret-7", &other).await.status, 204);
    assert_eq!(connection.delete("/v1/secrets/secret-7").await.status, 204);
    assert_eq!(put_secret(&mut connection, "one-more", &secret).await.status, 204);
}

#[tokio::test]
async fn a_credential_that_cannot_be_had_is_named_with_its_part_and_the_way_out() {
    let world = start().await;
    let lax = world.machine.folder().join("secrets/secret");
    fs::set_permissions(&lax, fs::Permissions::from_mode(0o644)).unwrap();
    for (credential, words) in [
        (BY_FILE, "`chmod 600`"),
        ("secret = { file = \"@nowhere\" }", "secrets/nowhere"),
        ("secret = { systemd_credential = \"nowhere\" }", "systemd credential nowhere"),
        ("secret = { vault = \"nowhere\" }", "`valetkey apps secret nowhere` sets it"),
        ("secret = { file = \"@pfx\" }", "it is no text"),
        ("pfx = { file = \"@pfx\" }\npassphrase = { file = \"@wrong\" }", "passphrase"),
        ("private_key = { file = \"@certificate\" }\nthumbprint = \"ab\"", "private key"),
    ] {
        declare(&world, &this_program(), credential);
        check_refused(&open(&world).await, (400, "invalid_credential"), words);
    }
}

#[tokio::test]
async fn a_pipe_in_the_place_of_a_secret_is_named_and_waited_for_by_nobody() {
    let mut world = start().await;
    let pipe = world.machine.folder().join("secrets/pipe");
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    declare(&world, &this_program(), "secret = { file = \"@pipe\" }");
    check_refused(&open(&world).await, (400, "invalid_credential"), "not a regular file");
    assert!(world.machine.stop().await.success());
}

#[tokio::test]
async fn what_is_declared_is_listed_for_everybody_and_opened_for_nobody_by_that() {
    let world = start().await;
    declare(&world, "programs = [\"/bin/true\"]", "secret = { file = \"@nowhere\" }");
    let listed = world.machine.get("/v1/apps").await.success();
    let authority = world.entra.authority("contoso.com");
    let expected = json!({"app": "reports", "name": "reports", "kind": "confidential", "client_id": APP, "authority": authority});
    assert_eq!(listed["apps"], json!([expected]));
    declare(&world, &this_program(), BY_FILE);
    let mut caller = caller(&world).await;
    let listed = caller.connection.get("/v1/apps").await.success();
    assert_eq!(listed["apps"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(listed["apps"][0]["app"], caller.app.as_str());
}

#[tokio::test]
async fn nothing_answers_or_writes_down_a_secret() {
    let mut world = start().await;
    let mut connection = world.machine.connect().await;
    put_secret(&mut connection, "reports", &json!({"secret": SECRET})).await.success();
    assert_eq!(connection.get("/v1/secrets/reports").await.refusal().0, 405);
    for (name, body) in [
        ("..", json!({"secret": SECRET})),
        ("a", json!({"secret": SECRET, "base64": ""})),
        ("a", json!({})),
    ] {
        let answer = put_secret(&mut connection, name, &body).await;
        assert_eq!(answer.refusal(), (400, "bad_request".to_owned()), "{name}");
        assert!(!answer.json().to_string().contains(SECRET));
    }
    declare(&world, &this_program(), "secret = { vault = \"reports\" }");
    world.machine.restart().await;
    let mut caller = caller(&world).await;
    assert_eq!(own_token(&mut caller).await.status, 200, "it survives a kill");
    let path = format!("/v1/apps/{}/cache", caller.app);
    assert_eq!(caller.connection.get(&path).await.refusal().0, 403);
    for path in ["/v1/status", "/v1/apps"] {
        assert!(!caller.connection.get(path).await.success().to_string().contains(SECRET));
    }
    assert!(!world.machine.logs().contains(SECRET));
    for entry in fs::read_dir(world.machine.state_dir()).unwrap() {
        let content = fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!content.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()));
    }
}

#[tokio::test]
async fn the_command_hands_a_secret_in_and_uses_it() {
    let world = start().await;
    let cli = Program::Cli.path();
    declare(&world, &format!("programs = [{cli:?}]"), "secret = { vault = \"reports\" }");
    let run = async |words: &[&str], input: &str| {
        let mut command = world.machine.command(Program::Cli);
        command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = patiently("the command", child.wait_with_output()).await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, _, said) = run(&["token", "reports"], "").await;
    assert!(code == Some(1) && said.contains("valetkey apps secret reports"), "{said}");
    let kept = run(&["apps", "secret", "reports"], &format!("{SECRET}\n")).await;
    assert_eq!(kept, (Some(0), "Kept.\n".to_owned(), String::new()));
    let (code, token, said) = run(&["token", "reports"], "").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(world.control().verify_access_token(token.trim()).is_some());
    declare(&world, "programs = [\"/bin/true\"]", "secret = { vault = \"reports\" }");
    let (code, _, said) = run(&["token", "reports"], "").await;
    assert!(code == Some(4) && said.contains("to `programs` in [apps.reports]"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sdk_uses_it_over_all_of_its_connections_and_through_a_change() {
    let world = start().await;
    declare(&world, &this_program(), BY_FILE);
    let client = valetkey_client::Client::at(world.machine.endpoint().clone());
    let app = client.open_named_app("reports").await.unwrap();
    let request = TokenRequest { grant: Grant::ClientCredentials, ..TokenRequest::default() };
    let ask_eight_times = async || {
        let callers = (0..8).map(|_| {
            let (app, request) = (app.clone(), request.clone());
            tokio::spawn(async move { app.acquire_token(&request).await })
        });
        for caller in callers.collect::<Vec<_>>() {
            caller.await.unwrap().unwrap();
        }
    };
    ask_eight_times().await;
    let key = format!("private_key = {{ file = \"@key\" }}\nthumbprint = \"{THUMBPRINT}\"");
    declare(&world, &this_program(), &key);
    world.machine.status().await;
    ask_eight_times().await;
}

#[tokio::test]
async fn a_locked_store_says_that_it_is_locked() {
    let mut machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "passphrase");
    machine.launch().await;
    let mut connection = machine.connect().await;
    let answer = put_secret(&mut connection, "reports", &json!({"secret": SECRET})).await;
    assert_eq!(answer.refusal(), (423, "store_locked".to_owned()));
}
