//! The wrapping key from a systemd credential (systemd.exec(5), `LoadCredentialEncrypted=`).
//!
//! systemd decrypts the credential into a folder that only the service sees. Its bytes are taken
//! as they are and must be random; the key is derived from them and the store's id, so that one
//! credential can serve several stores without giving two of them the same key.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use super::Generation;
use crate::error::KeyProblem;
use crate::locked::Key;
use crate::seal::{digest, keyed_hash};

const CREDENTIAL_NAME: &str = "valetkey-key";
const LEAST_LENGTH: usize = 32;

pub(super) fn derive(
    directory: Option<&Path>,
    store_id: &str,
    generation: &Generation,
) -> Result<Key, KeyProblem> {
    let path = directory.ok_or(KeyProblem::NoCredential)?.join(CREDENTIAL_NAME);
    let mut content = Zeroizing::new(Vec::with_capacity(4096));
    match File::open(&path).and_then(|mut file| file.read_to_end(&mut content)) {
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(KeyProblem::NoCredential),
        Err(e) => return Err(KeyProblem::File(format!("read {}: {e}", path.display()))),
    }
    if content.len() < LEAST_LENGTH {
        return Err(KeyProblem::TooShort { found: content.len(), needed: LEAST_LENGTH });
    }
    let master = Zeroizing::new(digest(&content));
    let name = format!("{store_id}{}", generation.suffix());
    Ok(keyed_hash(&master, &[b"valetkey wrapping key", name.as_bytes()]).into())
}
