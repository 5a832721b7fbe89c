//! The programs: they ask for tokens as long as the soak goes on, whatever becomes of the daemon.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinSet;
use valetkey_ipc::Endpoint;

use super::ledger::{Counts, Ledger};
use super::{APPS, PEOPLE, person_name};
use crate::caller::Caller;
use crate::connection::{Connection, post};
use crate::random::Random;

/// Programs that ask at the same time.
const PROGRAMS: u64 = 6;

/// What the programs know of the world.
#[derive(Clone)]
pub(super) struct Surroundings {
    pub(super) endpoint: Endpoint,
    pub(super) authority: String,
    pub(super) ledger: Arc<Ledger>,
    pub(super) is_over: Arc<AtomicBool>,
}

impl Surroundings {
    /// What defines an application.
    pub(super) fn definition(&self, app: usize) -> Value {
        json!({"client_id": APPS[app], "authority": self.authority, "validate_authority": false})
    }

    async fn open(&self, app: usize) -> io::Result<Caller> {
        let stream = valetkey_ipc::connect(&self.endpoint).await.map_err(io::Error::other)?;
        let mut connection = Connection::over(stream);
        let opened = connection.try_ask(&post("/v1/apps", &self.definition(app))).await?;
        if opened.status != 200 {
            return Err(io::Error::other(format!("status {}", opened.status)));
        }
        let app = opened.json()["app"].as_str().unwrap_or_default().to_owned();
        Ok(Caller { connection, app })
    }
}

/// Starts the programs.
pub(super) fn start(surroundings: &Surroundings, seed: u64) -> JoinSet<()> {
    let mut programs = JoinSet::new();
    for number in 0..PROGRAMS {
        let random = Random::from_seed(seed ^ (number + 1));
        programs.spawn(run(surroundings.clone(), random));
    }
    programs
}

async fn run(surroundings: Surroundings, mut random: Random) {
    while !surroundings.is_over.load(Ordering::Relaxed) {
        // Ends with the daemon.
        if live(&surroundings, &mut random).await.is_err() {
            Counts::add(&surroundings.ledger.counts.hung_up);
        }
        // sleep: a program that lost the daemon tries again in a moment; nothing tells when it is back.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// One connection's life: some requests for one application.
async fn live(surroundings: &Surroundings, random: &mut Random) -> io::Result<()> {
    let app = usize::try_from(random.below(APPS.len() as u64)).unwrap();
    let mut caller = surroundings.open(app).await?;
    for _ in 0..1 + random.below(20) {
        let person = usize::try_from(random.below(PEOPLE as u64)).unwrap();
        let is_forced = random.below(3) == 0;
        let scope = format!("https://graph.contoso.com/Scope{}", random.below(3));
        let before = surroundings.ledger.standing(person);
        let request = json!({
            "account": person_name(person), "scopes": [scope], "force_refresh": is_forced,
        });
        let answer = caller.try_token(request).await?;
        surroundings.ledger.check(app, person, before, &answer);
        if answer.status == 404 {
            return Ok(());
        }
        // sleep: programs are not busy all of the time, and the provider's log shall fit into memory.
        tokio::time::sleep(Duration::from_millis(10 + random.below(60))).await;
    }
    Ok(())
}

/// Hangs up in one of the states that a request goes through.
pub(super) async fn hang_up(surroundings: &Surroundings, random: &mut Random) -> io::Result<()> {
    let app = usize::try_from(random.below(APPS.len() as u64)).unwrap();
    let mut caller = surroundings.open(app).await?;
    let account = person_name(0);
    let scopes = json!(["https://graph.contoso.com/Scope0"]);
    let token = json!({"account": account, "scopes": scopes, "force_refresh": true});
    let token = post(&format!("/v1/apps/{}/token", caller.app), &token);
    let flow =
        json!({"kind": "auth_code", "redirect_uri": "http://localhost:4711", "scopes": scopes});
    match random.below(4) {
        0 => caller.connection.send(&token[..20]).await,
        1 => caller.connection.send(&token[..token.len() - 9]).await,
        2 => caller.connection.send(&token).await,
        _ => {
            let path = format!("/v1/apps/{}/flows", caller.app);
            caller.connection.try_ask(&post(&path, &flow)).await.map(drop)
        }
    }
}
