//! A long life of the daemon in a short time, under faults by a seeded schedule.

use crate::shell::{Outcome, Workspace, run as run_program};

/// Builds what a soak needs, and lets it run. `arguments` are its own: `--minutes 30`, `--seed N`.
pub(crate) fn run(workspace: &Workspace, arguments: &[&str]) -> Outcome {
    let mut build = workspace.cargo(&["build", "--workspace", "--bins"]);
    run_program(&mut build, "mend the build")?;
    let mut soak = workspace.program(workspace.target.join("debug/soak"));
    run_program(
        soak.args(arguments),
        "repeat it with the seed that it was told with; its last line names the step",
    )
}
