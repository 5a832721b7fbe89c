//! The socket's folder: private when it is made, and refused when others could write to it.

use std::fs::{DirBuilder, Metadata};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::Path;

use crate::error::{BindError, FolderProblem};

/// Creates the folder with mode 0700 if it is not there, and looks at it in any case.
///
/// A folder that others may read is accepted, since the socket's own mode keeps them out; one that they may write to is
/// not, since they could put their own socket in the place of ours.
pub(super) fn prepare(folder: &Path) -> Result<(), BindError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .or_else(|e| if folder.symlink_metadata().is_ok() { Ok(()) } else { Err(e) })
        .map_err(|e| BindError::io("create folder", folder, e))?;
    let metadata =
        folder.symlink_metadata().map_err(|e| BindError::io("look at folder", folder, e))?;
    check(&metadata, rustix::process::geteuid().as_raw())
        .map_err(|problem| BindError::UnsafeFolder { path: folder.into(), problem })
}

fn check(metadata: &Metadata, own: u32) -> Result<(), FolderProblem> {
    if metadata.is_symlink() {
        return Err(FolderProblem::SymbolicLink);
    }
    if !metadata.is_dir() {
        return Err(FolderProblem::NotAFolder);
    }
    // Root could replace the socket in any folder.
    let owner = metadata.uid();
    if owner != own && owner != 0 {
        return Err(FolderProblem::OtherOwner { owner, own });
    }
    match metadata.mode() & 0o7777 {
        mode if mode & 0o022 != 0 => Err(FolderProblem::WritableByOthers { mode }),
        _ => Ok(()),
    }
}
