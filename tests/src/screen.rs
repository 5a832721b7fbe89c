//! A screen that nobody sees, for programs that show windows.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::connection::patiently;
use crate::machine::Machine;

/// A screen, for as long as this value lives.
pub struct Screen(#[expect(dead_code, reason = "held, never looked at")] Child);

impl Screen {
    /// Gives the programs that a machine starts from now on a screen.
    ///
    /// # Panics
    /// When there is none to be had.
    pub async fn start(machine: &mut Machine) -> Self {
        let (screen, number) =
            announce(machine, "Xvfb", &["-displayfd", "1", "-nolisten", "tcp"]).await;
        machine.set("DISPLAY", format!(":{number}"));
        Self(screen)
    }
}

/// Starts a program that prints where it is, and goes on.
///
/// # Panics
/// When it does not.
async fn announce(machine: &Machine, program: &str, arguments: &[&str]) -> (Child, String) {
    let mut command = machine.command_of(program);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = start(&mut command);
    let output = child.stdout.take().expect("it is a pipe");
    let line = patiently(program, BufReader::new(output).lines().next_line()).await;
    let line = line.expect("a pipe can be read");
    (child, line.unwrap_or_else(|| panic!("{program} ended at once")))
}

/// Starts a program of a desktop's.
///
/// # Panics
/// When it is not there.
pub fn start(command: &mut Command) -> Child {
    let name = command.as_std().get_program().to_owned();
    command.spawn().unwrap_or_else(|error| {
        panic!("start {name:?}: {error}; Debian's packages xvfb, dbus, dunst, pinentry-gtk2 and xdotool have what the test needs")
    })
}
