//! The lock file that MSAL's libraries keep beside a cache while they change it (`spec/msal-python.md` section 8).
//!
//! All of them create `<cache>.lockfile` exclusively and write their process id into it. msal-extensions and MSAL.NET hold
//! an advisory lock on it as well, so that one that was left behind by a killed process does not stop them for ever.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::error::SourceError;

/// How many times the lock is asked for, one pause apart: as long as msal-extensions waits.
pub(crate) const PATIENCE: u32 = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Held while a cache is read.
pub(crate) struct Lock {
    path: PathBuf,
    /// The lock file, where there is one that we hold.
    file: Option<File>,
    /// It did not exist before.
    is_ours: bool,
}

impl Lock {
    /// Waits for the lock of a cache, and takes it.
    pub(crate) fn take(cache: &Path, tries: u32) -> Result<Self, SourceError> {
        let mut path = cache.as_os_str().to_owned();
        path.push(".lockfile");
        let path = PathBuf::from(path);
        for _ in 0..tries {
            match create(&path) {
                Ok(file) => return Self::hold(path, file, true),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => thread::sleep(PAUSE),
                // Whoever may not create a file here keeps others of the same rights from it neither.
                Err(error) if is_refused(&error) => {
                    return Ok(Self { path, file: None, is_ours: false });
                }
                Err(source) => return Err(SourceError::Lock { path, source }),
            }
        }
        Self::take_over(path)
    }

    /// A lock that a killed process left behind is held like any other, and left behind again.
    fn take_over(path: PathBuf) -> Result<Self, SourceError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        unlinked(&mut options);
        let mut file = match options.open(&path) {
            Ok(file) => file,
            Err(source) => return Err(SourceError::Lock { path, source }),
        };
        let mut text = String::new();
        // A name that is no text says nothing.
        let _ = Read::by_ref(&mut file).take(1024).read_to_string(&mut text);
        let process = text.split_whitespace().next().and_then(|word| word.parse::<u32>().ok());
        match process.and_then(|process| i32::try_from(process).ok()) {
            Some(process) if !runs(process) => Self::hold(path, file, false),
            Some(process) => {
                Err(SourceError::Locked { path, holder: format!("process {process}") })
            }
            None => Err(SourceError::Locked { path, holder: "another program".to_owned() }),
        }
    }

    fn hold(path: PathBuf, mut file: File, is_ours: bool) -> Result<Self, SourceError> {
        if !lock_exclusively(&file) {
            return Err(SourceError::Locked { path, holder: "another program".to_owned() });
        }
        if is_ours {
            // For a person who wonders; the lock is as good without.
            let _ = write!(file, "{} valetkey", std::process::id());
        }
        Ok(Self { path, file: Some(file), is_ours })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if self.is_ours {
            // Before the file is closed: nobody else can hold it yet.
            let _ = fs::remove_file(&self.path);
        }
        self.file = None;
    }
}

fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    unlinked(&mut options);
    options.open(path)
}

fn is_refused(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

#[cfg(unix)]
fn unlinked(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    options.mode(0o600).custom_flags(flags.bits().cast_signed());
}

#[cfg(not(unix))]
fn unlinked(_options: &mut OpenOptions) {}

#[cfg(unix)]
fn lock_exclusively(file: &File) -> bool {
    rustix::fs::flock(file, rustix::fs::FlockOperation::NonBlockingLockExclusive).is_ok()
}

/// A file that another process has open for itself cannot be opened there in the first place.
#[cfg(not(unix))]
fn lock_exclusively(_file: &File) -> bool {
    true
}

/// Whether the process is there, as far as can be said.
#[cfg(unix)]
fn runs(process: i32) -> bool {
    let Some(process) = rustix::process::Pid::from_raw(process) else { return false };
    rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH)
}

#[cfg(not(unix))]
fn runs(_process: i32) -> bool {
    true
}

#[cfg(test)]
mod tests;
