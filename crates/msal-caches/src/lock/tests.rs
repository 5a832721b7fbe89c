//! Who holds a cache, and what is left of the lock afterwards.

use super::*;

fn write(path: &Path, content: &str) {
    File::create(path).unwrap().write_all(content.as_bytes()).unwrap();
}

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache.json")
    }

    fn lock_file(&self) -> PathBuf {
        self.folder.path().join("cache.json.lockfile")
    }

    /// As a library does that is using the cache, or that was killed while it did.
    fn leave(&self, content: &str) {
        write(&self.lock_file(), content);
    }

    fn take(&self) -> Result<Lock, SourceError> {
        Lock::take(&self.cache(), 1)
    }

    fn refusal(&self) -> String {
        self.take().err().unwrap().to_string()
    }
}

#[test]
fn the_lock_is_there_while_it_is_held_and_gone_afterwards() {
    let place = Place::new();
    let lock = place.take().unwrap();
    let holder = fs::read_to_string(place.lock_file()).unwrap();
    assert_eq!(holder, format!("{} valetkey", std::process::id()));
    assert!(place.refusal().contains(&format!("process {}", std::process::id())));
    drop(lock);
    assert!(!place.lock_file().exists());
}

#[test]
fn a_lock_that_somebody_holds_is_respected_and_left_alone() {
    for (content, holder) in [
        (format!("{} python3", std::process::id()), format!("process {}", std::process::id())),
        (String::new(), "another program".to_owned()),
        ("who knows".to_owned(), "another program".to_owned()),
        ("-1 python3".to_owned(), "another program".to_owned()),
        ("4294967295 python3".to_owned(), "another program".to_owned()),
    ] {
        let place = Place::new();
        place.leave(&content);
        assert!(place.refusal().contains(&holder), "{content:?}");
        assert_eq!(fs::read_to_string(place.lock_file()).unwrap(), content);
    }
}

/// No process has the largest number there is.
#[cfg(unix)]
const NOBODY: &str = "2147483647 az";

#[cfg(unix)]
#[test]
fn a_lock_of_a_process_that_is_gone_does_not_stop_anybody_and_is_left_as_it_is() {
    let place = Place::new();
    place.leave(NOBODY);
    drop(place.take().unwrap());
    assert_eq!(fs::read_to_string(place.lock_file()).unwrap(), NOBODY);
}

#[cfg(unix)]
#[test]
fn an_advisory_lock_counts_whatever_the_file_says() {
    let place = Place::new();
    place.leave(NOBODY);
    let theirs = File::open(place.lock_file()).unwrap();
    assert!(lock_exclusively(&theirs));
    assert!(place.refusal().contains("another program"));
}

#[cfg(unix)]
#[test]
fn a_link_in_the_place_of_a_lock_is_not_followed() {
    let place = Place::new();
    let elsewhere = place.folder.path().join("elsewhere");
    write(&elsewhere, NOBODY);
    std::os::unix::fs::symlink(&elsewhere, place.lock_file()).unwrap();
    assert!(matches!(place.take(), Err(SourceError::Lock { .. })));
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), NOBODY);
}
