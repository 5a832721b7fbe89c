//! The socket's folder: private when it is made, and refused when others could write to it or put another in its place.

use std::fs::{Metadata, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use valetkey_safe_path::PathError;

use crate::Audience;
use crate::error::{BindError, FolderProblem};

/// Creates the folder with mode 0700 if it is not there, and looks at it in any case. For all users it is opened to them.
///
/// A folder that others may read is accepted, since the socket's own mode keeps them out; one that they may write to is
/// not, since they could put their own socket in the place of ours.
pub(super) fn prepare(folder: &Path, audience: Audience) -> Result<(), BindError> {
    valetkey_safe_path::create_folder(folder).map_err(untrusted)?;
    let found = look_at(folder)?;
    let is_open = audience == Audience::OwnUser || found.mode() & OPEN == OPEN;
    if !is_open {
        std::fs::set_permissions(folder, Permissions::from_mode(OPEN))
            .map_err(|e| BindError::io("open to all users the folder", folder, e))?;
    }
    Ok(())
}

/// As [`prepare`], of a folder that may not be there yet, and without making it; or that root gave to whom clients trust.
pub(super) fn inspect(folder: &Path) -> Result<(), BindError> {
    if valetkey_safe_path::find_keeper(folder).is_some() {
        return Ok(());
    }
    valetkey_safe_path::check_way_to(folder).map_err(untrusted)?;
    match look_at(folder) {
        Err(BindError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome.map(drop),
    }
}

fn untrusted(error: PathError) -> BindError {
    match error {
        PathError::Io { doing, path, source } => BindError::Io { doing, path, source },
        unsafe_way => BindError::UnsafeWay(unsafe_way),
    }
}

fn look_at(folder: &Path) -> Result<Metadata, BindError> {
    let metadata =
        folder.symlink_metadata().map_err(|e| BindError::io("look at folder", folder, e))?;
    check(&metadata, rustix::process::geteuid().as_raw())
        .map_err(|problem| BindError::UnsafeFolder { path: folder.into(), problem })?;
    Ok(metadata)
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

/// Everybody may pass through it, and nobody but its owner may write to it.
const OPEN: u32 = 0o755;
