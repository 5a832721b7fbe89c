//! SIGKILL at random moments under load, with a provider that rotates refresh tokens and revokes the whole family when an
//! old one comes back after ten seconds (as Okta's): nobody has to sign in again, and every answered sign-in is there.
//!
//! `VALETKEY_KILLS` is how many (200), `VALETKEY_SEED` repeats a run.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use valetkey_testkit::entra::{Control, Endpoint, NewUser, Options, Rotation};
use valetkey_tests::{ALICE, Caller, Machine, Program, Random, World, patiently};

const KILLS: u64 = 200;
const SEED: u64 = 20_260_117;
/// Programs that refresh, and programs through which people sign in.
const REFRESHERS: u64 = 4;
const SIGNERS: u64 = 2;
/// A life ends after so many requests to the provider, so that a slow machine is loaded as a fast one is, but in any case
/// after this time.
const MOST_REQUESTS: u64 = 8;
const LONGEST_LIFE: Duration = Duration::from_secs(1);

/// Orderly ends, and kills during the start.
#[cfg(unix)]
const ENDS: u64 = 25;
const STARTS: u64 = 50;

/// What the clients saw.
#[derive(Default)]
struct Seen {
    refreshes: AtomicU64,
    /// Who was told that they are signed in.
    signed_in: Mutex<BTreeSet<String>>,
    next_user: AtomicU64,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_has_to_sign_in_again_after_two_hundred_kills() {
    let kills = setting("VALETKEY_KILLS", KILLS);
    let mut random = Random::from_seed(setting("VALETKEY_SEED", SEED));
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds: 10 };
    // Less than five minutes count as expired: each silent request is a refresh.
    options.settings.access_token_lifetime = 60;
    let mut world = World::with(Machine::new(), options).await;
    world.signed_in(ALICE).await;
    let seen = Arc::new(Seen::default());
    let started = Instant::now();
    for _ in 0..kills {
        let mut load = start_load(&world, &seen).await;
        let _ = tokio::time::timeout(LONGEST_LIFE, live(&world, &mut random)).await;
        world.machine.kill().await;
        patiently("the clients' end", async { while load.join_next().await.is_some() {} }).await;
        world.machine.launch().await;
    }
    let took = started.elapsed();
    let counters = world.control().counters();
    check_all_signed_in(&world, &seen).await;
    println!(
        "{kills} kills in {:.1} s: {} refreshes and {} sign-ins were answered; the provider answered {} refreshes, \
         of which {} had been answered before a kill took the answer away",
        took.as_secs_f64(),
        seen.refreshes.load(Ordering::Relaxed),
        seen.signed_in.lock().unwrap().len(),
        counters["refresh_token"].answered,
        count_repeats(world.control()),
    );
    assert_eq!(counters["refresh_token"].refused, 0, "an old refresh token was used too late");
    let load_was_real = seen.refreshes.load(Ordering::Relaxed) >= kills / 4
        && seen.signed_in.lock().unwrap().len() as u64 >= kills / 10;
    assert!(load_was_real, "too little happened between the kills");
}

/// Asked to end instead (SIGTERM), the daemon finishes what is in flight: not even a provider without any grace minds.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orderly_end_under_load_loses_nothing_even_without_grace() {
    let mut random = Random::from_seed(setting("VALETKEY_SEED", SEED));
    let mut options = Options::default();
    options.settings.rotation = Rotation::Rotate { grace_seconds: 0 };
    options.settings.access_token_lifetime = 60;
    let mut world = World::with(Machine::new(), options).await;
    world.signed_in(ALICE).await;
    let seen = Arc::new(Seen::default());
    for _ in 0..ENDS {
        let mut load = start_load(&world, &seen).await;
        // A daemon that does not answer yet ends at once, as any program does; it has nothing to lose.
        world.machine.status().await;
        let _ = tokio::time::timeout(LONGEST_LIFE, live(&world, &mut random)).await;
        assert!(world.machine.stop().await.success());
        patiently("the clients' end", async { while load.join_next().await.is_some() {} }).await;
        world.machine.launch().await;
    }
    check_all_signed_in(&world, &seen).await;
    assert_eq!(count_repeats(world.control()), 0, "a refresh token was used twice");
}

/// A store that is cut off while it is born, or while it is opened, is no damaged store.
#[tokio::test]
async fn a_kill_during_the_start_leaves_nothing_to_mend() {
    let mut random = Random::from_seed(setting("VALETKEY_SEED", SEED));
    let mut machine = Machine::new();
    for _ in 0..STARTS {
        let mut daemon = machine.spawn(&mut machine.command(Program::Daemon));
        // sleep: a random moment is what is tested.
        tokio::time::sleep(Duration::from_micros(random.below(30_000))).await;
        daemon.kill().await.unwrap();
    }
    machine.launch().await;
    let mut world = World::of(machine, Options::default()).await;
    world.signed_in(ALICE).await;
    world.machine.restart().await;
    assert_eq!(world.caller().await.usernames().await, [ALICE]);
    assert_eq!(world.machine.status().await["store"]["problems"], json!([]));
}

/// Until a random moment: of the start in one life out of five, else within the handling of some request.
async fn live(world: &World, random: &mut Random) {
    if random.below(5) > 0 {
        let before = world.control().requests_to(Endpoint::Token).len();
        let more = usize::try_from(1 + random.below(MOST_REQUESTS)).unwrap();
        world.control().wait_for_requests(Endpoint::Token, before + more).await;
    }
    // sleep: a random moment is what is tested.
    tokio::time::sleep(Duration::from_micros(random.below(20_000))).await;
}

async fn start_load(world: &World, seen: &Arc<Seen>) -> JoinSet<()> {
    let mut load = JoinSet::new();
    for number in 0..REFRESHERS + SIGNERS {
        let connection = world.machine.connect().await;
        let (definition, control) = (world.definition(), world.control().clone());
        let seen = Arc::clone(seen);
        load.spawn(async move {
            let Ok(caller) = Caller::try_open(connection, &definition).await else { return };
            // Ends with the daemon.
            let _ = if number < REFRESHERS {
                refresh_until_killed(caller, number, &seen).await
            } else {
                sign_in_until_killed(caller, &control, &seen).await
            };
        });
    }
    load
}

async fn refresh_until_killed(mut caller: Caller, number: u64, seen: &Seen) -> std::io::Result<()> {
    loop {
        // Some ask for the same, some for their own, all with Alice's one refresh token.
        let scope = format!("https://graph.contoso.com/Scope{}", number / 2);
        let request = json!({"account": ALICE, "scopes": [scope], "force_refresh": true});
        let answer = caller.try_token(request).await?;
        // The daemon is about to end.
        if answer.status == 503 && answer.json()["error"] == "shutting_down" {
            return Ok(());
        }
        assert_eq!(answer.status, 200, "Alice was signed out: {}", answer.json());
        seen.refreshes.fetch_add(1, Ordering::Relaxed);
    }
}

async fn sign_in_until_killed(
    mut caller: Caller,
    control: &Control,
    seen: &Seen,
) -> std::io::Result<()> {
    loop {
        let number = seen.next_user.fetch_add(1, Ordering::Relaxed);
        let name = format!("person{number}@contoso.com");
        control.create_user(NewUser::named(&name));
        let scope = format!("https://graph.contoso.com/Person{number}");
        if caller.try_sign_in(control, &name, &scope).await? {
            seen.signed_in.lock().unwrap().insert(name);
        }
    }
}

/// Each is listed, and each has a refresh token that the provider still takes.
async fn check_all_signed_in(world: &World, seen: &Seen) {
    let answered = seen.signed_in.lock().unwrap().clone();
    let mut caller = world.caller().await;
    let listed: BTreeSet<String> = caller.usernames().await.into_iter().collect();
    let lost: Vec<&String> = answered.difference(&listed).collect();
    assert!(lost.is_empty(), "answered, and not in the store: {lost:?}");
    // Alice first: the last kill may have taken an answer of hers away, and the time of grace runs.
    for user in [ALICE].into_iter().chain(answered.iter().map(String::as_str)) {
        let answer = caller.token(json!({"account": user, "force_refresh": true})).await;
        assert_eq!(answer.status, 200, "{user}: {}", answer.json());
    }
    let status = world.machine.status().await;
    assert_eq!(
        (&status["store"]["problems"], &status["store"]["unsaved"]),
        (&json!([]), &json!(0))
    );
    assert_ne!(status["counts"]["accounts"], Value::Null);
}

/// How often a refresh token was presented that had been presented before.
fn count_repeats(control: &Control) -> usize {
    let mut presented = BTreeSet::new();
    let requests = control.requests_to(Endpoint::Token);
    let tokens = requests.iter().filter_map(|request| request.field("refresh_token"));
    tokens.filter(|token| !presented.insert((*token).to_owned())).count()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}
