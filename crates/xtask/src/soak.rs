//! A long life of the daemon in a short time, under faults by a seeded schedule.

use crate::shell::{Failure, Outcome, Workspace, run as run_program};

/// Builds what a soak needs, and lets it run. `arguments` are its own: `--minutes 30`, `--seed N`.
pub(crate) fn run(workspace: &Workspace, arguments: &[&str]) -> Outcome {
    check(arguments)?;
    let mut build = workspace.cargo(&["build", "--workspace", "--bins"]);
    run_program(&mut build, "mend the build")?;
    let mut soak = workspace.program(workspace.target.join("debug/soak"));
    run_program(
        soak.args(arguments),
        "repeat it with the seed that it was told with; its last line names the step",
    )
}

/// Before anything is built.
fn check(arguments: &[&str]) -> Outcome {
    for pair in arguments.chunks(2) {
        let is_number = |text: &str| text.parse::<u64>().is_ok();
        if !matches!(pair, ["--minutes" | "--seed", number] if is_number(number)) {
            let what = format!("a soak cannot be told {:?}", pair.join(" "));
            return Err(Failure::new(what, "write `cargo xtask soak --minutes 30 --seed 7`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_refused_before_anything_is_built() {
        for fine in [&[][..], &["--minutes", "1"], &["--seed", "7", "--minutes", "30"]] {
            assert!(check(fine).is_ok(), "{fine:?}");
        }
        for wrong in [&["--minutes"][..], &["--minutes", "x"], &["--minute", "1"], &["30"]] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
    }
}
