//! What a hit and its memory cost when ten or a hundred thousand tokens are cached.

use valetkey_client::blocking::App;

use crate::daemon::Daemon;
use crate::placement::Placement;
use crate::stage::{Stage, silent};
use crate::stats::{Round, Rounds, show, show_bytes};
use crate::table::Row;
use crate::{Outcome, fill};

pub(crate) const FEW: usize = 10;
pub(crate) const MANY: usize = 100_000;
const ROUNDS: usize = 20;
const CALLS: usize = 1_000;

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    make_store(stage, FEW)?;
    make_store(stage, MANY)?;
    let own = token_bytes(stage)?;
    // On one core the scheduler has no choice that would tell the two daemons apart.
    let rows = Placement::OneCore.run(
        || Ok((open(stage, FEW)?, open(stage, MANY)?)),
        |(few, many)| compare(&few, &many, own),
    )?;
    Ok(rows.unwrap_or_default())
}

fn compare(few: &(Daemon, App), many: &(Daemon, App), own: f64) -> Outcome<Vec<Row>> {
    let (few_memory, many_memory) = (few.0.resident()?, many.0.resident()?);
    let (mut fews, mut manys) = (Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        fews.0.push(round(&few.1)?);
        manys.0.push(round(&many.1)?);
    }
    let each = (many_memory - few_memory) / (MANY - FEW) as f64 - own;
    let growth = manys.p50_over(&fews);
    Ok(vec![
        Row::new(
            "silent hit with 100,000 cached tokens",
            "at most 1.1 times that with 10",
            format!("p50 {} ({growth:.2} times)", show(manys.p50())),
            format!("with 10: p50 {}", show(fews.p50())),
            growth <= 1.1,
        ),
        Row::new(
            "memory of a cached token beside its own bytes",
            "at most 2 KiB",
            format!("{} at 100,000 tokens", show_bytes(each)),
            format!("its own: {}; resident: {}", show_bytes(own), show_bytes(many_memory)),
            each <= 2048.0,
        ),
    ])
}

/// A daemon on a store of so many tokens, which has read them.
fn open(stage: &Stage, tokens: usize) -> Outcome<(Daemon, App)> {
    let daemon = stage.start_daemon(&store_name(tokens))?;
    let app = stage.open_app(&daemon.client())?;
    app.acquire_token_silent(&silent())?;
    Ok((daemon, app))
}

/// Makes the store of so many tokens, unless there is one.
pub(crate) fn make_store(stage: &Stage, tokens: usize) -> Outcome<std::path::PathBuf> {
    let state = stage.folder(&store_name(tokens))?.join("state");
    if !state.is_dir() {
        fill::copy_store(&stage.seed()?, &state)?;
        fill::fill(&state, tokens)?;
    }
    Ok(state)
}

pub(crate) fn store_name(tokens: usize) -> String {
    format!("store-of-{tokens}")
}

fn round(app: &App) -> Outcome<Round> {
    let request = silent();
    Round::of(CALLS, || {
        app.acquire_token_silent(&request)?;
        Ok(())
    })
}

fn token_bytes(stage: &Stage) -> Outcome<f64> {
    let store = fill::open_store(&stage.seed()?)?;
    Ok(fill::access_token(&store.entries)?.secret.expose().len() as f64)
}
