//! Stores of any size, made of the one in which a person has signed in.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use valetkey_cache::{AccessToken, Entry, EntryDecoder};
use valetkey_model::ScopeSet;
use valetkey_vault::{
    KeyChoice, KeyProvider, OpenOptions, Opened, Record, RecordChange, Vault, open,
};

use crate::Outcome;

/// Copies a store that nobody has open, without the record of who got what in its folder.
pub(crate) fn copy_store(from: &Path, to: &Path) -> Outcome {
    std::fs::DirBuilder::new().mode(0o700).create(to)?;
    for file in std::fs::read_dir(from)? {
        let file = file?;
        if file.file_type()?.is_file() {
            std::fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}

/// A store and its only partition.
pub(crate) struct Filled {
    pub(crate) vault: Vault,
    pub(crate) partition: String,
    pub(crate) entries: Vec<Entry>,
}

/// Opens a store that nobody has open.
pub(crate) fn open_store(state_dir: &Path) -> Outcome<Filled> {
    let key = KeyChoice::Only(KeyProvider::File);
    let vault = match open(&OpenOptions { key, ..OpenOptions::new(state_dir, 0) })? {
        Opened::Ready(vault) => vault,
        Opened::Locked(_) => return Err("the store is locked".into()),
    };
    let partition = vault.partitions()?.pop().ok_or("the store is empty")?;
    let reader = || {
        let mut decoder = EntryDecoder::default();
        move |record: Record<'_>| decoder.decode(record.value)
    };
    let entries = vault.load(&partition, reader)?.records.into_iter().collect::<Result<_, _>>()?;
    Ok(Filled { vault, partition, entries })
}

/// Adds access tokens of the same person and application until there are so many: one bucket of the cache's index, which
/// is the hardest case. Each has the bytes and the lifetime of the true one.
pub(crate) fn fill(state_dir: &Path, tokens: usize) -> Outcome {
    let Filled { vault, partition, entries } = open_store(state_dir)?;
    let model = access_token(&entries)?;
    let numbers: Vec<usize> = (1..tokens).collect();
    for some in numbers.chunks(CHUNK) {
        let changes = some.iter().map(|number| {
            let scopes = ScopeSet::from_target(&format!("api://resource-{number}/.default"));
            let entry = Entry::AccessToken(Arc::new(AccessToken { scopes, ..model.clone() }));
            RecordChange::Put { key: entry.key().as_str().to_owned(), value: entry.encode() }
        });
        vault.save(&partition, &changes.collect::<Vec<_>>())?;
    }
    Ok(())
}

/// The access token of the sign-in.
pub(crate) fn access_token(entries: &[Entry]) -> Outcome<&AccessToken> {
    let token = entries.iter().find_map(|entry| match entry {
        Entry::AccessToken(token) => Some(&**token),
        _ => None,
    });
    token.ok_or_else(|| "nobody has signed in".into())
}

/// Each chunk is one commit.
const CHUNK: usize = 10_000;
