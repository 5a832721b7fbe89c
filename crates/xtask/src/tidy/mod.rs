//! The rules about the source that a compiler does not check. Each is a table with its reasons, and a broken one prints its reason.

mod dependencies;
mod files;
mod tables;

use std::fmt;

use crate::shell::{Failure, Outcome, Workspace, capture};

/// One place where a rule is broken.
#[derive(Debug, PartialEq, Eq)]
struct Problem {
    place: String,
    what: String,
    why: &'static str,
}

impl Problem {
    fn new(place: impl Into<String>, what: impl Into<String>, why: &'static str) -> Self {
        Self { place: place.into(), what: what.into(), why }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}\n    why: {}", self.place, self.what, self.why)
    }
}

pub(crate) fn run(workspace: &Workspace) -> Outcome {
    let mut problems = dependencies::check(workspace)?;
    let files = list_files(workspace)?;
    problems.extend(files::check(workspace, &files));
    problems.extend(tables::check(workspace, &files)?);
    for problem in &problems {
        eprintln!("{problem}");
    }
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(
        format!("tidy found {} problems", problems.len()),
        "mend each; a justified exception goes into the table of its rule in crates/xtask/src/tidy, with the reason",
    ))
}

/// What is not yet committed is checked as well: that is when mending is cheapest.
fn list_files(workspace: &Workspace) -> Outcome<Vec<String>> {
    let mut list = workspace.program("git");
    list.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let list = capture(&mut list, "run it in a clone made by git")?;
    Ok(list.lines().map(str::to_owned).collect())
}
