//! The same from Python, beside a bare exchange made by Python.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::daemon::Daemon;
use crate::ping_pong::PingPong;
use crate::placement::Placement;
use crate::stage::{CLIENT_ID, SCOPE, Stage};
use crate::stats::{Round, Rounds, show};
use crate::table::Row;
use crate::{Outcome, programs, relay};

const ROUNDS: u32 = 10;
const CALLS: u32 = 1_000;
const BUDGET: &str = "p50 at most 120 µs over the bare exchange";
const LIMIT: f64 = 120e-6;

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    let Some(python) = programs::installed("python3") else {
        return Ok(vec![Row::skipped("silent hit, Python SDK", BUDGET, "there is no python3")]);
    };
    let mut rows = Vec::new();
    for placement in Placement::ALL {
        let what = format!("silent hit, Python SDK; {}", placement.describe());
        let start = || start(stage, &python, &format!("python-{placement:?}"));
        let told = placement.run(start, |(daemon, ping_pong)| {
            read_output(script(stage, &python, daemon.socket(), Some(&ping_pong)))
        })?;
        rows.push(match told {
            Some(told) => judge(&what, &serde_json::from_str(&told)?),
            None => Row::skipped(what, BUDGET, "there is one core only"),
        });
    }
    Ok(rows)
}

fn start(stage: &Stage, python: &Path, name: &str) -> Outcome<(Daemon, PingPong)> {
    let daemon = stage.start_signed_in(name)?;
    let folder = stage.folder(name)?;
    let seen = relay::observe(daemon.socket(), &folder, |socket| {
        read_output(script(stage, python, socket, None)).map(drop)
    })?;
    let ping_pong = PingPong::start(&folder.join("ping.sock"), &seen)?;
    Ok((daemon, ping_pong))
}

/// The script: one call, or with a bare exchange to compare with, all rounds.
fn script(stage: &Stage, python: &Path, daemon: &Path, bare: Option<&PingPong>) -> Command {
    let mut command = Command::new(python);
    command.arg(programs::script("hit.py"));
    command.args([CLIENT_ID, &stage.authority(), SCOPE]);
    if let Some(bare) = bare {
        command.arg(bare.socket());
        command.args(bare.sizes().map(|size| size.to_string()));
        command.args([ROUNDS, CALLS].map(|count| count.to_string()));
    }
    command.env("PYTHONPATH", programs::repository().join("client-sdk/python/src"));
    command.env("VALETKEY_SOCKET", daemon).env("VALETKEY_AUTOSTART", "0");
    command
}

fn judge(what: &str, told: &Value) -> Row {
    let (ours, bare) = (rounds(&told["sdk"]), rounds(&told["bare"]));
    let beyond = ours.p50_beyond(&bare);
    let measured =
        format!("p50 {} ({} over), p99 {}", show(ours.p50()), show(beyond), show(ours.p99()));
    let beside = format!("bare, by Python: p50 {}, p99 {}", show(bare.p50()), show(bare.p99()));
    Row::new(what, BUDGET, measured, beside, beyond <= LIMIT)
}

/// What a command printed, or what it complained of.
pub(crate) fn read_output(mut command: Command) -> Outcome<String> {
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Pairs of p50 and p99 in seconds.
pub(crate) fn rounds(told: &Value) -> Rounds {
    let rounds = told.as_array().into_iter().flatten();
    let figure = |round: &Value, at: usize| round[at].as_f64().unwrap_or(f64::NAN);
    Rounds(rounds.map(|round| Round { p50: figure(round, 0), p99: figure(round, 1) }).collect())
}
