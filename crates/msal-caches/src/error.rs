//! Why a cache cannot be read.

use std::io;
use std::path::PathBuf;

use valetkey_safe_path::PathError;

/// Why a cache of another library cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The file, or the way to it, is not to be trusted or cannot be read.
    #[error(transparent)]
    File(#[from] PathError),
    /// Somebody is writing it.
    #[error("{} says that {holder} is using the cache; wait until it is done, or end it", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who made it, as far as it says.
        holder: String,
    },
    /// The lock file can be neither made nor read.
    #[error("lock {}: {source}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// More than is read.
    #[error("it is larger than {limit} bytes, which no token cache is that is sound")]
    TooLarge {
        /// How much is read, in bytes.
        limit: usize,
    },
    /// Neither JSON nor JSON as base64.
    #[error(
        "it is no JSON: damaged, cut off while being written, or encrypted by another system's means"
    )]
    NotJson,
    /// The file is empty, and what may be in the keyring in its place cannot be had.
    #[error("it is empty, as one whose content is in the keyring, and {why}")]
    Empty {
        /// What became of looking there.
        why: String,
    },
    /// The keyring has no such item.
    #[error("the keyring has no such item")]
    NoItem,
    /// Several items of the keyring fit.
    #[error("{count} items of the keyring have these attributes; name more of them")]
    SeveralItems {
        /// How many.
        count: usize,
    },
    /// There is no keyring, or it did not answer as it should.
    #[error("ask the keyring: {0}")]
    Keyring(String),
}
