//! Files that are generated and committed: each is compared by a test of its own package with what would be generated now.

use super::Problem;
use crate::shell::{Failure, Outcome, Workspace};

/// Files, and the words after `cargo test` that compare them.
struct Generated {
    files: &'static [&'static str],
    test: &'static [&'static str],
}

const GENERATED: &[Generated] = &[
    Generated {
        files: &["proto/openapi.json", "proto/error-codes.md"],
        test: &["--package", "valetkey-proto", "--features", "schema", "generated"],
    },
    Generated {
        files: &["packaging/config.schema.json"],
        test: &["--package", "valetkeyd", "--features", "schema", "schema_is_the_generated_one"],
    },
];

const WHY: &str = "what is generated is committed, so that its changes are reviewed; it must be what the source says";

pub(super) fn check(workspace: &Workspace) -> Outcome<Vec<Problem>> {
    let mut problems = Vec::new();
    for generated in GENERATED {
        let absent = generated.files.iter().filter(|file| !workspace.root.join(file).exists());
        problems.extend(absent.map(|file| Problem::new(*file, "is not there", WHY)));
        problems.extend(compare(workspace, generated)?);
    }
    Ok(problems)
}

fn compare(workspace: &Workspace, generated: &Generated) -> Outcome<Option<Problem>> {
    let mut test = workspace.cargo(&["test", "--quiet"]);
    let output = test
        .args(generated.test)
        .output()
        .map_err(|error| Failure::new(format!("cannot start cargo: {error}"), "install cargo"))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let place = generated.files.join(", ");
    if !output.status.success() {
        eprint!("{}{printed}", String::from_utf8_lossy(&output.stderr));
        return Ok(Some(Problem::new(place, "out of date, or the comparison does not run", WHY)));
    }
    if count_passed(&printed) == 0 {
        let what =
            format!("no test compares it: `cargo test {}` ran none", generated.test.join(" "));
        return Ok(Some(Problem::new(place, what, WHY)));
    }
    Ok(None)
}

/// How many tests passed, over all the programs that cargo ran: a filter that fits no test must not look like success.
fn count_passed(printed: &str) -> usize {
    let count = |line: &str| {
        line.strip_prefix("test result: ok. ")?.split(' ').next()?.parse::<usize>().ok()
    };
    printed.lines().filter_map(count).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(printed: &str, passed: usize) {
        assert_eq!(count_passed(printed), passed);
    }

    #[test]
    fn a_run_of_no_tests_counts_none() {
        check(
            "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 9 filtered out\n",
            0,
        );
        check("test result: ok. 2 passed; 0 failed\n\ntest result: ok. 1 passed; 0 failed\n", 3);
        check("", 0);
    }
}
