//! From the start of the process to its first token, with ten thousand stored ones.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use valetkey_client::Error;

use super::growth::{make_store, store_name};
use crate::daemon::Daemon;
use crate::stage::{Stage, silent};
use crate::stats::{Round, Rounds, show};
use crate::table::Row;
use crate::{Outcome, now};

const TOKENS: usize = 10_000;
const ROUNDS: usize = 15;
const LIMIT: f64 = 0.05;
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    make_store(stage, TOKENS)?;
    make_store(stage, 1)?;
    let (mut many, mut one, mut killed, mut nothing) =
        (Rounds::default(), Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        // The daemon before it was killed, so that the store is checked as a whole.
        killed.0.push(start(stage, TOKENS, Daemon::stop)?);
        many.0.push(start(stage, TOKENS, Daemon::kill)?);
        one.0.push(start(stage, 1, Daemon::stop)?);
        nothing.0.push(Round::of(1, || {
            Command::new("/bin/true").stdin(Stdio::null()).status()?;
            Ok(())
        })?);
    }
    Ok(vec![Row::new(
        "start to first token, 10,000 stored tokens",
        "at most 50 ms",
        show(many.p50()),
        format!(
            "after a SIGKILL: {}; with one token: {}; `/bin/true`: {}",
            show(killed.p50()),
            show(one.p50()),
            show(nothing.p50())
        ),
        many.p50() <= LIMIT,
    )])
}

fn start(stage: &Stage, tokens: usize, end: impl FnOnce(Daemon) -> Outcome) -> Outcome<Round> {
    let name = store_name(tokens);
    let mut daemon = None;
    let round = Round::of(1, || {
        let daemon = daemon.insert(stage.spawn_daemon(&name)?);
        first_token(stage, daemon)
    })?;
    daemon.map_or(Ok(()), end)?;
    Ok(round)
}

fn first_token(stage: &Stage, daemon: &Daemon) -> Outcome {
    let started = now();
    let client = daemon.client();
    let app = loop {
        match client.open_app(stage.definition()) {
            Err(Error::NoDaemon { .. }) if started.elapsed() < PATIENCE => {
                // sleep: nothing tells when another process begins to listen but trying to connect.
                thread::sleep(Duration::from_micros(200));
            }
            outcome => break outcome?,
        }
    };
    app.acquire_token_silent(&silent())?;
    Ok(())
}
