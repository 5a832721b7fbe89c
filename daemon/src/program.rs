//! The program around [`run()`]: command line, logs, runtime, exit code.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tokio::runtime::Runtime;
use valetkey_model::steers_display;

use crate::endpoint::Inherited;
use crate::paths::process_environment;
use crate::shutdown::HeldSignals;
use crate::{Options, hardening, logging, run};

/// The token broker of this computer. It runs in the foreground; programs reach it over its socket.
#[derive(Parser)]
#[command(name = "valetkeyd", version, about)]
struct Arguments {
    /// Listen here instead of where VALETKEY_SOCKET, systemd or the session says
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Keep the store here instead of in VALETKEY_STATE_DIR or the user's state folder
    #[arg(long, value_name = "PATH")]
    state_dir: Option<PathBuf>,
    /// Read this configuration instead of VALETKEY_CONFIG or the usual files
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Be the system's: listen on /run/valetkey, for the users whom [service] of the configuration names
    #[arg(long)]
    system: bool,
}

/// Runs the daemon with this command line until a signal asks it to stop.
pub fn main(
    arguments: impl IntoIterator<Item = OsString>,
    inherited: Option<Inherited>,
    held_signals: HeldSignals,
) -> ExitCode {
    let arguments = Arguments::parse_from(arguments);
    if let Err(error) = logging::start(&process_environment) {
        return fail(&error.to_string());
    }
    hardening::apply();
    let lookout = hardening::post_lookout();
    // One thread: a request is worth some microseconds, and waking a second thread for it takes longer. What blocks has
    // threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("start the runtime: {error}")),
    };
    let options = Options {
        socket: arguments.socket,
        state_dir: arguments.state_dir,
        config: arguments.config,
        is_systems: arguments.system,
        inherited,
        held_signals: Some(held_signals),
        lookout,
    };
    let ended = runtime.block_on(run(options, &process_environment));
    leave(runtime);
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_already_running() => {
            say(&format!("{error}; nothing to do"));
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.to_string()),
    }
}

/// A thread that hangs in a file system is not waited for: whatever had to be saved is saved.
fn leave(runtime: Runtime) {
    runtime.shutdown_timeout(LAST_PATIENCE);
}

/// How long what blocks may take to come to its end.
const LAST_PATIENCE: Duration = Duration::from_millis(500);

/// Says on stderr why the program ends: in the last line, which whoever started it shows to a person.
pub fn fail(message: &str) -> ExitCode {
    say(message);
    ExitCode::FAILURE
}

/// That nobody can be told, as with a log on a full disk, is no reason to end otherwise.
fn say(message: &str) {
    let message = message.replace(steers_display, "\u{fffd}");
    let _ = writeln!(io::stderr(), "valetkeyd: {message}");
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_thread_that_hangs_does_not_keep_the_process() {
        let (server, answer) = mpsc::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let hanging = runtime.spawn_blocking(move || answer.recv());
        leave(runtime);
        assert!(!hanging.is_finished(), "it was left behind");
        drop(server);
    }
}
