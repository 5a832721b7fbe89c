//! Keys are replaced while programs go on: nothing fails, nothing is lost, and the old keys open nothing.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Machine, World, patiently, skip};

async fn rotate(world: &World, request: Value) -> valetkey_tests::Answer {
    world.machine.connect().await.post("/v1/keys/rotate", &request).await
}

/// Waits until all records are sealed anew, and answers what the status says of the key.
async fn sealed_anew(world: &World) -> Value {
    let done = async {
        loop {
            let key = world.machine.status().await["key"].clone();
            if key["sealing_anew"].is_null() {
                return key;
            }
        }
    };
    patiently("the end of a rotation", done).await
}

#[tokio::test]
async fn programs_go_on_while_keys_are_replaced() {
    let mut world = World::start().await;
    let users: Vec<_> = (0..8).map(|_| world.new_user()).collect();
    for user in &users {
        world.signed_in(user).await;
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for _ in 0..4 {
        let mut caller = world.caller().await;
        let is_over = Arc::clone(&is_over);
        let users = users.clone();
        callers.push(tokio::spawn(async move {
            let mut asked = 0;
            while !is_over.load(Ordering::Relaxed) {
                let user = &users[asked % users.len()];
                let request = json!({"account": user, "force_refresh": true});
                caller.token(request).await.success();
                asked += 1;
            }
            asked
        }));
    }
    for _ in 0..5 {
        rotate(&world, json!({"wrapping": true, "data": true})).await.success();
        let key = sealed_anew(&world).await;
        assert_eq!(key["provider"], "file");
    }
    is_over.store(true, Ordering::Relaxed);
    for caller in callers {
        assert!(caller.await.unwrap() > 0);
    }
    world.machine.restart().await;
    let mut caller = world.caller().await;
    assert_eq!(caller.accounts().await.len(), users.len());
    for user in &users {
        caller.token(json!({"account": user, "force_refresh": true})).await.success();
    }
    assert_eq!(world.machine.status().await["store"]["problems"], json!([]));
    let key_files = std::fs::read_dir(world.machine.state_dir()).unwrap();
    let names = key_files.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    assert_eq!(names.filter(|name| name.starts_with("key-")).count(), 1);
}

/// Has the configuration say where the key is.
fn declare(machine: &Machine, key: &str) {
    machine.write("config/valetkey/config.toml", format!("[vault]\nkey = \"{key}\"\n"));
}

#[tokio::test]
async fn no_request_takes_the_key_from_where_the_environment_says_it_is() {
    let credentials = tempfile::tempdir().unwrap();
    let mut key = std::fs::File::create(credentials.path().join("valetkey-key")).unwrap();
    std::io::Write::write_all(&mut key, &[7; 32]).unwrap();
    let folder = credentials.path().to_str().unwrap();
    let mut machine = Machine::new()
        .with("VALETKEY_KEY_PROVIDER", "credential")
        .with("CREDENTIALS_DIRECTORY", folder);
    machine.launch().await;
    for request in [
        json!({"provider": "file", "weaker": true}),
        json!({"provider": "passphrase", "weaker": true, "new_passphrase": "mine alone"}),
    ] {
        // The environment goes before what the configuration says.
        for key in ["auto", "file", "passphrase"] {
            declare(&machine, key);
            let refused = machine.connect().await.post("/v1/keys/rotate", &request).await;
            assert_eq!(refused.refusal(), (403, "access_denied".to_owned()), "{key} {request}");
        }
    }
    machine.restart().await;
    assert_eq!(machine.status().await["key"]["provider"], "credential");
}

/// What is on record of rotations.
async fn rotations(world: &World) -> Vec<String> {
    let audit = world.machine.get("/v1/audit").await.success();
    let records = audit["records"].as_array().unwrap().iter();
    let rotated = records.filter(|record| record["act"] == "keys_rotated");
    rotated.map(|record| record["detail"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_key_moves_from_a_file_to_a_passphrase_and_back_when_that_is_asked_for() {
    let machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "auto");
    declare(&machine, "auto");
    let mut world = World::with(machine, Options::default()).await;
    if world.machine.status().await["key"]["provider"] != "file" {
        return skip("the machine has a keyring");
    }
    let token = world.caller().await.sign_in(world.control(), ALICE).await;
    let nothing = rotate(&world, json!({})).await;
    assert_eq!(nothing.refusal(), (400, "bad_request".to_owned()));
    let unknown = rotate(&world, json!({"provider": "auto"})).await;
    assert_eq!(unknown.refusal(), (400, "bad_request".to_owned()));
    let first = json!({"provider": "passphrase", "new_passphrase": "first"});
    let undeclared = rotate(&world, first.clone()).await;
    assert_eq!(undeclared.refusal(), (403, "access_denied".to_owned()));
    declare(&world.machine, "passphrase");
    rotate(&world, first).await.success();
    assert_eq!(rotations(&world).await, ["the wrapping key; its provider is now `passphrase`"]);
    world.machine.restart().await;
    let mut connection = world.machine.connect().await;
    assert_eq!(world.machine.status().await["locked"], true);
    connection.post("/v1/unlock", &json!({"passphrase": "first"})).await.success();
    let undeclared = json!({"provider": "file", "weaker": true, "passphrase": "first"});
    assert_eq!(rotate(&world, undeclared).await.refusal(), (403, "access_denied".to_owned()));
    declare(&world.machine, "file");
    let weaker = json!({"provider": "file", "passphrase": "first"});
    let refused = rotate(&world, weaker).await;
    assert_eq!(refused.refusal(), (400, "bad_request".to_owned()));
    let said = refused.json()["error_description"].as_str().unwrap().to_owned();
    assert!(said.contains("protects less"), "{said}");
    let wrong = json!({"provider": "file", "weaker": true, "passphrase": "second"});
    assert_eq!(rotate(&world, wrong).await.refusal(), (403, "access_denied".to_owned()));
    let asked = json!({"provider": "file", "weaker": true, "passphrase": "first"});
    rotate(&world, asked).await.success();
    assert_eq!(rotations(&world).await.len(), 2);
    world.machine.restart().await;
    let kept = world.caller().await.token(json!({})).await.success();
    assert_eq!(kept["access_token"], token["access_token"]);
    assert!(!world.machine.logs().contains("first"));
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_passphrase_is_not_in_the_passphrase_file_and_that_is_said() {
    use tokio::io::AsyncWriteExt as _;

    let mut machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "passphrase");
    machine.write("passphrase", "old\n");
    let file = machine.folder().join("passphrase");
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(&file, private).unwrap();
    let config = format!("[vault]\nkey = \"passphrase\"\npassphrase_file = {file:?}\n");
    machine.write("config/valetkey/config.toml", config);
    machine.launch().await;
    let mut command = machine.command(valetkey_tests::Program::Cli);
    command.args(["key", "rotate", "--new-passphrase"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut running = command.spawn().unwrap();
    running.stdin.take().unwrap().write_all(b"old\nnew\n").await.unwrap();
    let output = patiently("the rotation", running.wait_with_output()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains(file.to_str().unwrap()), "{said}");
    machine.kill().await;
    let said = machine.launch_in_vain().await;
    assert!(said.contains("`passphrase_file`") && said.contains(file.to_str().unwrap()), "{said}");
    machine.write("passphrase", "new\n");
    machine.launch().await;
    assert_eq!(machine.status().await["locked"], false);
}
