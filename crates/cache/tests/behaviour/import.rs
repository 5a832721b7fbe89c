//! Taking over another library's cache: what wins, what stays, and what is passed over for which reason.

use serde_json::{Value, json};
use valetkey_cache::{AccessToken, Counts, Entry, Import, KeyId, SkipReason, TokenCache};

use crate::support::*;

const NOW: i64 = 2000;

/// Takes the entries over, and tells what the cache holds then, and the reasons for what was not taken.
fn import(known: Vec<Entry>, found: Vec<Entry>) -> (Vec<String>, Vec<String>, TokenCache) {
    let mut cache = TokenCache::from_entries(known);
    let Import { changes, skipped, .. } = cache.plan_import(found, at(NOW));
    cache.apply(&changes);
    let told = |it: &valetkey_cache::Skipped| format!("{} {}: {}", it.count, it.section, it.reason);
    let (held, skipped) = (secrets(&cache), skipped.iter().map(told).collect());
    (held, skipped, cache)
}

fn check(known: Vec<Entry>, found: Vec<Entry>, held: &[&str], skipped: &[&str]) {
    let (is_held, is_skipped, _) = import(known, found);
    assert_eq!((is_held, is_skipped), (strings(held), strings(skipped)));
}

fn strings(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn issued(secret: &str, seconds: i64) -> Entry {
    let mut token = refresh_token(secret, "a");
    token.last_modified = at(seconds);
    token.entry()
}

fn lasting(secret: &str, until: i64) -> Entry {
    let mut token = access_token(secret, "a");
    token.expires_on = at(until);
    token.entry()
}

const NOT_NEWER: &str = "what is here is the same or newer";

#[test]
fn of_two_tokens_the_newer_one_wins() {
    let not_newer = |section: &str| format!("1 {section}: {NOT_NEWER}");
    for (known, found, held, section) in [
        (issued("here", 1000), issued("there", 1001), "there", None),
        (issued("here", 1001), issued("there", 1000), "here", Some("RefreshToken")),
        (issued("here", 1000), issued("there", 1000), "here", Some("RefreshToken")),
        (issued("here", 1000), issued("there", 0), "here", Some("RefreshToken")),
        (issued("here", 0), issued("there", 0), "there", None),
        (issued("same", 0), issued("same", 0), "same", Some("RefreshToken")),
        (lasting("here", 5000), lasting("there", 5001), "there", None),
        (lasting("here", 5000), lasting("there", 5000), "here", Some("AccessToken")),
        (id_token("here").entry(), id_token("there").entry(), "here", Some("IdToken")),
    ] {
        let skipped: Vec<_> = section.map(not_newer).into_iter().collect();
        let skipped: Vec<_> = skipped.iter().map(String::as_str).collect();
        check(vec![known], vec![found], &[held], &skipped);
    }
}

#[test]
fn nothing_of_what_is_here_is_lost() {
    let other_scopes = refresh_token("other scopes", "b").entry();
    check(
        vec![other_scopes, lasting("expired", 1)],
        vec![issued("there", 3000)],
        &["expired", "other scopes", "there"],
        &[],
    );
}

#[test]
fn what_would_serve_nobody_or_the_wrong_one_is_passed_over() {
    let of_application = |mut token: AccessToken| {
        token.home_account_id = None;
        token.entry()
    };
    let on_behalf = |name: &str| {
        let mut token = refresh_token("on behalf", name);
        token.extra = json!({ name: "hash" }).as_object().cloned().map(Box::new);
        token.entry()
    };
    let mut bound = refresh_token("bound", "c");
    bound.key_id = Some("K".into());
    let bound = bound.entry();
    let typed = |token_type: &str, key_id: Option<KeyId>| {
        let token = access_token(token_type, "d");
        AccessToken { token_type: token_type.into(), key_id, ..token }.entry()
    };
    check(
        vec![],
        vec![
            lasting("expired", NOW),
            of_application(access_token("the application's", "b")),
            bound,
            typed("pop", None),
            typed("DPoP", Some(KeyId::Kept("K".into()))),
            typed("ssh-cert", Some(foreign("K"))),
            typed("bearer", None),
            on_behalf("user_assertion_hash"),
            on_behalf("userAssertionHash"),
            issued("there", 1),
        ],
        &["bearer", "ssh-cert", "there"],
        &[
            "1 AccessToken: has expired",
            "2 AccessToken: is bound to a key that is not here",
            "1 AccessToken: is an application's own, and no user's",
            "1 RefreshToken: is bound to a key that is not here",
            "2 RefreshToken: is a service's, on behalf of who called it",
        ],
    );
}

#[test]
fn a_token_that_says_to_be_good_for_ages_is_taken_for_a_year() {
    let (.., cache) = import(vec![], vec![lasting("there", i64::MAX)]);
    let year = 365 * 24 * 3600;
    let token = access_token("there", "a");
    let found = |seconds| {
        cache.find_access_token(&query(&token, &token.scopes), at(NOW), seconds).is_some()
    };
    assert_eq!((found(year), found(year + 1)), (true, false));
    // Nor is it newer than one that is as good.
    let (_, skipped, _) =
        import(vec![lasting("here", NOW + year)], vec![lasting("there", i64::MAX)]);
    assert_eq!(skipped, [format!("1 AccessToken: {NOT_NEWER}")]);
}

#[test]
fn an_account_comes_last_and_one_that_is_here_stays_as_it_is() {
    let (_, skipped, cache) =
        import(vec![account("u", "t", 7).entry()], vec![account("u", "t", 0).entry()]);
    assert_eq!(skipped, [format!("1 Account: {NOT_NEWER}")]);
    assert_eq!(cache.account(HOST, &home("u")).unwrap().added_at, at(7));
    let (_, _, cache) = import(vec![], vec![account("v", "t", 0).entry()]);
    assert_eq!(cache.account(HOST, &home("v")).unwrap().added_at, at(NOW));
}

/// Names of the account `u`, by tenant.
fn named(names: &[(&str, &str)]) -> Vec<Entry> {
    let name = |(realm, name): &(&str, &str)| {
        let mut account = account("u", realm, 0);
        account.username = (*name).into();
        account.entry()
    };
    names.iter().map(name).collect()
}

#[test]
fn no_import_renames_an_account_that_is_here() {
    let here = named(&[("t", "alice@contoso.com")]);
    let (_, skipped, cache) = import(here, named(&[("elsewhere", "bob@contoso.com")]));
    assert_eq!(skipped, [format!("1 Account: {NOT_NEWER}")]);
    let names: Vec<_> = cache.usernames(HOST, &home("u")).map(|name| name.to_string()).collect();
    assert_eq!(names, ["alice@contoso.com"]);
}

#[test]
fn a_family_is_learnt_and_not_forgotten() {
    for (known, found, family) in [
        (None, Some("1"), Some("1")),
        (Some("1"), None, Some("1")),
        (Some("1"), Some("2"), Some("1")),
    ] {
        let (.., cache) = import(vec![app("c", known).entry()], vec![app("c", found).entry()]);
        let exported: Value = serde_json::from_str(&cache.to_msal_json()).unwrap();
        let metadata = exported["AppMetadata"].as_object().unwrap().values().next().unwrap();
        assert_eq!(metadata["family_id"].as_str(), family);
    }
}

#[test]
fn another_librarys_section_is_kept_beside_and_not_in_the_place_of_one_that_is_here() {
    let read = |text: Value| {
        TokenCache::read_msal_sections(text.as_object().unwrap().clone()).unwrap().entries
    };
    let here = read(json!({"Account": {}, "Future": 1}));
    let (_, skipped, cache) =
        import(here, read(json!({"Account": {}, "Future": 2, "Other": 3, "": 4})));
    assert_eq!(skipped, [format!("1 Future: {NOT_NEWER}")]);
    assert_eq!(
        serde_json::from_str::<Value>(&cache.to_msal_json()).unwrap(),
        json!({"Future": 1, "Other": 3})
    );
}

#[test]
fn an_odd_entry_is_passed_over_and_the_others_are_read() {
    let text = json!({"RefreshToken": {
        "good": {"secret": "RT", "environment": HOST, "home_account_id": "u", "client_id": "c"},
        "odd": {"secret": 5, "environment": HOST},
        "odd as well": {"secret": 5, "environment": HOST},
    }});
    let reading = TokenCache::read_msal_sections(text.as_object().unwrap().clone()).unwrap();
    assert_eq!(secrets(&TokenCache::from_entries(reading.entries)), ["RT"]);
    let [skipped] = &reading.unreadable[..] else { panic!("{:?}", reading.unreadable) };
    let reason = SkipReason::Unreadable("member \"secret\" is no text".to_owned());
    assert_eq!((skipped.count, &*skipped.section, &skipped.reason), (2, "RefreshToken", &reason));
}

#[test]
fn what_is_taken_is_counted() {
    let found = vec![
        issued("RT", 1),
        lasting("AT", 5000),
        id_token("IDT").entry(),
        account("u", "t", 0).entry(),
        app("c", None).entry(),
    ];
    let taken = TokenCache::new().plan_import(found, at(NOW)).taken;
    let one_each = Counts {
        access_tokens: 1,
        refresh_tokens: 1,
        id_tokens: 1,
        accounts: 1,
        app_metadata: 1,
        documents: 0,
    };
    assert_eq!(taken, one_each);
}

#[test]
fn what_is_no_cache_is_refused_as_a_whole() {
    for (text, expected) in [
        (json!({"subscriptions": []}), "no token cache of MSAL"),
        (json!({"RefreshToken": []}), "section \"RefreshToken\""),
        (json!({"Account": {"a": "b"}}), "entry 1 of section \"Account\""),
    ] {
        match TokenCache::read_msal_sections(text.as_object().unwrap().clone()) {
            Ok(_) => panic!("{text} was read"),
            Err(error) => assert!(error.to_string().contains(expected), "{text}: {error}"),
        }
    }
    assert!(TokenCache::read_msal_sections(serde_json::Map::new()).unwrap().entries.is_empty());
}
