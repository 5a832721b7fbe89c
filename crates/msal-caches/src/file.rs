//! Files: one of another library is read, a new one of ours is written.

use std::io::Write;
use std::path::Path;

use valetkey_safe_path::{PathError, create_new, open_own};
use zeroize::Zeroizing;

use crate::error::SourceError;

/// Makes sure that the file is there, is the user's own, and no link.
pub(crate) fn check(path: &Path) -> Result<(), SourceError> {
    Ok(open_own(path).map(drop)?)
}

/// What is in the file.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    use std::io::Read as _;
    let file = open_own(path)?;
    // No growing leaves a copy behind.
    let mut content = Zeroizing::new(Vec::with_capacity(limit + 1));
    let io = |source| PathError::Io { doing: "read", path: path.into(), source };
    file.take(limit as u64 + 1).read_to_end(&mut content).map_err(io)?;
    match content.len() > limit {
        true => Err(SourceError::TooLarge { limit }),
        false => Ok(content),
    }
}

/// Writes a file that is not there yet, for nobody else to read, in a folder that nobody else may write to. What cannot be
/// written whole is removed again.
///
/// # Errors
/// When it is there, the place is not to be trusted, or the disk does not take it.
pub fn write_new(path: &Path, text: &str) -> Result<(), PathError> {
    let mut file = create_new(path)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(|source| {
        // What is left of it is worth nothing, and holds tokens.
        let _ = std::fs::remove_file(path);
        PathError::Io { doing: "write", path: path.into(), source }
    })
}
