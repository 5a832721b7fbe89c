//! Token caches that other libraries left on this machine: where they are, how they are locked, how they are wrapped.
//!
//! [`find`] looks in the places of Azure CLI and of the Azure Identity libraries; [`read`] gives the text of one, or of any
//! other file or keyring item, under the lock that its own library takes. A source is never written, moved or deleted. What
//! the text means is for somebody else to say: this crate knows no token, no daemon, and no other system's encryption (DPAPI,
//! Keychain). The one file that it writes is a new one, for an export: [`NewFile`].

mod error;
mod file;
#[cfg(all(unix, not(target_os = "macos")))]
mod keyring;
#[cfg(not(all(unix, not(target_os = "macos"))))]
#[path = "no_keyring.rs"]
mod keyring;
mod lock;
mod places;
mod wrapping;

use std::fmt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

pub use error::SourceError;
pub use file::NewFile;
pub use places::{Found, Places, Product, find};

/// A cache of another library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, or the empty one that msal-extensions keeps beside a keyring item named after it.
    File(PathBuf),
    /// The item of the keyring with these attributes.
    Keyring(Vec<(String, String)>),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Keyring(attributes) => {
                f.write_str("keyring")?;
                attributes.iter().try_for_each(|(name, value)| write!(f, " {name}={value}"))
            }
        }
    }
}

/// The text of a cache, of at most so many bytes.
///
/// # Errors
/// When it cannot be read, is not to be trusted, or is being written by somebody else.
pub fn read(source: &Source, limit: usize) -> Result<Zeroizing<String>, SourceError> {
    let bytes = match source {
        Source::File(path) => read_file(path, limit)?,
        // One item is written in one go, so that a reader needs no lock.
        Source::Keyring(attributes) => keyring::read(attributes)?,
    };
    if bytes.len() > limit {
        return Err(SourceError::TooLarge { limit });
    }
    wrapping::unwrap(&bytes)
}

fn read_file(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    // Looked at before a lock file is made beside it.
    file::check(path)?;
    let _lock = lock::Lock::take(path, lock::PATIENCE)?;
    let content = file::read(path, limit)?;
    match content.trim_ascii().is_empty() {
        true => keyring::read_named_after(path),
        false => Ok(content),
    }
}
