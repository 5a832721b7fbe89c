//! Why the database could not do something, and the net under its panics.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::error::VaultError;

/// Why the database could not do something.
pub(crate) enum Fault {
    Damaged(String),
    InUse,
    Io(io::Error),
    Vault(VaultError),
}

impl Fault {
    pub(crate) fn into_error(self, doing: &'static str, path: &Path) -> VaultError {
        match self {
            Self::Damaged(detail) => VaultError::Damaged { detail },
            Self::InUse => VaultError::InUse { path: path.into() },
            Self::Io(source) => VaultError::io(doing, path, source),
            Self::Vault(error) => error,
        }
    }
}

impl<E: Into<redb::Error>> From<E> for Fault {
    fn from(error: E) -> Self {
        match error.into() {
            redb::Error::DatabaseAlreadyOpen => Self::InUse,
            // A file that ends too early or begins with another magic number is a damaged one, not
            // a failing disk.
            redb::Error::Io(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData
                ) =>
            {
                Self::Damaged(e.to_string())
            }
            redb::Error::Io(e) => Self::Io(e),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<VaultError> for Fault {
    fn from(error: VaultError) -> Self {
        Self::Vault(error)
    }
}

/// Turns a panic into a fault. The last resort: redb means to report every damaged file that it
/// was told to check, but it asserts what it believes cannot be, in debug builds more than in
/// release builds, and a daemon that serves every application must not go down over one block on
/// the disk.
pub(crate) fn no_panic<T>(work: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|payload| Err(Fault::Damaged(panic_text(&*payload).to_owned())))
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned.or(payload.downcast_ref::<&str>().copied()).unwrap_or("the database failed")
}
