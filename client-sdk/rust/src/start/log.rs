//! Where a daemon that has no terminal says why it cannot start: `valetkeyd.log` in its state folder.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use valetkey_safe_path::{PathError, create_folder, open_to_append};

/// The log, private to its user; none when there is no place for it.
///
/// # Errors
/// When it cannot be had, or somebody else could have put it there or could read it.
pub(super) fn open() -> Result<Option<File>, PathError> {
    state_folder().map(|folder| open_in(&folder, LARGEST)).transpose()
}

fn open_in(folder: &Path, largest: u64) -> Result<File, PathError> {
    create_folder(folder)?;
    let path = folder.join("valetkeyd.log");
    let file = open_to_append(&path)?;
    let is_full = file.metadata().is_ok_and(|metadata| metadata.len() > largest);
    // What cannot be moved away goes on growing, which is the lesser evil.
    if is_full && fs::rename(&path, folder.join("valetkeyd.log.old")).is_ok() {
        return open_to_append(&path);
    }
    Ok(file)
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

/// A daemon says little; this is a year of it.
const LARGEST: u64 = 1024 * 1024;

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_log_that_is_full_is_moved_away_and_not_truncated() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("state");
        for text in ["first", "2", "third"] {
            open_in(&folder, 5).unwrap().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(folder.join("valetkeyd.log.old")).unwrap(), "first2");
        assert_eq!(fs::read_to_string(folder.join("valetkeyd.log")).unwrap(), "third");
    }

    #[cfg(unix)]
    #[test]
    fn a_planted_link_is_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let victim = place.path().join("victim");
        File::create(&victim).unwrap().write_all(b"precious").unwrap();
        std::os::unix::fs::symlink("victim", place.path().join("valetkeyd.log")).unwrap();
        let refused = open_in(place.path(), 5).unwrap_err().to_string();
        assert!(refused.contains("valetkeyd.log"), "{refused}");
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    }
}
