//! Measures the budgets of DESIGN.md section 8 on the real programs: `cargo bench -p valetkey-bench`.
//!
//! Each row is measured in the same run as what a user would pick instead, or as what the machine can do at best, and
//! where the two can take turns they do: a shared machine is noisy, and a ratio of neighbours is not. The table goes to
//! standard output; `-- --update-readme` also puts it into `tests/bench/README.md`, and a few rows into the README.
//!
//! It is no test: it never fails because something is slow, and nothing but these two depends on what it prints. What
//! one function costs is told by the benchmarks of the crates.

#![cfg(target_os = "linux")]

mod daemon;
mod fill;
mod ping_pong;
mod placement;
mod programs;
mod relay;
mod rows;
mod stack;
mod stage;
mod stats;
mod table;

use std::process::ExitCode;
use std::time::Instant;

use stage::Stage;

/// What goes wrong is read by a person, once.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// The program. With the first argument `ping_pong::ROLE` it is the other process of a comparison.
pub fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    let arguments: Vec<String> = arguments.collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some(ping_pong::ROLE) => ping_pong::serve(&arguments[1..]),
        Some(stack::ROLE) => stack::serve(&arguments[1..]),
        _ if arguments.iter().any(|argument| argument == "--bench") => measure(&arguments),
        _ => Err(
            "run it by `cargo bench -p valetkey-bench [-- [--update-readme] [--no-build] [ROW…]]`"
                .into(),
        ),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("valetkey-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &[String]) -> Outcome {
    let chosen: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|it| !it.starts_with("--")).collect();
    if !arguments.iter().any(|argument| argument == "--no-build") {
        programs::build()?;
    }
    let busy_before = table::load_average();
    let started = now();
    let stage = Stage::open()?;
    let mut rows = Vec::new();
    for (name, measure) in rows::ALL {
        if chosen.is_empty() || chosen.contains(name) {
            eprintln!("{:>5.1} s  {name}", started.elapsed().as_secs_f64());
            rows.extend(measure(&stage).map_err(|error| format!("measure {name}: {error}"))?);
        }
    }
    let busy = format!("{busy_before} before, {} after", table::load_average());
    let text = table::render(&rows, &busy, started.elapsed());
    println!("{text}");
    if arguments.iter().any(|argument| argument == "--update-readme") {
        table::update_readmes(&rows, &text)?;
    }
    Ok(())
}

/// What time it is, for measuring.
#[expect(clippy::disallowed_methods, reason = "measuring is what this program is for")]
fn now() -> Instant {
    Instant::now()
}
