//! The rows, in the order in which they are measured; each file has what one subject needs.

mod command;
mod growth;
mod herd;
mod hit;
mod memory;
mod oidc_agent;
mod python;
mod save;
mod start;
mod throughput;

use crate::Outcome;
use crate::stage::Stage;
use crate::table::Row;

/// How a row is measured.
type Measure = fn(&Stage) -> Outcome<Vec<Row>>;

/// All of them by name.
pub(crate) const ALL: &[(&str, Measure)] = &[
    ("hit", hit::measure),
    ("python", python::measure),
    ("growth", growth::measure),
    ("save", save::measure),
    ("command", command::measure),
    ("herd", herd::measure),
    ("throughput", throughput::measure),
    ("memory", memory::measure),
    ("start", start::measure),
];
