//! A process without a console, which a Ctrl-C in ours does not reach.

use std::os::windows::process::CommandExt;
use std::process::Command;

use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};
use windows_sys::Win32::System::Console::{
    GetStdHandle, STD_ERROR_HANDLE, STD_INPUT_HANDLE, STD_OUTPUT_HANDLE,
};
use windows_sys::Win32::System::Threading::{CREATE_NEW_PROCESS_GROUP, DETACHED_PROCESS};

pub(super) fn detach(command: &mut Command) {
    keep_own_pipes();
    command.creation_flags(DETACHED_PROCESS | CREATE_NEW_PROCESS_GROUP);
}

/// A daemon that inherited our standard output would keep it open, and whoever reads it would wait for ever.
fn keep_own_pipes() {
    for standard in [STD_INPUT_HANDLE, STD_OUTPUT_HANDLE, STD_ERROR_HANDLE] {
        // SAFETY: both calls take any value; for what is no handle they fail without an effect.
        unsafe {
            SetHandleInformation(GetStdHandle(standard), HANDLE_FLAG_INHERIT, 0);
        }
    }
}
