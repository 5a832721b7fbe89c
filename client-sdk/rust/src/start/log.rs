//! Where a daemon that has no terminal says why it cannot start: `valetkeyd.log` in its state folder.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;

/// The log, private to its user; none when it cannot be had, which is no reason not to start.
pub(super) fn open() -> Option<File> {
    let folder = state_folder()?;
    create_private_folder(&folder).ok()?;
    let file = append_privately().open(folder.join("valetkeyd.log")).ok()?;
    if file.metadata().ok()?.len() > LARGEST {
        file.set_len(0).ok()?;
    }
    Some(file)
}

/// As the daemon finds its own.
fn state_folder() -> Option<PathBuf> {
    let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(chosen) = variable("VALETKEY_STATE_DIR") {
        return Some(chosen);
    }
    let base = if cfg!(windows) {
        variable("XDG_STATE_HOME").or_else(|| variable("LOCALAPPDATA"))
    } else {
        variable("XDG_STATE_HOME")
            .or_else(|| variable("HOME").map(|home| home.join(".local/state")))
    };
    base.map(|base| base.join("valetkey"))
}

#[cfg(unix)]
fn create_private_folder(folder: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn create_private_folder(folder: &std::path::Path) -> std::io::Result<()> {
    fs::create_dir_all(folder)
}

#[cfg(unix)]
fn append_privately() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.append(true).create(true).mode(0o600);
    options
}

#[cfg(not(unix))]
fn append_privately() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    options
}

/// A daemon says little; this is a year of it.
const LARGEST: u64 = 1024 * 1024;
