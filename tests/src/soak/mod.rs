//! A long life in a short time: people, programs and applications at a provider that rotates refresh tokens and takes the
//! second use of one for theft, while a seed's own order of faults comes over them.
//!
//! All along it is checked that nobody has to sign in whom nothing signed out, that each token is its account's and its
//! application's, that no refresh token is presented twice unless an answer was lost, that the daemon recovers from each
//! fault, and that it grows in neither memory nor descriptors. What fails is told with the seed and the step, and the same
//! seed brings the same steps.

mod ledger;
mod load;
mod schedule;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::{Value, json};
use tokio::time::Instant;
use valetkey_testkit::entra::{Effect, Endpoint, Fault, NewUser, Options, PASSWORD, Rotation};

use crate::caller::Caller;
use crate::connection::patiently;
use crate::machine::Machine;
use crate::programs::Program;
use crate::random::Random;
use crate::vitals::Vitals;
use crate::world::World;

use ledger::Ledger;
use load::Surroundings;
use schedule::{Schedule, Step, is_gentle};

const APPS: [&str; 3] = ["a1a1a1a1-soak", "b2b2b2b2-soak", "c3c3c3c3-soak"];
const PEOPLE: usize = 3;
const PASSPHRASE: &str = "soak";

/// What may be added to the daemon's memory while it is left alive, in KiB, and to its descriptors.
const MOST_GROWTH_KIB: u64 = 24 * 1024;
const MOST_DESCRIPTORS: usize = 120;

fn person_name(person: usize) -> String {
    format!("soak{person}@contoso.com")
}

/// What a soak had to bear.
#[derive(Debug, Default)]
pub struct Figures {
    /// The seed that repeats it.
    pub seed: u64,
    steps: u64,
    kills: u64,
    ends: u64,
    troubles: u64,
    full_disks: u64,
    locks: u64,
    configurations: u64,
    sign_outs: u64,
    hang_ups: u64,
    counts: [u64; 7],
    most_growth_kib: u64,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [asked, given, put_off, explained, hung_up, redeemed, repeated] = self.counts;
        write!(
            f,
            "seed {}: {} steps with {} kills, {} orderly ends, {} provider faults, {} full disks, {} locks, \
             {} configurations, {} sign-outs and revocations, {} programs that hung up; {asked} answers, of which \
             {given} were tokens, {put_off} put off, {explained} refused to people who were signed out; {hung_up} \
             connections lost; {redeemed} refresh tokens presented, {repeated} of them again after a lost answer; \
             the daemon grew by {} KiB at most",
            self.seed,
            self.steps,
            self.kills,
            self.ends,
            self.troubles,
            self.full_disks,
            self.locks,
            self.configurations,
            self.sign_outs,
            self.hang_ups,
            self.most_growth_kib
        )
    }
}

struct Soak {
    world: World,
    surroundings: Surroundings,
    random: Random,
    figures: Figures,
    /// Of the daemon's life, once it had settled.
    base: Option<Vitals>,
}

/// Soaks for this long.
///
/// # Panics
/// When something does not hold.
pub async fn run(seed: u64, length: Duration) -> Figures {
    let mut soak = Soak::begin(seed).await;
    let mut programs = load::start(&soak.surroundings, seed);
    let begun = Instant::now();
    for (number, step) in Schedule::of(seed) {
        if begun.elapsed() > length {
            break;
        }
        let since = Instant::now();
        let is_lossy = soak.take(&step, number).await;
        let taken = since.elapsed();
        soak.recover(&format!("seed {seed}, step {number} ({step:?})")).await;
        eprintln!("{number}: {step:?} took {taken:.1?}, recovery {:.1?}", since.elapsed() - taken);
        soak.surroundings.ledger.take_in(number, is_lossy);
        soak.check_growth(number);
        let findings = soak.surroundings.ledger.findings();
        assert!(findings.is_empty(), "seed {seed}, step {number} ({step:?}): {findings:#?}");
        soak.figures.steps += 1;
    }
    soak.surroundings.is_over.store(true, Ordering::Relaxed);
    patiently("the programs' end", async { while programs.join_next().await.is_some() {} }).await;
    soak.conclude()
}

impl Soak {
    async fn begin(seed: u64) -> Self {
        let mut options = Options::default();
        // As Okta's at its longest: a busy machine takes its time to come back after a kill.
        options.settings.rotation = Rotation::Rotate { grace_seconds: 60 };
        // Less than five minutes count as expired: most requests are a refresh.
        options.settings.access_token_lifetime = 60;
        options.users = (0..PEOPLE).map(|person| NewUser::named(&person_name(person))).collect();
        let mut machine = Machine::new().with("VALETKEY_KEY_PROVIDER", "passphrase");
        launch(&mut machine).await;
        let world = World::of(machine, options).await;
        let surroundings = Surroundings {
            endpoint: world.machine.endpoint().clone(),
            authority: world.entra.authority("contoso.com"),
            ledger: Arc::new(Ledger::new(world.control().clone())),
            is_over: Arc::new(AtomicBool::new(false)),
        };
        let figures = Figures { seed, ..Figures::default() };
        let random = Random::from_seed(!seed);
        let soak = Self { world, surroundings, random, figures, base: None };
        for person in 0..PEOPLE {
            soak.sign_in_everywhere(person).await;
        }
        soak
    }

    /// Lets a step happen; true when answers of the provider may have been lost by it.
    async fn take(&mut self, step: &Step, number: u64) -> bool {
        match step {
            Step::Calm { millis } => pause(*millis).await,
            Step::Kill { after_millis } => {
                pause(*after_millis).await;
                self.world.machine.kill().await;
                self.begin_life().await;
                self.figures.kills += 1;
                return true;
            }
            Step::Stop { after_millis } => {
                pause(*after_millis).await;
                assert!(
                    self.world.machine.stop().await.success(),
                    "step {number}: an end that failed"
                );
                self.begin_life().await;
                self.figures.ends += 1;
            }
            Step::HangUp { programs } => {
                for _ in 0..*programs {
                    // A daemon that closes first is what a program has to bear as well.
                    let _ = load::hang_up(&self.surroundings, &mut self.random).await;
                }
                self.figures.hang_ups += programs;
            }
            Step::Trouble { effect, times } => {
                return self.trouble(effect, *times).await;
            }
            Step::Slow { requests, millis } => {
                let gate = format!("slow{number}");
                let held = Fault::new(Endpoint::Token, Effect::Pass).behind_gate(&gate);
                self.world.control().add_fault(held.times(*requests));
                pause(*millis).await;
                self.world.control().clear_faults();
                self.world.control().open_gate(&gate);
            }
            Step::FullDisk { millis } => {
                self.limit_files(Some(4_096));
                pause(*millis).await;
                self.limit_files(None);
                self.figures.full_disks += 1;
            }
            Step::Lock { millis } => {
                let locked = self.world.machine.connect().await.post("/v1/lock", &json!({})).await;
                // Not while a provider is slow.
                assert!([200, 204, 429].contains(&locked.status), "step {number}: {locked:?}");
                pause(*millis).await;
                unlock(&self.world.machine).await;
                self.figures.locks += 1;
            }
            Step::Configure { good, number } => self.configure(*good, *number).await,
            Step::SignOut { person, app } => self.sign_out(*person, *app).await,
            Step::Revoke { person } => {
                self.surroundings.ledger.turn(*person);
                self.world.control().revoke_user(&person_name(*person));
                self.sign_in_everywhere(*person).await;
                self.surroundings.ledger.turn(*person);
                self.figures.sign_outs += 1;
            }
        }
        false
    }

    async fn trouble(&mut self, effect: &Effect, times: u32) -> bool {
        let fault = Fault::new(Endpoint::Token, effect.clone()).for_grant("refresh_token");
        self.world.control().add_fault(fault.times(times));
        pause(200).await;
        self.world.control().clear_faults();
        self.figures.troubles += u64::from(times);
        // Whoever asked and got no tokens asks again with the same refresh token.
        true
    }

    /// A life begins: what it grows by is counted anew.
    async fn begin_life(&mut self) {
        launch(&mut self.world.machine).await;
        self.base = None;
    }

    fn limit_files(&self, bytes: Option<u64>) {
        let pid = i32::try_from(self.world.machine.pid()).ok().and_then(Pid::from_raw);
        prlimit(pid, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    }

    async fn configure(&mut self, good: bool, number: u64) {
        let text = match good {
            true => format!("[apps.mail{number}]\nclient_id = \"mail\"\n"),
            false => "[apps".to_owned(),
        };
        self.world.machine.write("config/valetkey/config.toml", text);
        self.world.machine.ask_to_reload();
        self.world.machine.status().await;
        self.world.machine.write("config/valetkey/config.toml", "");
        self.figures.configurations += 1;
    }

    async fn sign_out(&mut self, person: usize, app: usize) {
        self.surroundings.ledger.turn(person);
        let mut caller = self.caller(app).await;
        let accounts = caller.accounts().await;
        let account = accounts.iter().find(|it| it["username"] == person_name(person));
        let account = account.unwrap_or_else(|| panic!("{} is unknown", person_name(person)));
        caller.sign_out(account["home_account_id"].as_str().unwrap()).await;
        self.sign_in_everywhere(person).await;
        self.surroundings.ledger.turn(person);
        self.figures.sign_outs += 1;
    }

    async fn caller(&self, app: usize) -> Caller {
        let connection = self.world.machine.connect().await;
        Caller::open(connection, &self.surroundings.definition(app)).await
    }

    async fn sign_in_everywhere(&self, person: usize) {
        for app in 0..APPS.len() {
            let mut caller = self.caller(app).await;
            let request = json!({
                "grant": "password", "username": person_name(person), "password": PASSWORD,
                "scopes": ["https://graph.contoso.com/Scope0"],
            });
            let answer = caller.token(request).await;
            assert_eq!(answer.status, 200, "{}", answer.json());
        }
    }

    /// Once a fault is over, everybody gets tokens again.
    async fn recover(&self, when: &str) {
        let recovery = async {
            for app in 0..APPS.len() {
                for person in 0..PEOPLE {
                    while !self.is_served(app, person).await {
                        // sleep: a throttled provider is left alone for a second.
                        pause(100).await;
                    }
                }
            }
            while self.world.machine.status().await["store"]["unsaved"] != json!(0) {
                pause(20).await;
            }
        };
        let recovery = tokio::time::timeout(Duration::from_secs(60), recovery).await;
        let findings = self.surroundings.ledger.findings();
        assert!(recovery.is_ok(), "{when}: not everybody is served again; {findings:#?}");
    }

    async fn is_served(&self, app: usize, person: usize) -> bool {
        let mut caller = self.caller(app).await;
        let ledger = &self.surroundings.ledger;
        let before = ledger.standing(person);
        let asked = json!({
            "account": person_name(person), "scopes": ["https://graph.contoso.com/Scope1"],
            "force_refresh": true,
        });
        let answer = caller.token(asked).await;
        ledger.check(app, person, before, &answer);
        // What is found ends the soak.
        answer.status == 200 || !ledger.findings().is_empty()
    }

    fn check_growth(&mut self, number: u64) {
        let vitals = self.world.machine.vitals();
        let ledger = &self.surroundings.ledger;
        if vitals.descriptors > MOST_DESCRIPTORS {
            ledger.find(format!("the daemon has {} descriptors", vitals.descriptors));
        }
        // A life's first steps fill its caches.
        let Some(base) = self.base else {
            self.base = (is_gentle(number) && is_gentle(number + 10)).then_some(vitals);
            return;
        };
        let growth = vitals.resident_kib.saturating_sub(base.resident_kib);
        self.figures.most_growth_kib = self.figures.most_growth_kib.max(growth);
        if growth > MOST_GROWTH_KIB {
            ledger.find(format!("the daemon grew from {base:?} to {vitals:?}"));
        }
    }

    fn conclude(mut self) -> Figures {
        let counts = &self.surroundings.ledger.counts;
        self.figures.counts = [
            &counts.asked,
            &counts.given,
            &counts.put_off,
            &counts.explained,
            &counts.hung_up,
            &counts.redeemed,
            &counts.repeated,
        ]
        .map(|count| count.load(Ordering::Relaxed));
        assert!(self.figures.counts[1] > 0, "nobody was given a token: {}", self.figures);
        self.figures
    }
}

/// The signal that a file may not grow would end the daemon, as any program that does not expect it.
async fn launch(machine: &mut Machine) {
    let mut command = machine.command_of("/bin/sh");
    let daemon = Program::Daemon.path();
    command.arg("-c").arg(format!("trap '' XFSZ; exec '{}'", daemon.display()));
    machine.launch_by(command).await;
    unlock(machine).await;
}

async fn unlock(machine: &Machine) -> Value {
    let mut connection = machine.connect().await;
    connection.post("/v1/unlock", &json!({"passphrase": PASSPHRASE})).await.success()
}

async fn pause(millis: u64) {
    // sleep: a fault lasts as long as its step says; nothing tells when a daemon has recovered but asking it.
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
