//! The programs that are measured: ours, built first; others, where they are installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;

/// Builds the release programs: cargo builds those of other packages only when it is told to.
pub(crate) fn build() -> Outcome {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--package=valetkeyd", "--package=valetkey"])
        .arg("--target-dir")
        .arg(target()?)
        .current_dir(repository())
        .status()?;
    if status.success() { Ok(()) } else { Err("the programs do not build".into()) }
}

/// A program of ours.
pub(crate) fn ours(name: &str) -> Outcome<PathBuf> {
    Ok(target()?.join("release").join(name))
}

/// A program on `PATH`.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The interpreter that has MSAL, where `cargo xtask test` has set it up.
pub(crate) fn python_with_msal() -> Outcome<Option<PathBuf>> {
    let python = target()?.join("venv/bin/python");
    let has_msal = Command::new(&python)
        .args(["-c", "import msal, msal_extensions"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    Ok(has_msal.then_some(python))
}

/// A script beside this file.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/python").join(name)
}

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `target` of `target/release/deps/budgets-0123456789abcdef`.
fn target() -> Outcome<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.ancestors().nth(3).ok_or("this program is not where cargo puts it")?.to_owned())
}
