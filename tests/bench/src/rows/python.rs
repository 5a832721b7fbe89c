//! The same from Python, beside a bare exchange made by Python.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::ping_pong::PingPong;
use crate::stage::{CLIENT_ID, SCOPE, Stage};
use crate::stats::{Round, Rounds, show};
use crate::table::Row;
use crate::{Outcome, programs, relay};

const ROUNDS: u32 = 10;
const CALLS: u32 = 1_000;
const WHAT: &str = "silent hit, Python SDK";
const BUDGET: &str = "p50 at most 120 µs over the bare exchange";
const LIMIT: f64 = 120e-6;

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    let Some(python) = programs::installed("python3") else {
        return Ok(vec![Row::skipped(WHAT, BUDGET, "there is no python3")]);
    };
    let daemon = stage.start_signed_in("python")?;
    let folder = stage.folder("python")?;
    let run = |socket: &Path, ping_pong: Option<&PingPong>, sizes: &relay::Sizes| {
        let mut command = Command::new(&python);
        command.arg(programs::script("hit.py"));
        command.args([CLIENT_ID, &stage.authority(), SCOPE]);
        if let Some(ping_pong) = ping_pong {
            command.arg(ping_pong.socket());
            command.args([sizes.request, sizes.answer].map(|size| size.to_string()));
            command.args([ROUNDS, CALLS].map(|count| count.to_string()));
        }
        command.env("PYTHONPATH", programs::repository().join("client-sdk/python/src"));
        command.env("VALETKEY_SOCKET", socket).env("VALETKEY_AUTOSTART", "0");
        read_output(command)
    };
    let (sizes, _) = relay::observe(daemon.socket(), &folder, |socket| {
        run(socket, None, &relay::Sizes::default()).map(drop)
    })?;
    let ping_pong = PingPong::start(&folder.join("ping.sock"), sizes.clone())?;
    let told: Value = serde_json::from_str(&run(daemon.socket(), Some(&ping_pong), &sizes)?)?;
    let (ours, bare) = (rounds(&told["sdk"]), rounds(&told["bare"]));
    let beyond = ours.p50_beyond(&bare);
    let measured =
        format!("p50 {} ({} over), p99 {}", show(ours.p50()), show(beyond), show(ours.p99()));
    let beside = format!("bare, by Python: p50 {}, p99 {}", show(bare.p50()), show(bare.p99()));
    Ok(vec![Row::new(WHAT, BUDGET, measured, beside, beyond <= LIMIT)])
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
