//! A grant as it is stored: JSON, one record for each, under the grant's id. Only what outlives the daemon is stored.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use valetkey_model::{AccountId, ScopeSet, UnixTime};
use valetkey_policy::{Grant, ProgramKey, Word};
use zeroize::Zeroizing;

#[derive(Deserialize, Serialize)]
struct Record {
    word: StoredWord,
    path: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sandbox: Option<String>,
    environment: String,
    account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    since: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<i64>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum StoredWord {
    SignedIn,
    Always,
    ForTime,
}

/// None for what does not outlive the daemon.
pub(super) fn encode(grant: &Grant) -> Option<Zeroizing<Vec<u8>>> {
    let ProgramKey::Executable { path, sandbox } = &grant.program else { return None };
    let word = match grant.word {
        Word::SignedIn => StoredWord::SignedIn,
        Word::Always => StoredWord::Always,
        Word::ForTime => StoredWord::ForTime,
        Word::UntilLock | Word::Once | Word::No => return None,
    };
    let record = Record {
        word,
        path: path.clone(),
        sandbox: sandbox.clone(),
        environment: grant.environment.clone(),
        account: grant.account.as_str().to_owned(),
        client_id: grant.client_id.clone(),
        scope: grant.scopes.as_ref().map(|scopes| scopes.target().to_owned()),
        since: grant.since.seconds(),
        until: grant.until.map(UnixTime::seconds),
    };
    // A path that is no text has no JSON; then the person is asked again after a restart.
    serde_json::to_vec(&record).ok().map(Zeroizing::new)
}

/// None for what a newer build has written, or somebody else: then the person is asked again.
pub(super) fn decode(id: String, bytes: &[u8]) -> Option<Grant> {
    let record: Record = serde_json::from_slice(bytes).ok()?;
    Some(Grant {
        id,
        program: ProgramKey::Executable { path: record.path, sandbox: record.sandbox },
        environment: record.environment,
        account: AccountId::new(&record.account).ok()?,
        client_id: record.client_id,
        scopes: record.scope.as_deref().map(ScopeSet::from_target),
        word: match record.word {
            StoredWord::SignedIn => Word::SignedIn,
            StoredWord::Always => Word::Always,
            StoredWord::ForTime => Word::ForTime,
        },
        since: UnixTime::from_seconds(record.since),
        until: record.until.map(UnixTime::from_seconds),
    })
}
