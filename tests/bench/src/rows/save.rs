//! A rotated refresh token made durable: what the cache plans for a token response, sealed and on the disk. The broker
//! answers no caller before that.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use valetkey_cache::{Change, IdClaims, TokenCache, TokenEvent};
use valetkey_model::Secret;
use valetkey_vault::RecordChange;

use super::growth::{FEW, MANY, make_store};
use super::python::{read_output, rounds};
use crate::fill::{Filled, access_token, open_store};
use crate::stage::{DAY, Stage, write_file};
use crate::stats::{Round, Rounds, show};
use crate::table::Row;
use crate::{Outcome, programs};

const ROUNDS: usize = 15;
const SAVES: usize = 5;
/// Flat: what is left is the noise of a disk.
const FLAT: f64 = 1.25;

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    let mut few = Saver::open(&make_store(stage, FEW)?)?;
    let mut many = Saver::open(&make_store(stage, MANY)?)?;
    let mut file = File::create(stage.folder("flush")?.join("file"))?;
    let (mut fews, mut manys, mut flushes) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        flushes.0.push(Round::of(SAVES, || {
            file.write_all(&[1; 4096])?;
            Ok(file.sync_data()?)
        })?);
        fews.0.push(Round::of(SAVES, || few.save())?);
        manys.0.push(Round::of(SAVES, || many.save())?);
    }
    let growth = manys.p50_over(&fews);
    let beside = format!(
        "a bare write and flush of 4 KiB: {}; {}",
        show(flushes.p50()),
        describe_msal(&stage.folder("msal")?)?
    );
    Ok(vec![Row::new(
        "durable save of a rotated refresh token, 100,000 entries",
        "one commit; flat from 10 entries on",
        format!("{} ({growth:.2} times that with 10 entries)", show(manys.p50())),
        beside,
        growth <= FLAT,
    )])
}

/// A store, and the cache over it.
struct Saver {
    store: Filled,
    cache: TokenCache,
    number: usize,
}

impl Saver {
    fn open(state_dir: &Path) -> Outcome<Self> {
        let store = open_store(state_dir)?;
        let cache = TokenCache::from_entries(store.entries.iter().cloned());
        Ok(Self { store, cache, number: 0 })
    }

    /// What the engine does with the answer to a refresh, and the daemon with the changes.
    fn save(&mut self) -> Outcome {
        let token = access_token(&self.store.entries)?;
        self.number += 1;
        let (access, refresh) = (new_secret(self.number, 1_500), new_secret(self.number, 1_000));
        let event = TokenEvent {
            client_id: token.client_id.as_ref(),
            grant_type: "refresh_token",
            access_token: Some(&access),
            refresh_token: Some(&refresh),
            expires_in: Some(DAY),
            id_claims: IdClaims {
                sub: token.home_account_id.as_ref().map(|id| id.as_str()),
                ..IdClaims::default()
            },
            ..TokenEvent::new(&token.environment, &token.realm, &token.scopes)
        };
        let changes = self.cache.plan_token_response(&event, token.cached_at);
        let records: Vec<_> = changes.iter().map(encode).collect();
        self.store.vault.save(&self.store.partition, &records)?;
        self.cache.apply(&changes);
        Ok(())
    }
}

fn new_secret(number: usize, length: usize) -> Secret {
    Secret::new(format!("{number:0length$}"))
}

fn encode(change: &Change) -> RecordChange {
    let key = change.key().as_str().to_owned();
    match change {
        Change::Put(entry) => RecordChange::Put { key, value: entry.encode() },
        Change::Remove(_) => RecordChange::Remove { key },
    }
}

/// What MSAL's file cache takes for the same, or why that is not known.
fn describe_msal(folder: &Path) -> Outcome<String> {
    let Some(python) = programs::python_with_msal()? else {
        return Ok("MSAL's file cache not measured: there is no target/venv with it".to_owned());
    };
    let file = folder.join("cache.json");
    write_file(&file, b"{}")?;
    let mut command = Command::new(python);
    command.arg(programs::script("msal_save.py")).arg(file);
    let told: Value = serde_json::from_str(&read_output(command)?)?;
    let of = |entries: &str| show(rounds(&told[entries]).p50());
    Ok(format!("MSAL's file cache: {} at 10 entries, {} at 10,000", of("10"), of("10000")))
}
