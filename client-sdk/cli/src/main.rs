//! The program `valetkey`; everything is in the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    valetkey_cli::run()
}
