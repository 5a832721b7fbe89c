//! Where a keyring holds nothing that can be read here: Keychain and DPAPI are other libraries' own.

use std::path::Path;

use zeroize::Zeroizing;

use crate::{Product, SourceError};

pub(crate) const WELL_KNOWN: [(Product, &[(&str, &str)]); 0] = [];

pub(crate) fn search(
    _attributes: &[(&str, &str)],
) -> Result<Vec<Vec<(String, String)>>, SourceError> {
    Ok(Vec::new())
}

pub(crate) fn read(_attributes: &[(String, String)]) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    Err(SourceError::Keyring("caches in this system's keyring cannot be read".to_owned()))
}

pub(crate) fn read_named_after(_path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    Err(SourceError::Empty { why: "this system's keyring cannot be read".to_owned() })
}
