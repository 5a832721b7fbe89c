//! Notes of refresh tokens that were presented and whose answers are not saved yet: an empty file for each, named by a keyed
//! hash that tells nothing about the token.
//!
//! Nothing depends on them but what a person is told: after a kill or a broken connection the old token is presented once
//! more, which many providers admit for some seconds, and where one takes it for theft, the note says why the sign-in is
//! over. A note in the database would cost each refresh a second flush of the disk (some 20 ms where making a name and
//! removing it takes 0.3 ms). So it is not flushed: it outlives the process, and not a power failure.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// What is noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presentation {
    Begins,
    Ends,
}

/// Notes it, and tells whether there was a note of it before. What the disk does not take is not noted.
pub(super) fn note(folder: &Path, mark: &[u8; 32], what: Presentation) -> bool {
    let path = path_of(folder, mark);
    match what {
        Presentation::Begins => {
            create(&path).is_err_and(|error| error.kind() == ErrorKind::AlreadyExists)
        }
        Presentation::Ends => std::fs::remove_file(path).is_ok(),
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn path_of(folder: &Path, mark: &[u8; 32]) -> PathBuf {
    let mut name = String::from("presented-");
    for byte in &mark[..16] {
        // Writing to a text cannot fail.
        let _ = write!(name, "{byte:02x}");
    }
    folder.join(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_presentation_that_did_not_end_is_known_when_the_next_one_begins() {
        let folder = tempfile::tempdir().unwrap();
        let note = |mark: u8, what| note(folder.path(), &[mark; 32], what);
        assert!(!note(1, Presentation::Begins));
        assert!(!note(2, Presentation::Begins), "another token is another note");
        assert!(note(1, Presentation::Begins));
        assert!(note(1, Presentation::Ends));
        assert!(!note(1, Presentation::Begins));
    }
}
