//! The wrapping key in a file beside the store: the last resort, where nothing better is there.
//!
//! It keeps the tokens out of a copied database and out of `grep`, and no more than that.

use std::io::Write;

use zeroize::Zeroizing;

use super::Generation;
use crate::error::{KeyProblem, VaultError};
use crate::locked::Key;
use crate::state_dir::StateDir;

/// The name carries the store's id, so that a fresh store never overwrites an older one's key.
pub(crate) fn name(store_id: &str, generation: &Generation) -> String {
    format!("key-{store_id}{}", generation.suffix())
}

pub(super) fn fetch(
    dir: &StateDir,
    store_id: &str,
    generation: &Generation,
) -> Result<Key, KeyProblem> {
    let name = name(store_id, generation);
    match dir.read(&name) {
        Ok(Some(content)) => Key::from_slice(&Zeroizing::new(content)).ok_or(KeyProblem::WrongKey),
        Ok(None) => Err(KeyProblem::FileMissing(dir.path(&name))),
        Err(error) => Err(KeyProblem::File(error.to_string())),
    }
}

/// The header is written after this, and its rename makes the folder's entry of this file durable.
pub(super) fn store(
    dir: &StateDir,
    store_id: &str,
    generation: &Generation,
    key: &Key,
) -> Result<(), VaultError> {
    let name = name(store_id, generation);
    let mut file = dir.create(&name)?;
    file.write_all(key.as_slice())
        .and_then(|()| file.sync_all())
        .map_err(|e| VaultError::io("write", dir.path(&name), e))
}
