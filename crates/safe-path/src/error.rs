//! Why a path is not trusted, and which command mends it.

use std::io;
use std::path::PathBuf;

/// Why a folder or file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Somebody else could replace, change or read it.
    #[error("trust {}: {problem}", path.display())]
    Unsafe {
        /// The folder, link or file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: Problem,
    },
    /// The operating system refused.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done, e.g. `create folder`.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl PathError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { doing, path: path.into(), source }
    }
}

/// What is wrong with one folder, link or file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Its owner could change it, or replace what is in it.
    #[error(
        "user {owner} owns it, who is neither you nor root; `chown` it, or choose a path in a folder of your own"
    )]
    OtherOwner {
        /// Who owns it.
        owner: u32,
    },
    /// Others could replace what is in the folder.
    #[error("its mode {mode:04o} lets others replace what is in it; run `chmod go-w` on it")]
    FolderWritableByOthers {
        /// The permission bits.
        mode: u32,
    },
    /// It is meant for everybody, as `/tmp` is.
    #[error(
        "its mode {mode:04o} lets everybody put files into it; choose a folder that is yours alone"
    )]
    SharedFolder {
        /// The permission bits.
        mode: u32,
    },
    /// Others could change the file.
    #[error("its mode {mode:04o} lets others change it; run `chmod go-w` on it")]
    FileWritableByOthers {
        /// The permission bits.
        mode: u32,
    },
    /// Others could read the secret.
    #[error("its mode {mode:04o} lets others read it; run `chmod 600` on it")]
    ReadableByOthers {
        /// The permission bits.
        mode: u32,
    },
    /// No honest one is that long.
    #[error("it is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// It is a folder, a pipe or the like.
    #[error("it is not a regular file; remove it")]
    NotAFile,
    /// It is a folder, a pipe or the like, where a file was meant.
    #[error("it is not a regular file; name one")]
    NoRegularFile,
    /// What is behind it may be anything.
    #[error("it is a symbolic link; name the file that it leads to")]
    Link,
    /// What is written to it would be written to a file of another name.
    #[error("it has {names} names (hard links); remove it")]
    OtherNames {
        /// How many it has.
        names: u64,
    },
    /// In a folder that others can write to, whoever made a link chose where it leads.
    #[error("it is a symbolic link in a folder that others can write to; choose a path without it")]
    LinkAmongOthers,
    /// Following it would not end.
    #[error("it leads through too many symbolic links; choose a path without them")]
    TooManyLinks,
}
