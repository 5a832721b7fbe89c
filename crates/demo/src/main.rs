//! `valetkey-demo`: the newcomer's first command. It tells the whole story on one machine in a few seconds.
//!
//! A provider on loopback (the Entra emulator), the real daemon in a process of its own, apps in processes of their own, a
//! temporary folder for everything. What it prints was measured in this very run, and what it claims is checked: it exits
//! with 1 when a claim does not hold, and clears its stage when it is interrupted. It touches neither the user's own daemon
//! nor anything outside its folder.

mod apps;
mod figures;
mod interrupt;
mod stage;
mod story;
mod tell;

use std::io::Write as _;
use std::process::ExitCode;

/// The first argument that makes this program one of the story's other processes.
const AS_DAEMON: &str = "as-daemon";
const AS_SECOND_APP: &str = "as-second-app";

const USAGE: &str = "\
usage: valetkey-demo [--browser]

  --browser  sign in yourself, in your browser, instead of by script
";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    match arguments.next() {
        Some(role) if role == AS_DAEMON => {
            let arguments = ["valetkeyd".into()].into_iter().chain(arguments);
            valetkeyd::program::main(arguments, None, valetkeyd::shutdown::HeldSignals::hold())
        }
        Some(role) if role == AS_SECOND_APP => finish(apps::run_second_app(arguments)),
        Some(option) if option == "--browser" => finish(story::tell(true)),
        None => finish(story::tell(false)),
        Some(option) if option == "--help" || option == "-h" => {
            // Whoever closed standard output has read enough.
            let _ = std::io::stdout().write_all(USAGE.as_bytes());
            ExitCode::SUCCESS
        }
        Some(unknown) => {
            eprint!("valetkey-demo: there is no option {unknown:?}\n\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn finish(outcome: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_unread(error.as_ref()) => ExitCode::FAILURE,
        Err(error) => {
            // The terminal may be gone.
            let _ = writeln!(std::io::stderr(), "\nvaletkey-demo: {error}");
            let interrupted = error.downcast_ref::<interrupt::Interrupted>();
            interrupted.map_or(ExitCode::FAILURE, |it| it.exit_code.into())
        }
    }
}

/// Whoever closed standard output has read enough.
fn is_unread(error: &(dyn std::error::Error + 'static)) -> bool {
    let error = error.downcast_ref::<std::io::Error>();
    error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
