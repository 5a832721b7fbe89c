//! MSAL's JSON of another library's cache: what is taken is within reason, what is written is read as the same, and taking
//! it twice changes nothing.

use std::collections::BTreeMap;

use serde_json::Value;
use valetkey_cache::{Change, Entry, Import, TokenCache};
use valetkey_model::UnixTime;
use zeroize::Zeroizing;

use crate::NOW;
use crate::input::{Input, assert_error_silent, assert_silent};
use crate::stored_entry::check_round_trip;

const YEAR: i64 = 365 * 24 * 3600;

/// A file of MSAL's.
pub fn run(data: &[u8]) {
    let Some(text) = Input::new(data).text() else { return };
    let strict = TokenCache::entries_from_msal_json(text);
    if let Err(error) = &strict {
        assert_error_silent(error);
    }
    if let Ok(entries) = &strict {
        entries.iter().for_each(check_round_trip);
        check_export(entries);
    }
    let Ok(Value::Object(sections)) = serde_json::from_str(text) else { return };
    match TokenCache::read_msal_sections(sections) {
        Ok(reading) => {
            reading.unreadable.iter().for_each(|it| assert_silent(it.reason.to_string()));
            if let Ok(entries) = strict {
                assert!(reading.unreadable.is_empty());
                assert_eq!(written(&reading.entries), written(&entries));
            }
            check_import(reading.entries);
        }
        Err(error) => assert_error_silent(&error),
    }
}

type Written = BTreeMap<String, Zeroizing<Vec<u8>>>;

fn written(entries: &[Entry]) -> Written {
    entries.iter().map(|entry| (entry.key().as_str().to_owned(), entry.encode())).collect()
}

/// Out and in again, nothing is lost.
fn check_export(entries: &[Entry]) {
    let cache = TokenCache::from_entries(entries.iter().cloned());
    let json = cache.to_msal_json();
    let again = TokenCache::entries_from_msal_json(&json).expect("what was written can be read");
    assert_eq!(written(&again), written(entries));
    let again = TokenCache::from_entries(again);
    assert_eq!(*again.to_msal_json(), *json, "an export is not the same twice");
}

fn check_import(entries: Vec<Entry>) {
    let mut cache = TokenCache::new();
    let import = cache.plan_import(entries.clone(), NOW);
    import.changes.iter().for_each(check_taken);
    let skipped: usize = import.skipped.iter().map(|it| it.count).sum();
    assert_eq!(import.changes.len() + skipped, entries.len(), "an entry vanished");
    cache.apply(&import.changes);
    let Import { changes, .. } = cache.plan_import(entries, NOW);
    assert!(changes.is_empty(), "the second time {} are taken", changes.len());
}

fn check_taken(change: &Change) {
    let Change::Put(entry) = change else { panic!("an import removes nothing") };
    let is_within_reason = |time: UnixTime| time > NOW && time.seconds_since(NOW) <= YEAR;
    match entry {
        Entry::AccessToken(token) => {
            assert!(token.home_account_id.is_some(), "an application's own token is taken");
            assert!(is_within_reason(token.expires_on), "good until {}", token.expires_on);
        }
        Entry::RefreshToken(token) => {
            assert!(token.home_account_id.is_some(), "an application's own token is taken");
            assert!(token.key_id.is_none(), "a token is taken whose key is not here");
        }
        Entry::Account(account) => assert_eq!(account.added_at, NOW),
        Entry::IdToken(_) | Entry::AppMetadata(_) | Entry::Foreign(_) => {}
        Entry::Document(_) | Entry::ProofKey(_) | Entry::Answer(_) => {
            panic!("{} is ours alone", entry.key());
        }
    }
}
