//! `cargo xtask`: the one entry point for checking this repository, the same on a newcomer's machine and in CI.
//!
//! It builds nothing that ships and knows no rule of the product: the product's rules live in the product's tests. What is kept
//! here are the rules about the source itself ([`tidy`]), what each suite of tests needs ([`test_suites`], [`setup`]), and the
//! ways around the edges of a machine ([`windows`], [`deny`], [`fuzz`]).

mod ci;
mod deny;
mod fuzz;
mod report;
mod setup;
mod shell;
mod soak;
mod test_suites;
mod tidy;
mod tools;
mod windows;

use std::process::ExitCode;

use shell::{Failure, Outcome, Workspace};

const USAGE: &str = "\
usage: cargo xtask <command>

  test [SUITE…]   set up what the tests need and run them; without names, all but those that run on request
  test --list     name the suites, what they need and what they are for
  ci              everything a change must pass: fast checks first, then every suite, nothing skipped
  fuzz [TARGET…] [--seconds N]
                  what comes from outside, in any shape: each target, or those named, for N seconds (300)
  soak            the daemon under faults without end: `--minutes 30`, `--seed N`; one minute of it is among the tests
  tidy            the rules about the source: dependencies, files
  deny            licences, sources and advisories of what we depend on
  windows         build for Windows and run the tests under Wine (the same as `test windows`)
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nxtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[&str]) -> Outcome {
    let workspace = Workspace::locate()?;
    match arguments {
        [_, rest @ ..] if rest.iter().any(|it| matches!(*it, "--help" | "-h")) => {
            print!("{USAGE}");
            Ok(())
        }
        ["test", "--list"] => {
            test_suites::list();
            Ok(())
        }
        ["test", suites @ ..] => test_suites::run(&workspace, suites),
        ["windows"] => test_suites::run(&workspace, &["windows"]),
        ["fuzz", arguments @ ..] => fuzz::run(&workspace, arguments),
        ["ci"] => ci::run(&workspace),
        ["soak", arguments @ ..] => soak::run(&workspace, arguments),
        ["tidy"] => tidy::run(&workspace),
        ["deny"] => deny::run(&workspace),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        [command @ ("windows" | "ci" | "tidy" | "deny"), argument, ..] => Err(Failure::new(
            format!("`{command}` takes no {argument:?}"),
            format!("run `cargo xtask {command}` alone"),
        )),
        [other, ..] => {
            Err(Failure::new(format!("there is no command {other:?}"), "see `cargo xtask help`"))
        }
    }
}
