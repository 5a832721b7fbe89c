//! Licences, sources, bans and advisories of what we depend on, by cargo-deny and the rules in `deny.toml`; advisories by
//! cargo-audit as well.

use std::path::PathBuf;

use crate::shell::{Outcome, Workspace, run as run_program, succeeds};
use crate::tools::{self, Tool};

/// Another version may read `deny.toml` otherwise.
const CARGO_DENY: Tool = Tool { name: "cargo-deny", version: "0.20.2" };
const CARGO_AUDIT: Tool = Tool { name: "cargo-audit", version: "0.22.2" };

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let cargo_deny = tools::install(workspace, &CARGO_DENY)?;
    let mut check = workspace.program(&cargo_deny);
    check.args(["--locked", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]);
    run_program(
        &mut check,
        "choose another dependency, or add an exception with its reason to deny.toml",
    )?;
    check_advisories(workspace, cargo_deny)
}

/// The one check whose absence is not a failure: the database of advisories comes from a host that may be out of reach, which
/// says nothing about our code. It is said aloud, so that nobody takes silence for a clean bill.
///
/// Two programs read the one database: cargo-deny looks at what is built, with our features on our systems, cargo-audit at the
/// lock file as it is.
fn check_advisories(workspace: &Workspace, cargo_deny: PathBuf) -> Outcome {
    if !succeeds(workspace.program(&cargo_deny).args(["fetch", "db"])) {
        println!(
            "advisories NOT CHECKED, by cargo-deny or by cargo-audit: the RustSec advisory database could not be fetched"
        );
        return Ok(());
    }
    let mut check = workspace.program(cargo_deny);
    check.args(["--locked", "check", "--disable-fetch", "advisories"]);
    run_program(
        &mut check,
        "update the dependency, or ignore the advisory in deny.toml and say why it does not touch us",
    )?;
    let mut audit = workspace.program(tools::install(workspace, &CARGO_AUDIT)?);
    audit.args(["audit", "--quiet", "--deny", "yanked"]);
    run_program(
        &mut audit,
        "update the dependency, or ignore the advisory in .cargo/audit.toml and say why it does not touch us",
    )
}
