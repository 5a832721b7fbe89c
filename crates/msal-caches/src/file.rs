//! Files: one of another library is read, a new one of ours is written.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

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

/// A file that was not there, for nobody else to read, in a folder that nobody else may write to. It is removed again unless it
/// is written whole: what is left of it is worth nothing, and may hold tokens.
pub struct NewFile {
    path: PathBuf,
    file: File,
    is_whole: bool,
}

impl NewFile {
    /// Takes the place.
    ///
    /// # Errors
    /// When something is there, or the place is not to be trusted.
    pub fn create(path: &Path) -> Result<Self, PathError> {
        Ok(Self { file: create_new(path)?, path: path.into(), is_whole: false })
    }

    /// Writes the whole of it.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub fn write(mut self, text: &str) -> Result<(), PathError> {
        let written = self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all());
        self.is_whole = written.is_ok();
        let path = self.path.clone();
        written.map_err(|source| PathError::Io { doing: "write", path, source })
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_whole {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_there_when_it_is_whole_and_gone_otherwise() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cache.json");
        drop(NewFile::create(&path).unwrap());
        assert!(!path.exists());
        NewFile::create(&path).unwrap().write("all of it").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "all of it");
        assert!(NewFile::create(&path).is_err());
        assert!(path.exists());
    }
}
