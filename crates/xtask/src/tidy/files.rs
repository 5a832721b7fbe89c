//! What a file may contain: how it opens, how long it is, and words that do not belong in it.

use std::fs;

use super::Problem;
use crate::shell::Workspace;

const LONGEST: usize = 450;

/// Files that may be longer, and why a reader is better off.
const LONG_FILES: &[(&str, &str)] = &[];

/// Kinds of file that a person reads top-down.
const SOURCE: &[&str] = &["rs", "py", "js", "mjs", "ts", "c", "h", "lua", "sh"];

/// Where a word is looked for.
enum Where {
    Anywhere,
    Rust,
    /// Code under a folder that is not a test.
    Shipped(&'static [&'static str]),
}

/// The words are cut in two here, so that this file does not break its own rules.
const FORBIDDEN: &[(&str, Where, &str)] = &[
    (concat!("todo", "!("), Where::Rust, "what is not done is not there; a stub pretends"),
    (concat!("dbg", "!("), Where::Rust, "it prints whatever it is given, secrets too"),
    (
        concat!("#[", "allow("),
        Where::Rust,
        "`#[expect(…, reason = \"…\")]` says why, and tells when it is no longer needed",
    ),
    (
        concat!("#![", "allow("),
        Where::Rust,
        "`#![expect(…, reason = \"…\")]` says why, and tells when it is no longer needed",
    ),
    (
        "std::fs",
        Where::Shipped(PURE),
        "this crate is values and decisions: the disk belongs to the vault and the daemon",
    ),
    (
        "std::env",
        Where::Shipped(PURE),
        "this crate is told what it needs; only the daemon reads the environment",
    ),
    ("std::process", Where::Shipped(PURE), "this crate starts and ends nothing"),
    (
        "TcpStream",
        Where::Shipped(PURE),
        "this crate opens no sockets; HTTP is a trait that the daemon fills",
    ),
    (
        "TcpListener",
        Where::Shipped(PURE),
        "this crate opens no sockets; HTTP is a trait that the daemon fills",
    ),
    (
        "UdpSocket",
        Where::Shipped(PURE),
        "this crate opens no sockets; HTTP is a trait that the daemon fills",
    ),
    (concat!("/ro", "ot/"), Where::Anywhere, HOME),
    (concat!("/ho", "me/"), Where::Anywhere, HOME),
    (concat!("/Us", "ers/"), Where::Anywhere, HOME),
    (concat!("crates", ".io"), Where::Anywhere, REGISTRY),
    (concat!("pypi", ".org"), Where::Anywhere, REGISTRY),
    (concat!("pythonhosted", ".org"), Where::Anywhere, REGISTRY),
    (concat!("npmjs", ".org"), Where::Anywhere, REGISTRY),
    (concat!("deb.debian", ".org"), Where::Anywhere, REGISTRY),
];

const PURE: &[&str] = &["crates/oauth/", "crates/cache/", "crates/policy/", "crates/engine/"];
const HOME: &str = "a path of one person's machine is wrong on every other";
const REGISTRY: &str =
    "where packages come from is the business of the machine that builds: mirrors must work";

/// Places where a forbidden word is right: (file, word, why).
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "Cargo.lock",
    concat!("crates", ".io"),
    "cargo's own name for its default registry, wherever that is fetched from",
)];

pub(super) fn check(workspace: &Workspace, files: &[String]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for path in files {
        // A file that is deleted but not yet committed, or that is not text, has nothing to check.
        if let Ok(text) = fs::read_to_string(workspace.root.join(path)) {
            problems.extend(check_file(path, &text, LONG_FILES));
        }
    }
    problems
}

fn check_file(path: &str, text: &str, long_files: &[(&str, &str)]) -> Vec<Problem> {
    let mut problems = Vec::new();
    problems.extend(check_opening(path, text));
    problems.extend(check_length(path, text, long_files));
    let test_code_starts = find_test_code(path, text);
    let mut previous = "";
    for (index, line) in text.lines().enumerate() {
        let place = || format!("{path}:{}", index + 1);
        let is_test = index >= test_code_starts;
        for (word, why) in forbidden_words(path, line, is_test) {
            problems.push(Problem::new(place(), format!("has `{word}`"), why));
        }
        if is_test && sleeps(path, line) && !line.contains("sleep:") && !previous.contains("sleep:")
        {
            problems.push(Problem::new(place(), "sleeps", SLEEP));
        }
        previous = line;
    }
    problems
}

fn check_opening(path: &str, text: &str) -> Option<Problem> {
    let why = "a reader who opens the file learns first what it is for";
    let opens_well = !path.ends_with(".rs") || text.starts_with("//!");
    (!opens_well).then(|| Problem::new(path, "does not start with `//!`", why))
}

fn check_length(path: &str, text: &str, long_files: &[(&str, &str)]) -> Option<Problem> {
    let extension = path.rsplit('.').next().unwrap_or_default();
    let is_source = SOURCE.contains(&extension);
    let is_long = is_source && text.lines().count() > LONGEST;
    let is_excepted = long_files.iter().any(|(file, _)| *file == path);
    let why = "a file is read in one go; split it where its subject splits";
    match (is_long, is_excepted) {
        (true, false) => Some(Problem::new(path, format!("has more than {LONGEST} lines"), why)),
        (false, true) => Some(Problem::new(
            path,
            "is listed as long, and is not",
            "an exception ends when its reason does",
        )),
        _ => None,
    }
}

/// The number of the first line of test code; past the end of a file without any.
fn find_test_code(path: &str, text: &str) -> usize {
    let is_test_file = path.contains("/tests/")
        || path.starts_with("tests/")
        || path.starts_with("crates/testkit/")
        || path.ends_with("/tests.rs");
    if is_test_file {
        return 0;
    }
    text.lines().position(|line| line.trim() == "#[cfg(test)]").unwrap_or(usize::MAX)
}

fn forbidden_words<'a>(
    path: &'a str,
    line: &'a str,
    is_test: bool,
) -> impl Iterator<Item = (&'static str, &'static str)> + 'a {
    FORBIDDEN
        .iter()
        .filter(move |(word, place, _)| match place {
            Where::Anywhere => {
                !EXCEPTIONS.iter().any(|(file, excepted, _)| *file == path && excepted == word)
            }
            Where::Rust => path.ends_with(".rs"),
            Where::Shipped(folders) => {
                let is_comment = line.trim_start().starts_with("//");
                !is_test && !is_comment && folders.iter().any(|folder| path.starts_with(folder))
            }
        })
        .filter(|(word, ..)| line.contains(word))
        .map(|(word, _, why)| (*word, *why))
}

const SLEEP: &str = "a test that waits for time is slow and fails on a busy machine: wait for the event, or move a fake clock; \
    where that cannot be, `// sleep:` on the line or above it says why";

/// A call of the function, not its definition; in Rust not a method either, which is a fake clock's.
fn sleeps(path: &str, line: &str) -> bool {
    let before_call =
        |line: &str| line.split_once(concat!("sleep", "(")).map(|(before, _)| before.to_owned());
    let Some(before) = before_call(line) else { return false };
    match path.rsplit('.').next() {
        Some("rs") => !before.ends_with("fn ") && !before.ends_with('.') && !before.ends_with('_'),
        Some("py") => !before.ends_with("def ") && !before.ends_with('_'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples write `@` inside words that must not appear in this file.
    fn check(path: &str, text: &str, expected: &[&str]) {
        let found: Vec<_> = check_file(path, &text.replace('@', ""), &[("long.rs", "why")])
            .iter()
            .map(|problem| format!("{}: {}", problem.place, problem.what))
            .collect();
        let expected: Vec<_> = expected.iter().map(|line| line.replace('@', "")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_rust_file_says_what_it_is_for() {
        check("a.rs", "//! Nouns.\n", &[]);
        check("a.rs", "use std::fmt;\n", &["a.rs: does not start with `//!`"]);
        check("a.py", "import sys\n", &[]);
    }

    #[test]
    fn a_source_file_is_not_too_long() {
        let lines = |count: usize| format!("//! Nouns.\n{}", "\n".repeat(count - 1));
        check("a.rs", &lines(450), &[]);
        check("a.rs", &lines(451), &["a.rs: has more than 450 lines"]);
        check("a.json", &lines(451), &[]);
        check("long.rs", &lines(451), &[]);
        check("long.rs", &lines(1), &["long.rs: is listed as long, and is not"]);
    }

    #[test]
    fn stubs_and_silenced_lints_are_found() {
        check("a.rs", "//! A.\nto@do!()\n", &["a.rs:2: has `to@do!(`"]);
        check("a.rs", "//! A.\nd@bg!(x)\n", &["a.rs:2: has `d@bg!(`"]);
        check("a.rs", "//! A.\n#[al@low(dead_code)]\n", &["a.rs:2: has `#[al@low(`"]);
        check("a.rs", "//! A.\n#![al@low(dead_code)]\n", &["a.rs:2: has `#![al@low(`"]);
    }

    #[test]
    fn a_core_crate_does_no_input_or_output_outside_tests() {
        check(
            "crates/oauth/src/a.rs",
            "//! A.\nuse std::fs;\n",
            &["crates/oauth/src/a.rs:2: has `std::fs`"],
        );
        check(
            "crates/oauth/src/a.rs",
            "//! No std::fs.\n#[cfg(test)]\nmod tests { use std::fs; }\n",
            &[],
        );
        check("crates/vault/src/a.rs", "//! A.\nuse std::fs;\n", &[]);
    }

    #[test]
    fn a_sleep_in_a_test_gives_its_reason() {
        let call = "tokio::time::slee@p(second).await;\n";
        check("tests/a.rs", &format!("//! A.\n{call}"), &["tests/a.rs:2: sleeps"]);
        check("tests/a.rs", &format!("//! A.\n// sleep: the kernel tells nobody\n{call}"), &[]);
        check("daemon/src/a.rs", &format!("//! A.\n{call}"), &[]);
        check(
            "daemon/src/a.rs",
            &format!("//! A.\n#[cfg(test)]\n{call}"),
            &["daemon/src/a.rs:3: sleeps"],
        );
        check("tests/a.rs", "//! A.\nclock.slee@p(second);\nfn slee@p() {}\n", &[]);
        check("tests/a.py", "time.slee@p(1)\n", &["tests/a.py:1: sleeps"]);
        check("tests/a.py", "time.slee@p(1)  # sleep: no event\n", &[]);
    }

    #[test]
    fn machines_and_registries_are_not_named() {
        check("README.md", "in /ho@me/me/x\n", &["README.md:1: has `/ho@me/`"]);
        check("README.md", "from crates@.io\n", &["README.md:1: has `crates@.io`"]);
        check("Cargo.lock", "registry+crates@.io-index\n", &[]);
        check(
            "tests/requirements.txt",
            "from pypi@.org\n",
            &["tests/requirements.txt:1: has `pypi@.org`"],
        );
    }
}
