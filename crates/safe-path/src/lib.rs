//! Which folders and files no other user can replace, change or read.
//!
//! A private file in a folder that others may write to is theirs to replace, and so is the folder in its own parent, up to
//! the root. [`check_way_to`] therefore looks at every folder on the way; what passes belongs to root or to us and stays
//! where it is, so that a path can be used after it was looked at. [`create_folder`] makes a private folder in a place like
//! that, [`read_file`] reads a file that was put there, [`open_own`] and [`open_to_append`] open one of ours, and
//! [`create_new`] makes one. [`find_open`] tells what is more open to others than it need be, and [`close_folder`] closes a
//! folder.
//!
//! It knows no store and no socket, and says nothing about what the same user or root does. On Windows the access list
//! that the user's profile passes on says all of this, and nothing is checked.

mod error;
mod openness;
#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
use other as platform;
#[cfg(unix)]
use unix as platform;

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

pub use error::{PathError, Problem};
pub use openness::{MeantFor, Open, close_folder, find_open, find_open_in};

/// Who else may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// It says nothing that others may not know, as a configuration.
    Anybody,
    /// It is a secret.
    OwnerAlone,
    /// It is a secret that came with its own service's group, as an administrator hands one to a service.
    OwnGroup,
}

/// Looks at every folder on the way to a path: it must belong to root or to us, and others may write to it only where they
/// cannot rename what is not theirs (sticky, as `/tmp` is). Links of root and of ours are followed where nobody else could
/// have put them. What the way leads to is the caller's to look at, as far as it exists.
///
/// # Errors
/// With the folder or link that is not to be trusted and how to mend it.
pub fn check_way_to(path: &Path) -> Result<(), PathError> {
    platform::check_way_to(path)
}

/// Whom root has put in charge of a folder: its owner, where nobody but root could have made it, and nobody but the owner can
/// change what is in it. None in `/tmp`, behind a link, or below a folder of somebody else's.
pub fn find_keeper(folder: &Path) -> Option<u32> {
    platform::find_keeper(folder)
}

/// Creates a folder that is private from the moment it exists, if it is not there, and looks at the way to it. A folder
/// that is there is the caller's to look at.
///
/// # Errors
/// As [`check_way_to`], or when it cannot be created.
pub fn create_folder(path: &Path) -> Result<(), PathError> {
    check_way_to(path)?;
    let mut builder = DirBuilder::new();
    platform::make_private(&mut builder);
    builder
        .recursive(true)
        .create(path)
        .or_else(|error| if path.symlink_metadata().is_ok() { Ok(()) } else { Err(error) })
        .map_err(|error| PathError::io("create folder", path, error))?;
    // In a shared folder somebody else may have been faster.
    check_way_to(path)
}

/// Reads a text of at most `limit` bytes that a person wrote for us: nobody but them and root may have changed it.
///
/// # Errors
/// When it cannot be read, is longer or no text, or is not to be trusted.
pub fn read_file(path: &Path, readers: Readers, limit: usize) -> Result<String, PathError> {
    String::from_utf8(read_bytes(path, readers, limit)?).map_err(|_| {
        let no_text = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        PathError::io("read", path, no_text)
    })
}

/// As [`read_file`], for what may be no text. No growing leaves a copy behind.
///
/// # Errors
/// When it cannot be read, is longer, or is not to be trusted.
pub fn read_bytes(path: &Path, readers: Readers, limit: usize) -> Result<Vec<u8>, PathError> {
    let io = |error| PathError::io("read", path, error);
    let file = open_to_read(path, readers)?;
    let mut content = Vec::with_capacity(limit + 1);
    file.take(limit as u64 + 1).read_to_end(&mut content).map_err(io)?;
    if content.len() > limit {
        let problem = Problem::TooLong { limit };
        return Err(PathError::Unsafe { path: path.into(), problem });
    }
    Ok(content)
}

/// No writer of a pipe is waited for.
fn open_to_read(path: &Path, readers: Readers) -> Result<File, PathError> {
    let io = |error| PathError::io("read", path, error);
    let unsafe_file = |problem| PathError::Unsafe { path: path.into(), problem };
    let mut options = OpenOptions::new();
    options.read(true);
    platform::make_prompt(&mut options);
    let file = options.open(path).map_err(io)?;
    check_way_to(path)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(unsafe_file(Problem::NoRegularFile));
    }
    platform::check_file(&metadata, readers).map_err(unsafe_file)?;
    Ok(file)
}

/// Opens a file of our own that another program keeps. No link is followed in its place, and no writer of a pipe is waited for.
///
/// # Errors
/// When it is not there, or is a link, or others own it or may change it.
pub fn open_own(path: &Path) -> Result<File, PathError> {
    check_way_to(path)?;
    let io = |error| PathError::io("open", path, error);
    let unsafe_file = |problem| PathError::Unsafe { path: path.into(), problem };
    if path.symlink_metadata().map_err(io)?.is_symlink() {
        return Err(unsafe_file(Problem::Link));
    }
    let mut options = OpenOptions::new();
    options.read(true);
    platform::make_unlinked(&mut options);
    let file = options.open(path).map_err(io)?;
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(unsafe_file(Problem::NoRegularFile));
    }
    platform::check_owned_file(&metadata).map_err(unsafe_file)?;
    Ok(file)
}

/// Creates a file that is not there yet and that nobody else can read. Its folder must be ours alone to write to.
///
/// # Errors
/// When it is there, or cannot be created, or could become somebody else's.
pub fn create_new(path: &Path) -> Result<File, PathError> {
    check_way_to(path)?;
    check_folder_of(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    platform::make_unlinked(&mut options);
    options.open(path).map_err(|error| PathError::io("create", path, error))
}

/// Opens a file of our own to write at its end, and creates it so that nobody else can read it. Its folder must be ours
/// alone to write to.
///
/// # Errors
/// When it cannot be opened, or is a link, or is or could become somebody else's.
pub fn open_to_append(path: &Path) -> Result<File, PathError> {
    check_way_to(path)?;
    check_folder_of(path)?;
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    platform::make_unlinked(&mut options);
    let io = |error| PathError::io("open", path, error);
    let file = options.open(path).map_err(io)?;
    let unsafe_file = |problem| PathError::Unsafe { path: path.into(), problem };
    platform::check_own_file(&file.metadata().map_err(io)?).map_err(unsafe_file)?;
    Ok(file)
}

/// A name without a folder is in the current one.
fn check_folder_of(path: &Path) -> Result<(), PathError> {
    let here = Path::new(".");
    let folder =
        path.parent().map(|folder| if folder.as_os_str().is_empty() { here } else { folder });
    folder.map_or(Ok(()), platform::check_private_folder)
}
