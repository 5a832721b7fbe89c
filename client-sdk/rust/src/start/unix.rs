//! A process that no terminal and no process group can take along.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

pub(super) fn detach(command: &mut Command) {
    // SAFETY: between fork and exec only async-signal-safe functions may be called; setsid is one (POSIX 2.4.3), and
    // nothing is allocated here.
    unsafe {
        command.pre_exec(|| rustix::process::setsid().map(drop).map_err(io::Error::from));
    }
}
