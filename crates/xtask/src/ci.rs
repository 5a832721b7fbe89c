//! `cargo xtask ci`: what a change must pass. Fast checks come first, and the first failure ends the run.

use crate::report::Report;
use crate::shell::{Outcome, Workspace, run as run_program};
use crate::{deny, test_suites, tidy};

type Check = fn(&Workspace) -> Outcome;

const CHECKS: &[(&str, Check)] = &[
    ("fmt", check_format),
    ("tidy", tidy::run),
    ("clippy", check_lints),
    ("rustdoc", check_docs),
    ("deny", deny::run),
];

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut report = Report::new(true);
    let all_well =
        CHECKS.iter().all(|(name, check)| report.record(name, || check(workspace).into()));
    if all_well {
        test_suites::run_all(workspace, &mut report);
    }
    report.conclude()
}

fn check_format(workspace: &Workspace) -> Outcome {
    run_program(&mut workspace.cargo(&["fmt", "--all", "--check"]), "run `cargo fmt --all`")
}

fn check_lints(workspace: &Workspace) -> Outcome {
    let mut clippy = workspace.cargo(&["clippy", "--workspace", "--all-targets", "--locked"]);
    clippy.args(["--", "--deny", "warnings"]);
    run_program(
        &mut clippy,
        "mend the warning; if it is wrong here, say why with `#[expect(…, reason = \"…\")]`",
    )
}

fn check_docs(workspace: &Workspace) -> Outcome {
    let mut doc = workspace.cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    doc.env("RUSTDOCFLAGS", "--deny warnings");
    run_program(&mut doc, "mend the link or the markup in the doc comment")
}
