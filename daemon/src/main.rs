//! `valetkeyd`, the daemon's program. What it does stands in `program.rs`; here is only what must come first.

use std::process::ExitCode;

use valetkeyd::allocator::{self, Zeroing};
use valetkeyd::endpoint::Inherited;
use valetkeyd::program;
use valetkeyd::shutdown::HeldSignals;

#[global_allocator]
static ALLOCATOR: Zeroing = Zeroing::new();

fn main() -> ExitCode {
    let held_signals = HeldSignals::hold();
    allocator::share_heaps();
    // SAFETY: the first lines of the process: there is no other thread, and no descriptor but what it was started with.
    match unsafe { take_inherited() } {
        Ok(inherited) => program::main(std::env::args_os(), inherited, held_signals),
        Err(message) => program::fail(&message),
    }
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
