//! The folder of a store: private by construction, and refused if it is not.
//!
//! Files are created with mode 0600 and the folder with 0700 in the call that creates them; a mode
//! that is put right afterwards leaves a moment in which someone else opens the file. On Windows
//! the user's profile folder passes on an access list that admits the user and the system alone,
//! so the checks of owner and mode have nothing to say there and are compiled out.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::error::VaultError;

/// An existing folder that belongs to us and that nobody else can write to.
#[derive(Clone, Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
}

/// The lock of a folder; gone when it is dropped or the process ends, in whatever way.
#[derive(Debug)]
pub(crate) struct StateLock {
    _file: File,
}

const LOCK_NAME: &str = "vault.lock";

impl StateDir {
    /// Creates the folder if need be, and checks who may write to it and who could put another in its place.
    ///
    /// The folder itself may be a symbolic link, as systemd's `StateDirectory=` with `DynamicUser=`
    /// makes it; what it points to is checked.
    pub(crate) fn prepare(path: &Path) -> Result<Self, VaultError> {
        valetkey_safe_path::create_folder(path)?;
        let metadata = fs::metadata(path).map_err(|e| VaultError::io("read folder", path, e))?;
        platform::check_folder(&metadata)
            .map_err(|problem| VaultError::Unsafe { path: path.into(), problem })?;
        Ok(Self { path: path.into() })
    }

    /// Takes the lock, or says at once that another has it.
    pub(crate) fn lock(&self) -> Result<StateLock, VaultError> {
        let path = self.path(LOCK_NAME);
        let file = match self.open(LOCK_NAME)? {
            Some(file) => file,
            None => match self.create(LOCK_NAME) {
                Err(VaultError::Io { source, .. })
                    if source.kind() == io::ErrorKind::AlreadyExists =>
                {
                    // Two started at once: the other one created it a moment ago.
                    self.open(LOCK_NAME)?.ok_or(VaultError::InUse { path: path.clone() })?
                }
                created => created?,
            },
        };
        match file.try_lock() {
            Ok(()) => Ok(StateLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(VaultError::InUse { path }),
            Err(TryLockError::Error(e)) => Err(VaultError::io("lock", path, e)),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file for reading and writing; `None` if it is not there. Links are refused.
    pub(crate) fn open(&self, name: &str) -> Result<Option<File>, VaultError> {
        let path = self.path(name);
        match fs::symlink_metadata(&path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(VaultError::io("look at", path, e)),
            Ok(metadata) => platform::check_file(&metadata)
                .map_err(|problem| VaultError::Unsafe { path: path.clone(), problem })?,
        }
        let mut options = File::options();
        platform::private(options.read(true).write(true));
        match options.open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(e) => Err(VaultError::io("open", path, e)),
        }
    }

    /// Creates a file that was not there before.
    pub(crate) fn create(&self, name: &str) -> Result<File, VaultError> {
        let path = self.path(name);
        let mut options = File::options();
        platform::private(options.read(true).write(true).create_new(true));
        options.open(&path).map_err(|e| VaultError::io("create", path, e))
    }

    /// The content of a small file; `None` if it is not there.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, VaultError> {
        let Some(mut file) = self.open(name)? else { return Ok(None) };
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(|e| VaultError::io("read", self.path(name), e))?;
        Ok(Some(content))
    }

    /// Writes a small file so that after a crash it is there whole or not at all.
    pub(crate) fn replace(&self, name: &str, content: &[u8]) -> Result<(), VaultError> {
        let temporary = format!("{name}.new");
        self.remove(&temporary)?;
        let mut file = self.create(&temporary)?;
        file.write_all(content)
            .and_then(|()| file.sync_all())
            .map_err(|e| VaultError::io("write", self.path(&temporary), e))?;
        self.rename(&temporary, name)
    }

    /// Renames durably, over whatever has the new name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), VaultError> {
        fs::rename(self.path(from), self.path(to))
            .and_then(|()| platform::sync_folder(&self.path))
            .map_err(|e| VaultError::io("rename", self.path(from), e))
    }

    /// Removes a left-over; it need not be there.
    pub(crate) fn remove(&self, name: &str) -> Result<(), VaultError> {
        match fs::remove_file(self.path(name)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(VaultError::io("remove", self.path(name), e))
            }
            _ => Ok(()),
        }
    }

    /// Gives a file a name that says when it was found damaged, and answers that name.
    /// `None` if there is no such file.
    pub(crate) fn set_aside(&self, name: &str, now: u64) -> Result<Option<PathBuf>, VaultError> {
        if !self.exists(name) {
            return Ok(None);
        }
        let free = self.name_for_damaged(name, now);
        self.rename(name, &free)?;
        Ok(Some(self.path(&free)))
    }

    /// As [`Self::set_aside`], for a small file that stays until another takes its place.
    pub(crate) fn copy_aside(&self, name: &str, now: u64) -> Result<Option<PathBuf>, VaultError> {
        let Some(content) = self.read(name)? else { return Ok(None) };
        let free = self.name_for_damaged(name, now);
        self.replace(&free, &content)?;
        Ok(Some(self.path(&free)))
    }

    fn name_for_damaged(&self, name: &str, now: u64) -> String {
        let plain = format!("{name}.damaged-{now}");
        std::iter::once(plain.clone())
            .chain((2u32..).map(|n| format!("{plain}-{n}")))
            .find(|candidate| !self.exists(candidate))
            .unwrap_or(plain)
    }

    pub(crate) fn metadata(&self, name: &str) -> Result<Metadata, VaultError> {
        let path = self.path(name);
        fs::symlink_metadata(&path).map_err(|e| VaultError::io("look at", path, e))
    }

    pub(crate) fn exists(&self, name: &str) -> bool {
        fs::symlink_metadata(self.path(name)).is_ok()
    }
}

#[cfg(unix)]
mod platform {
    //! Owner, mode and links as Unix knows them.

    use std::fs::{File, Metadata, OpenOptions};
    use std::io;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
    use std::path::Path;

    use rustix::fs::OFlags;

    use crate::error::UnsafePath;

    /// Mode 0600 if the call creates the file, and no following of a link put there meanwhile.
    pub(super) fn private(options: &mut OpenOptions) {
        options.mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    }

    pub(super) fn check_folder(metadata: &Metadata) -> Result<(), UnsafePath> {
        if !metadata.is_dir() {
            return Err(UnsafePath::NotAFolder);
        }
        check_owner(metadata)?;
        match metadata.mode() & 0o777 {
            mode if mode & 0o022 != 0 => Err(UnsafePath::WritableByOthers { mode }),
            _ => Ok(()),
        }
    }

    pub(super) fn check_file(metadata: &Metadata) -> Result<(), UnsafePath> {
        if metadata.is_symlink() {
            return Err(UnsafePath::SymbolicLink);
        }
        if !metadata.is_file() {
            return Err(UnsafePath::NotAFile);
        }
        check_owner(metadata)?;
        match metadata.mode() & 0o777 {
            mode if mode & 0o077 != 0 => Err(UnsafePath::ReadableByOthers { mode }),
            _ => Ok(()),
        }
    }

    fn check_owner(metadata: &Metadata) -> Result<(), UnsafePath> {
        let own = rustix::process::geteuid().as_raw();
        match metadata.uid() {
            owner if owner == own => Ok(()),
            owner => Err(UnsafePath::OtherOwner { owner, own }),
        }
    }

    /// A rename is on the disk only when its folder is.
    pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

#[cfg(not(unix))]
mod platform {
    //! The access list inherited from the user's profile stands for owner and mode.

    use std::fs::{Metadata, OpenOptions};
    use std::io;
    use std::path::Path;

    use crate::error::UnsafePath;

    pub(super) fn private(_options: &mut OpenOptions) {}

    pub(super) fn check_folder(metadata: &Metadata) -> Result<(), UnsafePath> {
        if metadata.is_dir() { Ok(()) } else { Err(UnsafePath::NotAFolder) }
    }

    pub(super) fn check_file(metadata: &Metadata) -> Result<(), UnsafePath> {
        if metadata.is_symlink() {
            return Err(UnsafePath::SymbolicLink);
        }
        if metadata.is_file() { Ok(()) } else { Err(UnsafePath::NotAFile) }
    }

    /// NTFS journals a rename itself, and a folder cannot be flushed.
    pub(super) fn sync_folder(_path: &Path) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
