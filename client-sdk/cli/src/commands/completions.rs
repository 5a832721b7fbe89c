//! `valetkey completions`: a script for the person's shell.

use clap_complete::Shell;

use crate::console::Console;
use crate::failure::Failure;

pub(super) fn run(shell: Shell, console: &Console) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::command(), "valetkey", &mut script);
    console.print(&String::from_utf8_lossy(&script))
}
