//! Programs of cargo's that the checks need, each in the version that was tried, kept below the target folder.

use std::path::PathBuf;

use crate::shell::{Outcome, Workspace, capture, run as run_program};

pub(crate) struct Tool {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
}

/// The program, which is built if it is not there yet. Without optimisation: that takes a minute or two on two cores instead
/// of many.
pub(crate) fn install(workspace: &Workspace, Tool { name, version }: &Tool) -> Outcome<PathBuf> {
    let tools = workspace.target.join("tools");
    let program = tools.join("bin").join(name);
    let said = capture(workspace.program(&program).arg("--version"), "install it");
    if said.is_ok_and(|said| said.trim().ends_with(version)) {
        return Ok(program);
    }
    let build = tools.join("build");
    let mut install = workspace.cargo(&["install", "--locked", "--quiet", "--debug", name]);
    install.args(["--version", version, "--force", "--root"]).arg(&tools);
    install.arg("--target-dir").arg(&build).env("CARGO_PROFILE_DEV_DEBUG", "0");
    run_program(&mut install, "see whether the package registry can be reached, and run it again")?;
    if let Err(error) = std::fs::remove_dir_all(&build) {
        eprintln!("{} stays, and only takes room: {error}", build.display());
    }
    Ok(program)
}
