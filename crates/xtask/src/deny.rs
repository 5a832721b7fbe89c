//! Licences, sources, bans and advisories of what we depend on, by cargo-deny and the rules in `deny.toml`.

use std::path::PathBuf;

use crate::shell::{Outcome, Workspace, capture, run as run_program, succeeds};

/// Another version may read `deny.toml` otherwise.
const VERSION: &str = "0.20.2";

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let cargo_deny = install(workspace)?;
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
fn check_advisories(workspace: &Workspace, cargo_deny: PathBuf) -> Outcome {
    if !succeeds(workspace.program(&cargo_deny).args(["fetch", "db"])) {
        println!("advisories NOT CHECKED: the RustSec advisory database could not be fetched");
        return Ok(());
    }
    let mut check = workspace.program(cargo_deny);
    check.args(["--locked", "check", "--disable-fetch", "advisories"]);
    run_program(
        &mut check,
        "update the dependency, or ignore the advisory in deny.toml and say why it does not touch us",
    )
}

/// Built without optimisation: that takes 90 seconds on two cores instead of many minutes, and the check itself three.
fn install(workspace: &Workspace) -> Outcome<PathBuf> {
    let tools = workspace.target.join("tools");
    let cargo_deny = tools.join("bin/cargo-deny");
    if cargo_deny.exists() {
        let version =
            capture(workspace.program(&cargo_deny).arg("--version"), "delete target/tools")?;
        if version.trim().ends_with(VERSION) {
            return Ok(cargo_deny);
        }
    }
    let build = tools.join("build");
    let mut install = workspace.cargo(&["install", "--locked", "--quiet", "--debug", "cargo-deny"]);
    install.args(["--version", VERSION, "--force", "--root"]).arg(&tools);
    install.arg("--target-dir").arg(&build).env("CARGO_PROFILE_DEV_DEBUG", "0");
    run_program(&mut install, "see whether the package registry can be reached, and run it again")?;
    if let Err(error) = std::fs::remove_dir_all(&build) {
        eprintln!("{} stays, and only takes room: {error}", build.display());
    }
    Ok(cargo_deny)
}
