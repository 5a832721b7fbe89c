//! A cache whose content is replaced as a whole, and the version that tells it has changed.

use valetkey_cache::{Change, Document, Entry, TokenCache};

use crate::support::*;

fn document() -> Entry {
    let url = "https://login.contoso.com/.well-known/openid-configuration";
    Entry::Document(Document { url: url.into(), fetched_at: at(1), body: "{}".into() }.into())
}

#[test]
fn a_replacement_leaves_nothing_of_before_but_documents() {
    let mut cache = TokenCache::from_entries([
        access_token("old AT", "a").entry(),
        refresh_token("old RT", "a").entry(),
        account("u", "t", 1).entry(),
        document(),
    ]);
    let same_key = access_token("new AT", "a").entry();
    let changes = cache.plan_replacement(vec![same_key, account("v", "t", 1).entry()]);
    assert_eq!(secrets(&cache), ["old AT", "old RT"], "a plan changes nothing");
    cache.apply(&changes);
    assert_eq!(secrets(&cache), ["new AT"]);
    assert!(cache.account(HOST, &home("u")).is_none());
    assert!(cache.account(HOST, &home("v")).is_some());
    assert_eq!(cache.counts().documents, 1);
}

#[test]
fn each_change_that_the_json_shows_counts_as_one_version() {
    let mut cache = TokenCache::from_entries([access_token("AT", "a").entry()]);
    let mut version_after = |changes: &[Change]| {
        cache.apply(changes);
        cache.version()
    };
    assert_eq!(version_after(&[]), 0);
    assert_eq!(version_after(&[Change::Put(document())]), 0);
    let both = [refresh_token("RT", "a").entry(), account("u", "t", 1).entry()].map(Change::Put);
    assert_eq!(version_after(&both), 1);
    assert_eq!(version_after(&[Change::Remove(access_token("AT", "a").entry())]), 2);
}
