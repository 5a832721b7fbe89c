//! Running other programs, and saying what to do when one of them fails.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// What went wrong, and what the reader can do about it.
#[derive(Debug)]
pub(crate) struct Failure {
    what: String,
    remedy: String,
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    pub(crate) fn new(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.into(), remedy: remedy.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}\n  what to do: {}", self.what, self.remedy)
    }
}

/// Where the repository is, where things are built, and whether this is CI.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) target: PathBuf,
    /// On CI nothing may be skipped.
    pub(crate) on_ci: bool,
}

impl Workspace {
    pub(crate) fn locate() -> Outcome<Self> {
        let run_by_cargo = "run it as `cargo xtask …`, from inside the repository";
        let manifest_dir = env::var_os("CARGO_MANIFEST_DIR")
            .map(PathBuf::from)
            .ok_or_else(|| Failure::new("cargo did not start this program", run_by_cargo))?;
        let root = manifest_dir
            .ancestors()
            .nth(2)
            .ok_or_else(|| Failure::new("this package is not in `crates/xtask`", run_by_cargo))?
            .to_path_buf();
        let target = env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| root.join("target"), |folder| root.join(folder));
        Ok(Self { root, target, on_ci: env::var("CI").is_ok_and(|value| value == "true") })
    }

    /// A program started at the root of the repository.
    pub(crate) fn program(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command.current_dir(&self.root);
        forget_outer_cargo(&mut command);
        command
    }

    /// A program that may hang. On CI it is ended after so many minutes; elsewhere somebody is there to end it, and `timeout`
    /// would keep the terminal's interrupt from it.
    pub(crate) fn program_within(&self, minutes: u32, program: impl AsRef<Path>) -> Command {
        if !self.on_ci {
            return self.program(program);
        }
        let mut command = self.program("timeout");
        command.args(["--kill-after=10", &format!("{minutes}m")]).arg(program.as_ref());
        command
    }

    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = self.program("cargo");
        command.args(arguments);
        command
    }
}

/// Takes away what the cargo that started us has set. Build scripts that watch such a variable (ring's does) would otherwise
/// run again each time that a build under `cargo xtask` follows a plain one; and its library path misleads another toolchain.
fn forget_outer_cargo(command: &mut Command) {
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy();
        let set_by_cargo = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"];
        let is_outer = set_by_cargo.iter().any(|prefix| name.starts_with(prefix))
            || ["CARGO", "CARGO_PRIMARY_PACKAGE", "LD_LIBRARY_PATH"].contains(&name.as_ref());
        if is_outer {
            command.env_remove(name.as_ref());
        }
    }
}

/// Runs to the end with the output shown.
pub(crate) fn run(command: &mut Command, remedy: &str) -> Outcome {
    eprintln!("$ {}", describe(command));
    let status =
        command.stdin(Stdio::null()).status().map_err(|error| not_started(command, &error))?;
    if status.success() {
        return Ok(());
    }
    Err(Failure::new(format!("`{}` failed: {status}", describe(command)), remedy))
}

/// Runs to the end and hands back what it printed; its error output is shown.
pub(crate) fn capture(command: &mut Command, remedy: &str) -> Outcome<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| not_started(command, &error))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(Failure::new(format!("`{}` failed: {}", describe(command), output.status), remedy))
}

/// Whether the command runs and says yes; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[expect(clippy::disallowed_methods, reason = "says how long a check took; nothing depends on it")]
pub(crate) fn stopwatch() -> Instant {
    Instant::now()
}

fn not_started(command: &Command, error: &std::io::Error) -> Failure {
    let program = command.get_program().to_string_lossy();
    Failure::new(format!("cannot start `{program}`: {error}"), format!("install `{program}`"))
}

fn describe(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}
