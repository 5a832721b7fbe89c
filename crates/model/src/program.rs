//! What is known of the program behind a connection.
//!
//! All of it is soft. It says what a process looks like from outside, for a person to recognise and for rules that keep honest
//! programs apart. A program of the same user can make itself look like another one.

use std::fmt;
use std::path::PathBuf;

/// A process. Its number alone does not name it: numbers are given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ProcessId {
    /// The platform's number.
    pub number: u32,
    /// When it started, in a unit of the platform's that only serves to tell two processes apart.
    pub started: u64,
}

/// A file, whatever it is called: what a path leads to may be replaced, and another file may bear its name elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileId {
    /// The file system.
    pub device: u64,
    /// The file on it.
    pub inode: u64,
}

/// What a process looks like from outside, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it runs.
    pub executable: Executable,
    /// The unit of systemd's that it runs in, as `name.service` or `name.scope`.
    pub unit: Option<String>,
    /// Whether it runs in a sandbox.
    pub confinement: Confinement,
}

impl Program {
    /// A program of which no more is known than where it says, or said, that it is, and what it is confined by.
    pub fn unidentified(
        path: Option<PathBuf>,
        why: Unidentified,
        confinement: Confinement,
    ) -> Self {
        let executable = Executable::Unidentified { path, why };
        Self { executable, unit: None, confinement }
    }
}

/// What a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executable {
    /// The file at this path, which runs nothing but its own code.
    Identified(PathBuf),
    /// Something else, or nothing that can be told.
    Unidentified {
        /// Where it says that it is.
        path: Option<PathBuf>,
        /// Why that tells nothing.
        why: Unidentified,
    },
}

impl Executable {
    /// Where it is, or says that it is.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Identified(path) => Some(path),
            Self::Unidentified { path, .. } => path.as_ref(),
        }
    }
}

/// Why a path does not tell what a process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unidentified {
    /// It runs whatever it is given.
    #[error("an interpreter, which runs whatever it is given")]
    Interpreter,
    /// The process does not show it, or the platform does not.
    #[error("it hides its executable, or the system does not show it")]
    Hidden,
    /// The kernel shows what a process runs to root and to its own user.
    #[error("it is another user's, and this service cannot see what other users' programs are")]
    AnotherUsers,
    /// At this path of ours there is another file: it was replaced, or the process sees other mounts than we do.
    #[error("its executable is not the file that is at this path")]
    AnotherFile,
    /// It has begun to run something else since it connected.
    #[error("it runs another executable than when it connected")]
    Changed,
    /// Nobody could look, which says nothing of the program.
    #[error("the broker cannot look at programs at the moment")]
    NotLooked,
    /// The process that connected has ended; another one may speak in its place.
    #[error("the process that connected has ended")]
    Ended,
}

/// Whether a process is kept away from the rest of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// It is in no sandbox that we know of.
    Free,
    /// It is in this one.
    Sandbox(Sandbox),
    /// Nobody has looked, or there was nothing to be seen.
    Unknown,
}

impl Confinement {
    /// The sandbox that it is known to be in.
    pub fn sandbox(&self) -> Option<&Sandbox> {
        match self {
            Self::Sandbox(sandbox) => Some(sandbox),
            Self::Free | Self::Unknown => None,
        }
    }
}

/// What keeps a process away from the rest of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sandbox {
    /// A flatpak, by its application id; `?` where that is hidden.
    Flatpak(String),
    /// A snap, by its name.
    Snap(String),
}

impl fmt::Display for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flatpak(id) => write!(f, "flatpak:{id}"),
            Self::Snap(name) => write!(f, "snap:{name}"),
        }
    }
}

/// A process that another one comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parent {
    /// The platform's number.
    pub number: u32,
    /// Its executable, or the name that it gives itself in brackets where that is hidden.
    pub name: String,
}
