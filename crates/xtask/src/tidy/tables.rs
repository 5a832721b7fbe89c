//! Tables that say which test proves what: each row names a test that is there, or says why there is none.

use std::collections::HashSet;
use std::fs;

use super::Problem;
use crate::shell::{Failure, Outcome, Workspace};

/// The last column of their tables is the one that is read: what stands there in backticks is a test. Where a heading is
/// named, only the tables below it count.
const TABLES: &[(&str, Option<&str>)] = &[
    ("tests/PARITY.md", None),
    ("tests/QUIRKS.md", None),
    ("SECURITY.md", Some("## Incidents of this class")),
];
/// How a cell begins that says why there is no test.
const NONE: &str = "none: ";
/// Names with a slash are scenarios below this folder.
const SCENARIOS: &str = "tests/oracle/scenarios/";

pub(super) fn check(workspace: &Workspace, files: &[String]) -> Outcome<Vec<Problem>> {
    let tests = find_tests(workspace, files);
    let mut problems = Vec::new();
    for (path, heading) in TABLES {
        let text = fs::read_to_string(workspace.root.join(path)).map_err(|error| {
            Failure::new(
                format!("cannot read {path}: {error}"),
                "restore it: it says what is proven",
            )
        })?;
        problems.extend(check_table(path, &text, *heading, &tests));
    }
    Ok(problems)
}

/// The names of all tests, and of the oracle's scenarios.
fn find_tests(workspace: &Workspace, files: &[String]) -> HashSet<String> {
    let mut tests = HashSet::new();
    for path in files {
        if let Some(scenario) = path.strip_prefix(SCENARIOS) {
            tests.insert(scenario.trim_end_matches(".py").to_owned());
        } else if path.ends_with(".rs") || path.ends_with(".py") {
            let text = fs::read_to_string(workspace.root.join(path)).unwrap_or_default();
            tests.extend(test_functions(path, &text).into_iter().map(str::to_owned));
        }
    }
    tests
}

/// In Rust the functions below `#[test]`, in Python those that are called so.
fn test_functions<'a>(path: &str, text: &'a str) -> Vec<&'a str> {
    let lines = text.lines().map(str::trim);
    if path.ends_with(".py") {
        return lines
            .filter_map(|line| name_after(line, "def "))
            .filter(|name| name.starts_with("test_"))
            .collect();
    }
    let mut is_marked = false;
    let mut names = Vec::new();
    for line in lines {
        is_marked |= line == "#[test]" || line.starts_with("#[tokio::test");
        if let Some(name) = name_after(line, "fn ") {
            names.extend(is_marked.then_some(name));
            is_marked = false;
        }
    }
    names
}

fn name_after<'a>(line: &'a str, keyword: &str) -> Option<&'a str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    line.strip_prefix(keyword)?.split(['(', '<']).next()
}

fn check_table(
    path: &str,
    text: &str,
    heading: Option<&str>,
    tests: &HashSet<String>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Some(rows) = rows_below(text, heading) else {
        let why = "the table below it says what is proven";
        return vec![Problem::new(path, format!("lacks {:?}", heading.unwrap_or_default()), why)];
    };
    for (index, line) in rows {
        let place = format!("{path}:{}", index + 1);
        let cell = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default().trim();
        let named: Vec<_> = cell.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && !cell.starts_with(NONE) {
            let why = "a row without a test says why there is none: `none: …`";
            problems.push(Problem::new(place.clone(), "names no test", why));
        }
        for name in named.iter().filter(|name| !tests.contains(**name)) {
            let why = "a table that names what is not there proves nothing";
            problems.push(Problem::new(
                place.clone(),
                format!("names {name}, which is no test"),
                why,
            ));
        }
    }
    problems
}

/// The rows of the tables in a text, or in the section with this heading, with their places; `None` without that heading.
fn rows_below<'a>(text: &'a str, heading: Option<&str>) -> Option<Vec<(usize, &'a str)>> {
    let mut lines = text.lines().enumerate();
    if let Some(heading) = heading {
        lines.find(|(_, line)| *line == heading)?;
    }
    let section = lines.take_while(|(_, line)| heading.is_none() || !line.starts_with("## "));
    Some(section.filter(|(_, line)| is_row(line)).collect())
}

/// A row of a table below its head.
fn is_row(line: &str) -> bool {
    line.starts_with('|') && !line.starts_with("|---") && !line.ends_with("| test |")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(row: &str, expected: &[&str]) {
        let tests = ["a_test", "silent/hit"].map(str::to_owned).into();
        let text = format!("| what | test |\n|---|---|\n{row}\n");
        let found: Vec<_> = check_table("T.md", &text, None, &tests)
            .iter()
            .map(|problem| format!("{}: {}", problem.place, problem.what))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_row_names_tests_that_are_there_or_says_why_not() {
        check("| a `thing` | `a_test`, `silent/hit` |", &[]);
        check("| a | none: nobody needs it, as `a_test` shows |", &[]);
        check("| a | none: see `a_tset` |", &["T.md:3: names a_tset, which is no test"]);
        check("| a | `a_tset` |", &["T.md:3: names a_tset, which is no test"]);
        check("| a | later |", &["T.md:3: names no test"]);
        check("| a | |", &["T.md:3: names no test"]);
    }

    #[test]
    fn a_section_is_read_to_its_end_and_must_be_there() {
        let check = |text: &str, expected: &[&str]| {
            let problems = check_table("T.md", text, Some("## Proven"), &HashSet::new());
            let found: Vec<_> = problems.iter().map(|problem| problem.place.as_str()).collect();
            assert_eq!(found, expected);
        };
        check("| a | b |\n## Proven\n| a | `b` |\n## Next\n| a | b |\n", &["T.md:3"]);
        check("| a | b |\n", &["T.md"]);
    }

    #[test]
    fn a_function_that_is_no_test_proves_nothing() {
        let rust = "#[cfg(test)]\nmod tests {\nfn helper() {}\n#[tokio::test]\nasync fn it_holds() {}\nfn other() {}\n}\n";
        assert_eq!(test_functions("a.rs", rust), ["it_holds"]);
        let python = "def test_it(world):\n    pass\ndef helper():\n    pass\n";
        assert_eq!(test_functions("a.py", python), ["test_it"]);
    }
}
