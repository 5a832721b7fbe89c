//! `valetkeyd`, the daemon's program: its command line, its runtime, its exit code.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use valetkeyd::endpoint::Inherited;
use valetkeyd::paths::process_environment;
use valetkeyd::{Options, hardening, logging, run};

/// The token broker of this computer. It runs in the foreground; programs reach it over its socket.
#[derive(Parser)]
#[command(version, about)]
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
}

fn main() -> ExitCode {
    // SAFETY: the first line of the process: there is no other thread, and no descriptor but what it was started with.
    let inherited = match unsafe { take_inherited() } {
        Ok(inherited) => inherited,
        Err(message) => return fail(&message),
    };
    let arguments = Arguments::parse();
    if let Err(error) = logging::start(&process_environment) {
        return fail(&error.to_string());
    }
    hardening::apply();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("valetkeyd")
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("start the runtime: {error}")),
    };
    let options = Options {
        socket: arguments.socket,
        state_dir: arguments.state_dir,
        config: arguments.config,
        inherited,
    };
    match runtime.block_on(run(options, &process_environment)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_already_running() => {
            eprintln!("valetkeyd: {error}; nothing to do");
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error.to_string()),
    }
}

fn fail(message: &str) -> ExitCode {
    eprintln!("valetkeyd: {message}");
    ExitCode::FAILURE
}

/// # Safety
/// As [`valetkey_ipc::Inherited::take_from_environment`].
#[cfg(unix)]
unsafe fn take_inherited() -> Result<Option<Inherited>, String> {
    // SAFETY: the same contract.
    unsafe { Inherited::take_from_environment() }.map_err(|error| error.to_string())
}

/// # Safety
/// None needed; the signature is that of the other platforms.
#[cfg(not(unix))]
unsafe fn take_inherited() -> Result<Option<Inherited>, String> {
    Ok(None)
}
