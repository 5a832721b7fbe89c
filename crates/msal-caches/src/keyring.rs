//! Caches in the desktop's keyring, by way of the Secret Service: items of libsecret and of keytar.
//!
//! libsecret tells a schema's name in the attribute `xdg:schema`. msal-extensions takes for it the digest of the file that it
//! keeps beside; keytar has the attributes `service` and `account`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use secret_service::EncryptionType;
use secret_service::blocking::{Item, SecretService};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{Product, SourceError};

/// How the well-known products mark their items. The `keytar` items of Azure Identity for JavaScript come last.
pub(crate) const WELL_KNOWN: [(Product, &[(&str, &str)]); 4] = [
    (Product::AzureCli, &[(SCHEMA, "my_schema_name"), ("my_attr1", "foo"), ("my_attr2", "bar")]),
    (Product::AzureCli, &[(SCHEMA, "Microsoft Azure CLI"), ("type", "Token cache")]),
    (Product::AzureIdentity, &[("MsalClientID", "Microsoft.Developer.IdentityService")]),
    (Product::AzureIdentity, &[("service", "Microsoft.Developer.IdentityService")]),
];

const SCHEMA: &str = "xdg:schema";

/// How long a person may take to unlock the keyring; one that prompts waits for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// All attributes of each item that has these.
pub(crate) fn search(
    attributes: &[(&str, &str)],
) -> Result<Vec<Vec<(String, String)>>, SourceError> {
    let wanted = owned(attributes);
    ask(move |service| {
        let found = service.search_items(borrowed(&wanted))?;
        let items = found.unlocked.iter().chain(&found.locked);
        items.map(|item| Ok(sorted(item.get_attributes()?))).collect()
    })
}

/// The secret of the one item that has these attributes, and no others if there are several. A keyring that is locked asks
/// its user.
pub(crate) fn read(attributes: &[(String, String)]) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let mut wanted = attributes.to_vec();
    wanted.sort();
    ask(move |service| {
        let found = service.search_items(borrowed(&wanted))?;
        let mut items: Vec<&Item<'_>> = found.unlocked.iter().chain(&found.locked).collect();
        if let [_, _, ..] = items[..] {
            let is_exact =
                |item: &&Item<'_>| item.get_attributes().is_ok_and(|all| sorted(all) == wanted);
            let exact: Vec<_> = items.iter().copied().filter(is_exact).collect();
            items = if exact.is_empty() { items } else { exact };
        }
        let [item] = items[..] else { return Ok(Err(items.len())) };
        if item.is_locked()? {
            service.unlock_all(&[item])?;
        }
        Ok(Ok(Zeroizing::new(item.get_secret()?)))
    })?
    .map_err(|count| match count {
        0 => SourceError::NoItem,
        count => SourceError::SeveralItems { count },
    })
}

/// The item for which msal-extensions keeps this file as a signal: its schema is the digest of the path, as the program
/// wrote it, which may have been relative to a home folder or absolute.
pub(crate) fn read_named_after(path: &Path) -> Result<Zeroizing<Vec<u8>>, SourceError> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    for candidate in [path, &absolute] {
        let schema = hex(&Sha256::digest(candidate.as_os_str().as_encoded_bytes()));
        match read(&[(SCHEMA.to_owned(), schema)]) {
            Err(SourceError::NoItem) => {}
            outcome => {
                return outcome.map_err(|error| SourceError::Empty { why: error.to_string() });
            }
        }
    }
    Err(SourceError::Empty { why: "that has no item named after it".to_owned() })
}

/// Asks on a thread of its own, which is left behind if the keyring never answers.
fn ask<T: Send + 'static>(
    question: impl FnOnce(&SecretService<'_>) -> Result<T, secret_service::Error> + Send + 'static,
) -> Result<T, SourceError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let refused = |reason: String| SourceError::Keyring(reason);
    thread::Builder::new()
        .name("keyring".into())
        .spawn(move || {
            let answer = SecretService::connect(EncryptionType::Dh)
                .and_then(|service| question(&service))
                .map_err(|error| error.to_string());
            // An error here means that nobody waits any more.
            let _ = sender.send(answer);
        })
        .map_err(|error| refused(error.to_string()))?;
    match receiver.recv_timeout(PATIENCE) {
        Ok(answer) => answer.map_err(refused),
        Err(RecvTimeoutError::Timeout) => Err(refused("it does not answer".to_owned())),
        Err(RecvTimeoutError::Disconnected) => Err(refused("its library failed".to_owned())),
    }
}

fn owned(attributes: &[(&str, &str)]) -> Vec<(String, String)> {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn borrowed(attributes: &[(String, String)]) -> HashMap<&str, &str> {
    attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn sorted(attributes: HashMap<String, String>) -> Vec<(String, String)> {
    let mut sorted: Vec<_> = attributes.into_iter().collect();
    sorted.sort();
    sorted
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
