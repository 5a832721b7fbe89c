//! What can go wrong, and who can put it right.

use std::io;
use std::path::PathBuf;

use valetkey_safe_path::PathError;

use crate::key::KeyProvider;
use crate::options::RandomnessUnavailable;

/// Why a vault could not be opened, read or written. Nothing stored is lost by any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The key that opens this store cannot be had; the store is left as it is.
    #[error("get the store's key from the {provider}: {reason}")]
    KeyUnavailable {
        /// Where the key is.
        provider: KeyProvider,
        /// Why it cannot be had, and what a person can do about it.
        reason: KeyProblem,
    },
    /// The passphrase does not open this store. The store itself is sound.
    #[error("open the store: wrong passphrase")]
    WrongPassphrase,
    /// The configuration asks for another provider than the store's.
    #[error(
        "open the store {}: its key provider is `{recorded}`, and the configuration asks for \
         `{wanted}`; start with the key set to `auto` or `{recorded}`, and if it is to move, set it to \
         `{wanted}` while the daemon runs, and then run `valetkey key rotate --provider {wanted}`", path.display()
    )]
    OtherProvider {
        /// The store's folder.
        path: PathBuf,
        /// The provider that the header names.
        recorded: KeyProvider,
        /// The provider that was asked for.
        wanted: KeyProvider,
    },
    /// The store can never be read again, and does not tell any more what protected it.
    #[error(
        "begin a new store: {}: {reason}, so that the key provider is unknown, and a weaker one is \
         never taken by itself; put the header back from a backup, or choose a provider \
         (VALETKEY_KEY_PROVIDER=passphrase, or keyring, credential, file) to have what is left set \
         aside and a new store begun", path.display()
    )]
    HeaderLost {
        /// What is left.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A newer valetkey wrote this store; this one leaves it untouched.
    #[error(
        "open the store: its format is {found}, this version reads up to {supported}; update valetkey"
    )]
    NewerFormat {
        /// The format of the store.
        found: u32,
        /// The newest format that this build reads.
        supported: u32,
    },
    /// Another process, or another [`Vault`](crate::Vault) of this one, has the store open.
    #[error("open the store: {} is held by another valetkeyd; end that one, or point this one to another folder by VALETKEY_STATE_DIR", path.display())]
    InUse {
        /// The lock.
        path: PathBuf,
    },
    /// The folder or a file in it could be read or replaced by someone else.
    #[error("trust {}: {problem}", path.display())]
    Unsafe {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong and what to do.
        problem: UnsafePath,
    },
    /// Others could put another folder in the place of the store's.
    #[error("prepare the store's folder: {0}")]
    UnsafeWay(#[source] PathError),
    /// The operating system refused to read or write.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done, e.g. `save records in`.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// The part worth branching on.
        kind: IoKind,
        /// The cause.
        source: io::Error,
    },
    /// The store broke while it was open. Opening it again sets it aside.
    #[error("use the store: {detail}; restart valetkeyd to have it checked")]
    Damaged {
        /// What the database said.
        detail: String,
    },
    /// A partition's or record's name is longer than the format can hold.
    #[error("save a record: its name or partition is longer than 4 GiB")]
    NameTooLong,
    /// The operating system gave no random bytes.
    #[error(transparent)]
    Randomness(#[from] RandomnessUnavailable),
}

impl VaultError {
    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let kind = IoKind::of(&source);
        Self::Io { doing, path: path.into(), kind, source }
    }
}

impl From<PathError> for VaultError {
    fn from(error: PathError) -> Self {
        match error {
            PathError::Io { doing, path, source } => Self::io(doing, path, source),
            unsafe_way => Self::UnsafeWay(unsafe_way),
        }
    }
}

/// The causes of [`VaultError::Io`] that a person mends in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoKind {
    /// No room: the disk, the quota or the file size limit is used up.
    DiskFull,
    /// The file system or the permissions allow no writing.
    ReadOnly,
    /// Anything else, e.g. a failing disk.
    Other,
}

impl IoKind {
    fn of(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull
            | io::ErrorKind::QuotaExceeded
            | io::ErrorKind::FileTooLarge => Self::DiskFull,
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => Self::ReadOnly,
            _ => Self::Other,
        }
    }
}

/// Why a path is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnsafePath {
    /// Another user owns it.
    #[error(
        "user {owner} owns it and this process runs as user {own}; choose another folder or `chown` it"
    )]
    OtherOwner {
        /// Who owns it.
        owner: u32,
        /// Who we are.
        own: u32,
    },
    /// Others may write to the folder.
    #[error("its mode {mode:03o} lets others write to it; run `chmod 700` on it")]
    WritableByOthers {
        /// The permission bits.
        mode: u32,
    },
    /// Others may read or write the file.
    #[error("its mode {mode:03o} lets others read it; run `chmod 600` on it")]
    ReadableByOthers {
        /// The permission bits.
        mode: u32,
    },
    /// It is a symbolic link, which someone may have put there to have another file written.
    #[error("it is a symbolic link; remove it")]
    SymbolicLink,
    /// It is a folder, a socket or the like.
    #[error("it is not a regular file; remove it")]
    NotAFile,
    /// It is not a folder.
    #[error("it is not a folder; remove it or choose another")]
    NotAFolder,
}

/// Why a key cannot be had from its provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyProblem {
    /// There is no keyring, or the way to it is broken.
    #[error(
        "no keyring can be reached ({0}); start one, and see that valetkeyd runs in your desktop session"
    )]
    Unreachable(String),
    /// The keyring is locked, or the person declined to unlock it.
    #[error("the keyring is locked ({0}); unlock it and try again")]
    Locked(String),
    /// The keyring waits for a person for too long.
    #[error(
        "the keyring gave no answer in time; if it asks for your password, answer it and try again"
    )]
    NoAnswer,
    /// The provider works but does not have this store's key.
    #[error(
        "there is no key of this store; put it back, or move the store away to begin a new one"
    )]
    Missing,
    /// The file provider works, and the file is gone.
    #[error("{} is not there; put it back, or move the store away to begin a new one", _0.display())]
    FileMissing(PathBuf),
    /// The provider's key is not the one that this store was made with.
    #[error(
        "the key there does not open this store; put the right one back, or move the store away"
    )]
    WrongKey,
    /// The credential is too short to be a key.
    #[error("it has {found} bytes, and at least {needed} random bytes are needed")]
    TooShort {
        /// Its length.
        found: usize,
        /// The least length.
        needed: usize,
    },
    /// No credential was handed to the process.
    #[error(
        "no credential named `valetkey-key` was given; add `LoadCredentialEncrypted=valetkey-key:…` to the unit"
    )]
    NoCredential,
    /// No passphrase is at hand.
    #[error("no passphrase was given")]
    NoPassphrase,
    /// A new store cannot be protected by nothing.
    #[error("the passphrase is empty")]
    EmptyPassphrase,
    /// The file that holds or carries the key cannot be read or written.
    #[error("{0}")]
    File(String),
}
