//! Where a daemon that has no terminal says why it cannot start: `valetkeyd.log` in its state folder.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use valetkey_safe_path::{PathError, create_folder, open_to_append};

/// What one daemon writes.
pub(super) struct Log {
    path: PathBuf,
    /// What is before this, others wrote.
    start: u64,
}

/// Why nothing is kept of what the daemon says.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLog {
    /// The environment names no folder for it.
    #[error("there is no state folder; set VALETKEY_STATE_DIR")]
    NoFolder,
    /// It cannot be had, or somebody else could have put it there or could read it.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// The log, private to its user, and the file to write it to.
///
/// # Errors
/// When there is none.
pub(super) fn open() -> Result<(Log, File), NoLog> {
    let folder = state_folder().ok_or(NoLog::NoFolder)?;
    let file = open_in(&folder, LARGEST)?;
    let start = file.metadata().map_or(0, |metadata| metadata.len());
    Ok((Log { path: folder.join(NAME), start }, file))
}

impl Log {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The last line, in which the daemon says why it ends; empty when it said nothing.
    pub(super) fn last_words(&self) -> String {
        let end = self.read_end().unwrap_or_default();
        let end = String::from_utf8_lossy(&end);
        let line = end.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let words = line.strip_prefix("valetkeyd: ").unwrap_or(line);
        words.replace(char::is_control, "\u{fffd}")
    }

    fn read_end(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(self.start.max(length.saturating_sub(LONGEST_WORDS))))?;
        let mut end = Vec::new();
        file.take(LONGEST_WORDS).read_to_end(&mut end)?;
        Ok(end)
    }
}

fn open_in(folder: &Path, largest: u64) -> Result<File, PathError> {
    create_folder(folder)?;
    let path = folder.join(NAME);
    let file = open_to_append(&path)?;
    let is_full = file.metadata().is_ok_and(|metadata| metadata.len() > largest);
    // What cannot be moved away goes on growing, which is the lesser evil.
    if is_full && fs::rename(&path, folder.join("valetkeyd.log.old")).is_ok() {
        return open_to_append(&path);
    }
    Ok(file)
}

/// As the daemon finds its own.
pub(crate) fn state_folder() -> Option<PathBuf> {
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

const NAME: &str = "valetkeyd.log";
/// Bytes that a person is shown at most.
const LONGEST_WORDS: u64 = 2048;
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

    #[test]
    fn the_last_words_are_the_last_line_of_this_daemon_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(NAME);
        let long = "x".repeat(3000);
        for (said, expected) in [
            ("", ""),
            ("valetkeyd: first\nvaletkeyd: no such file\n\n", "no such file"),
            ("no \u{1b}[2Jprefix", "no \u{fffd}[2Jprefix"),
            (&long, &long[..2048]),
        ] {
            let mut file = open_to_append(&path).unwrap();
            file.write_all(b"valetkeyd: of an earlier one\n").unwrap();
            let log = Log { path: path.clone(), start: file.metadata().unwrap().len() };
            file.write_all(said.as_bytes()).unwrap();
            assert_eq!(log.last_words(), expected);
        }
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
