//! Resident memory of an idle daemon.

use crate::Outcome;
use crate::stage::Stage;
use crate::stats::show_bytes;
use crate::table::Row;

const BUDGET: f64 = 10.0 * 1_048_576.0;

pub(crate) fn measure(stage: &Stage) -> Outcome<Vec<Row>> {
    let daemon = stage.start_daemon("memory")?;
    daemon.client().status()?;
    let started = daemon.resident()?;
    stage.sign_in(&daemon)?;
    let signed_in = daemon.resident()?;
    Ok(vec![Row::new(
        "memory, idle",
        "at most 10 MiB resident",
        format!(
            "{} after the start, {} after a sign-in",
            show_bytes(started),
            show_bytes(signed_in)
        ),
        "",
        started.max(signed_in) <= BUDGET,
    )])
}
