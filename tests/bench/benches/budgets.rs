//! `cargo bench -p valetkey-bench`: see the library.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    valetkey_bench::main(std::env::args().skip(1))
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("the budgets are measured on Linux");
    ExitCode::FAILURE
}
