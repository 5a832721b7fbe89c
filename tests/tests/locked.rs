//! A store that a passphrase protects: what a locked daemon says, and that unlocking brings everything back.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::json;
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Machine, Program, World, patiently, request};

const PASSPHRASE: &str = "correct horse battery staple";

async fn unlock(world: &World, passphrase: &str) -> valetkey_tests::Answer {
    let mut connection = world.machine.connect().await;
    connection.post("/v1/unlock", &json!({"passphrase": passphrase})).await
}

async fn check_locked(world: &World) {
    let status = world.machine.status().await;
    assert_eq!(
        (&status["locked"], &status["key"]["provider"]),
        (&json!(true), &json!("passphrase"))
    );
    let mut connection = world.machine.connect().await;
    let refused = connection.post("/v1/apps", &world.definition()).await;
    assert_eq!(refused.refusal(), (423, "store_locked".to_owned()));
    assert!(refused.json()["hint"].as_str().unwrap().contains("valetkey unlock"));
}

#[tokio::test]
async fn a_locked_store_waits_for_its_passphrase_and_nothing_else() {
    let machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "passphrase");
    let mut world = World::with(machine, Options::default()).await;
    check_locked(&world).await;
    unlock(&world, PASSPHRASE).await.success();
    let token = world.caller().await.sign_in(world.control(), ALICE).await;
    assert_eq!(world.machine.status().await["locked"], false);

    world.machine.restart().await;
    check_locked(&world).await;
    for wrong in ["incorrect horse", "Correct horse battery staple"] {
        let refused = unlock(&world, wrong).await;
        assert_eq!(refused.refusal(), (423, "store_locked".to_owned()), "{wrong:?}");
        assert!(!String::from_utf8_lossy(&refused.body).contains(PASSPHRASE));
    }
    let too_soon = unlock(&world, PASSPHRASE).await;
    assert_eq!(too_soon.refusal(), (429, "too_many_requests".to_owned()));
    assert_eq!(too_soon.json()["retry_after"], 1);
    check_locked(&world).await;
    world.machine.restart().await;
    unlock(&world, PASSPHRASE).await.success();
    let kept = world.caller().await.token(json!({})).await.success();
    assert_eq!(kept["access_token"], token["access_token"]);

    world.machine.connect().await.post("/v1/lock", &json!({})).await.success();
    check_locked(&world).await;
    unlock(&world, PASSPHRASE).await.success();
    let kept = world.caller().await.token(json!({})).await.success();
    assert_eq!(kept["access_token"], token["access_token"]);
    assert!(!world.machine.logs().contains(PASSPHRASE));
}

#[tokio::test]
async fn a_store_that_needs_nobody_stays_locked_until_somebody_asks() {
    let world = World::start().await;
    let token = world.caller().await.sign_in(world.control(), ALICE).await;
    let mut caller = world.caller().await;
    let mut connection = world.machine.connect().await;
    connection.post("/v1/lock", &json!({})).await.success();
    let status = world.machine.status().await;
    assert_eq!((&status["locked"], &status["key"]["provider"]), (&json!(true), &json!("file")));
    let protection = status["key"]["protection"].as_str().unwrap();
    assert!(protection.contains("last resort") && protection.contains("locked"), "{protection}");
    for _ in 0..2 {
        let refused = connection.post("/v1/apps", &world.definition()).await;
        assert_eq!(refused.refusal(), (423, "store_locked".to_owned()));
        let refused = caller.token(json!({})).await;
        assert_eq!(refused.refusal(), (423, "store_locked".to_owned()));
    }
    // As `curl -X POST` sends it, with and without the length of nothing.
    for headers in ["", "Content-Length: 0\r\n", "Content-Type: application/json\r\n"] {
        for (path, is_locked) in [("/v1/lock", true), ("/v1/unlock", false)] {
            let answer = connection.ask(&request("POST", path, headers, b"")).await;
            assert_eq!(answer.status, 204, "{path}: {answer:?}");
            assert_eq!(world.machine.status().await["locked"], is_locked);
        }
    }
    let kept = caller.token(json!({})).await.success();
    assert_eq!(kept["access_token"], token["access_token"], "under the id from before the lock");
}

#[tokio::test]
async fn a_key_in_a_file_is_called_the_last_resort_by_each_way_of_asking() {
    let machine = Machine::start().await;
    for path in ["/v1/lock", "/v1/unlock"] {
        machine.connect().await.post(path, &json!({})).await.success();
        for words in ["status", "status --output json", "key", "doctor", "doctor --output json"] {
            let told = output_of(&machine, words).await.0;
            assert!(told.contains("file") && told.to_lowercase().contains("last resort"), "{told}");
        }
    }
}

/// Nobody answers on the bus, since there is none.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_keyring_that_is_not_there_is_named_as_what_the_store_waits_for() {
    let machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "keyring");
    let mut machine = machine.with("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    machine.launch().await;
    let status = machine.status().await;
    assert_eq!((&status["locked"], &status["key"]["provider"]), (&json!(true), &json!("keyring")));
    assert_eq!(status["store"]["problems"], json!([]));
    assert!(output_of(&machine, "doctor").await.0.contains("key keyring: get the store's key"));
}

/// What a command prints and tells, on one line each.
async fn output_of(machine: &Machine, words: &str) -> (String, String) {
    let mut command = machine.command(Program::Cli);
    let output = patiently(words, command.args(words.split(' ')).output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    (line(text(output.stdout)), line(text(output.stderr)))
}

#[tokio::test]
async fn the_command_sits_out_the_pause_after_a_wrong_passphrase() {
    let machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "passphrase");
    let mut world = World::with(machine, Options::default()).await;
    unlock(&world, PASSPHRASE).await.success();
    world.machine.restart().await;
    for _ in 0..2 {
        assert_eq!(unlock(&world, "wrong").await.refusal().0, 423);
    }
    world.machine.write("passphrase", format!("{PASSPHRASE}\n"));
    let mut command = world.machine.command(Program::Cli);
    let passphrase = std::fs::File::open(world.machine.folder().join("passphrase")).unwrap();
    command.arg("unlock").stdin(passphrase);
    let output = patiently("valetkey unlock", command.output()).await.unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(told.contains("wrong passphrase was tried"), "{told}");
    assert_eq!(world.machine.status().await["locked"], false);
}

/// What the process could have secrets in. None where only root may look, and this is somebody else.
#[cfg(target_os = "linux")]
fn read_memory(pid: u32) -> Option<Vec<u8>> {
    use std::os::unix::fs::FileExt;

    let memory = std::fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut content = Vec::new();
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
        let start = u64::from_str_radix(start, 16).unwrap();
        let end = u64::from_str_radix(end, 16).unwrap();
        let mut region = vec![0; usize::try_from(end - start).unwrap()];
        // Pages of the kernel's own cannot be read, and hold nothing.
        if memory.read_exact_at(&mut region, start).is_ok() {
            content.append(&mut region);
        }
    }
    Some(content)
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_locked_daemon_dropped_is_nowhere_in_its_memory() {
    let machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "passphrase");
    let world = World::with(machine, Options::default()).await;
    unlock(&world, PASSPHRASE).await.success();
    world.caller().await.sign_in(world.control(), ALICE).await;
    let Some(before) = read_memory(world.machine.pid()) else { return };
    world.machine.connect().await.post("/v1/lock", &json!({})).await.success();
    let after = read_memory(world.machine.pid()).unwrap();
    let is_in = |memory: &[u8], secret: &str| {
        memory.windows(secret.len()).any(|piece| piece == secret.as_bytes())
    };
    for secret in world.control().secrets() {
        if secret.kind == "refresh_token" {
            assert!(is_in(&before, &secret.value), "the search finds nothing");
        }
        assert!(!is_in(&after, &secret.value), "{} of a locked daemon", secret.kind);
    }
    assert!(!is_in(&after, PASSPHRASE), "the passphrase of a locked daemon");
}
