//! A store that a passphrase protects: what a locked daemon says, and that unlocking brings everything back.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use serde_json::json;
use valetkey_testkit::entra::Options;
use valetkey_tests::{ALICE, Machine, World};

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
        check_locked(&world).await;
    }
    let too_soon = unlock(&world, PASSPHRASE).await;
    assert_eq!(too_soon.refusal(), (429, "too_many_requests".to_owned()));
    assert_eq!(too_soon.json()["retry_after"], 1);
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
    assert_eq!(world.machine.status().await["locked"], true);
    for _ in 0..2 {
        let refused = connection.post("/v1/apps", &world.definition()).await;
        assert_eq!(refused.refusal(), (423, "store_locked".to_owned()));
        let refused = caller.token(json!({})).await;
        assert_eq!(refused.refusal(), (423, "store_locked".to_owned()));
    }
    connection.post("/v1/unlock", &json!({})).await.success();
    let kept = caller.token(json!({})).await.success();
    assert_eq!(kept["access_token"], token["access_token"], "under the id from before the lock");
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
