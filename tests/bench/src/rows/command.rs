//! `valetkey token` as a whole process, beside `oidc-token`, which does the same for oidc-agent, and `/bin/true`, which
//! does nothing.

use std::process::{Command, Stdio};

use super::oidc_agent::OidcAgent;
use super::python::read_output;
use crate::daemon::Daemon;
use crate::stage::Stage;
use crate::stats::{Round, Rounds, show};
use crate::table::Row;
use crate::{Outcome, programs};

const ROUNDS: usize = 20;
const SPAWNS: usize = 10;
const WHAT: &str = "`valetkey token` as a whole process, cached";
const BUDGET: &str = "no slower than `oidc-token` of oidc-agent";

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    let daemon = stage.start_signed_in("command")?;
    let token = match read_output(valetkey(&daemon)?) {
        Ok(token) if token.trim().len() > 100 => token.trim().to_owned(),
        Ok(_) => return Ok(vec![Row::skipped(WHAT, BUDGET, "it prints no token")]),
        Err(error) => return Ok(vec![Row::skipped(WHAT, BUDGET, error.to_string())]),
    };
    let agent = OidcAgent::start(&stage.folder("oidc-agent")?, &token);
    let (mut ours, mut theirs, mut nothing) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    for _ in 0..ROUNDS {
        nothing.0.push(spawn(|| Ok(Command::new("/bin/true")))?);
        ours.0.push(spawn(|| valetkey(&daemon))?);
        if let Ok(agent) = &agent {
            theirs.0.push(spawn(|| Ok(agent.token_command()))?);
        }
    }
    let measured =
        format!("{} ({:.2} times `/bin/true`)", show(ours.p50()), ours.p50_over(&nothing));
    let nothing_text = format!("`/bin/true`: {}", show(nothing.p50()));
    Ok(vec![match agent {
        Err(why) => Row::skipped(
            WHAT,
            BUDGET,
            format!("no `oidc-token` to compare with: {why}; {measured}, {nothing_text}"),
        ),
        Ok(_) => {
            let ratio = ours.p50_over(&theirs);
            let beside = format!("`oidc-token`: {}; {nothing_text}", show(theirs.p50()));
            let measured = format!("{measured}, {ratio:.2} times `oidc-token`");
            Row::new(WHAT, BUDGET, measured, beside, ratio <= 1.0)
        }
    }])
}

fn valetkey(daemon: &Daemon) -> Outcome<Command> {
    let mut command = Command::new(programs::ours("valetkey")?);
    command.args(["token", "bench"]);
    command.env("VALETKEY_SOCKET", daemon.socket()).env("VALETKEY_AUTOSTART", "0");
    Ok(command)
}

fn spawn(command: impl Fn() -> Outcome<Command>) -> Outcome<Round> {
    Round::of(SPAWNS, || {
        let status = command()?.stdin(Stdio::null()).stdout(Stdio::null()).status()?;
        if status.success() { Ok(()) } else { Err("a program failed that had worked".into()) }
    })
}
