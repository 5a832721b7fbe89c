//! What can go wrong at the endpoint, and what a person can do about it.

use std::io;
use std::path::PathBuf;

use valetkey_safe_path::PathError;

use crate::Endpoint;

/// Why the endpoint cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody answers there; it was left alone.
    #[error("listen on {endpoint}: a daemon is running there already")]
    AlreadyRunning {
        /// Where it runs.
        endpoint: Endpoint,
    },
    /// Another user has taken the name.
    #[error(
        "listen on {endpoint}: the name belongs to another user ({owner}); set VALETKEY_SOCKET to another one"
    )]
    TakenByAnotherUser {
        /// The name.
        endpoint: Endpoint,
        /// Who has it.
        owner: String,
    },
    /// Others could put their own socket in place of ours.
    #[error("trust the socket's folder {}: {problem}", path.display())]
    UnsafeFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: FolderProblem,
    },
    /// Others could put another folder in the place of the socket's.
    #[error("prepare the socket's folder: {0}; or set VALETKEY_SOCKET to another path")]
    UnsafeWay(#[source] PathError),
    /// The name is taken by something that is no socket, which may be of value.
    #[error("listen on {}: there is something else of this name; move it away, or set VALETKEY_SOCKET", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
    },
    /// Socket addresses are short.
    #[error("listen on {0}; set VALETKEY_SOCKET to a shorter one")]
    PathTooLong(#[from] PathTooLong),
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

impl BindError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { doing, path: path.into(), source }
    }
}

/// No socket can have this path.
#[derive(Debug, thiserror::Error)]
#[error("{endpoint}: the path has {length} bytes and this system allows {limit}")]
pub struct PathTooLong {
    /// The path.
    pub endpoint: Endpoint,
    /// Its length in bytes.
    pub length: usize,
    /// The most that a socket address holds.
    pub limit: usize,
}

/// Why a folder is not trusted with the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FolderProblem {
    /// Whoever made the link chooses where it leads.
    #[error("it is a symbolic link; remove it, or set VALETKEY_SOCKET to a path without one")]
    SymbolicLink,
    /// Not a folder at all.
    #[error("it is not a folder; remove it, or set VALETKEY_SOCKET to another path")]
    NotAFolder,
    /// Its owner could replace the socket.
    #[error(
        "user {owner} owns it and this process runs as user {own}; set VALETKEY_SOCKET to a folder of your own"
    )]
    OtherOwner {
        /// Who owns it.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// Others could replace the socket.
    #[error(
        "its mode {mode:04o} lets others write to it; run `chmod 700` on it if it is your own, else set \
         VALETKEY_SOCKET to a path in a folder that is"
    )]
    WritableByOthers {
        /// The permission bits.
        mode: u32,
    },
}

/// Why a connection was not accepted. The listener itself goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptError {
    /// Another user of the machine; the connection is closed.
    #[error("accept a connection: it is another user's ({user})")]
    OtherUser {
        /// The user id or SID.
        user: String,
    },
    /// There is nobody left to answer.
    #[error("accept a connection: it was closed already")]
    HungUp,
    /// The peer was gone before the kernel could say who it was.
    #[error("learn who connected: {0}")]
    NoPeer(#[source] io::Error),
    /// The operating system refused; out of file descriptors, as a rule. Wait a moment before the next try.
    #[error("accept a connection: {0}")]
    Io(#[source] io::Error),
}

/// Why there is no connection to a daemon.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody listens.
    #[error("connect to {endpoint}: no daemon is running there")]
    NotRunning {
        /// Where nobody listens.
        endpoint: Endpoint,
    },
    /// Somebody listens who is neither this user nor the system. Nothing was sent.
    #[error("connect to {endpoint}: user {user} listens there, who is neither you nor the system")]
    Impostor {
        /// Where they listen.
        endpoint: Endpoint,
        /// The user id or SID.
        user: String,
    },
    /// Nobody can listen there.
    #[error("connect to {0}")]
    PathTooLong(#[from] PathTooLong),
    /// More clients are waiting than the system queues.
    #[error("connect to {endpoint}: the daemon does not accept connections; it may hang")]
    Busy {
        /// Where the queue is.
        endpoint: Endpoint,
    },
    /// The operating system refused.
    #[error("connect to {endpoint}: {source}")]
    Io {
        /// Where to.
        endpoint: Endpoint,
        /// The cause.
        source: io::Error,
    },
}
