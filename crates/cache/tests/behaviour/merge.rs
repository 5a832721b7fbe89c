//! What an answer changes, and what it must not change.

use valetkey_cache::{AccessToken, Change, Entry, RefreshToken, TokenCache, TokenEvent};

use crate::support::*;

fn signed_in(client_id: &str, target: &str, number: u32) -> TokenCache {
    let mut cache = TokenCache::new();
    merge(&mut cache, &sign_in(client_id, target, number).event());
    cache
}

fn merge(cache: &mut TokenCache, event: &TokenEvent<'_>) {
    let changes = cache.plan_token_response(event, at(1000));
    cache.apply(&changes);
}

fn newest_refresh_token(cache: &TokenCache) -> RefreshToken {
    RefreshToken::clone(cache.refresh_tokens(HOST, &home("u")).next().unwrap())
}

#[test]
fn a_plan_changes_nothing_before_it_is_applied() {
    let cache = TokenCache::new();
    let planned = cache.plan_token_response(&sign_in("c", "a", 1).event(), at(1000));
    assert_eq!((planned.len(), cache.entries().count()), (5, 0));
}

#[test]
fn a_wider_refresh_token_replaces_the_narrower_ones_of_its_client_alone() {
    let mut cache = signed_in("c", "a", 1);
    for (client_id, target, number) in [("c", "b", 2), ("d", "a", 3), ("C", "a b c", 4)] {
        merge(&mut cache, &sign_in(client_id, target, number).event());
    }
    let mut left: Vec<_> =
        cache.refresh_tokens(HOST, &home("u")).map(|it| it.secret.expose().to_owned()).collect();
    left.sort();
    assert_eq!(left, ["RT3", "RT4"]);
}

#[test]
fn a_family_refresh_token_is_not_replaced_by_one_that_no_family_can_use() {
    let mut cache = TokenCache::new();
    merge(&mut cache, &TokenEvent { family_id: Some("1"), ..sign_in("c", "a", 1).event() });
    merge(&mut cache, &sign_in("c", "a b", 2).event());
    assert_eq!(cache.refresh_tokens(HOST, &home("u")).count(), 2);
}

#[test]
fn a_rotated_refresh_token_stays_in_its_place_with_its_family_and_unknown_members() {
    let extra = serde_json::json!({"wam": 1}).as_object().cloned().map(Box::new);
    let used = RefreshToken {
        family_id: Some("1".into()),
        client_id: Some(client("family-sibling")),
        extra,
        ..refresh_token("old", "a b")
    };
    let mut cache = cache_of([used.clone().entry(), account("u", "t", 1).entry()]);
    let answer = sign_in("c", "a", 2);
    let changes = cache.plan_refresh(&used, &answer.event(), at(2000));
    cache.apply(&changes);

    let rotated = newest_refresh_token(&cache);
    assert_eq!(cache.counts().refresh_tokens, 1);
    assert_eq!(rotated.clone().entry().key(), used.clone().entry().key());
    assert_eq!(
        (rotated.secret.expose(), rotated.last_modified, rotated.family_id.as_deref()),
        ("RT2", at(2000), Some("1"))
    );
    assert!(rotated.extra.is_some());
}

#[test]
fn a_refresh_answer_that_says_nothing_of_the_user_is_for_the_user_of_the_refresh_token() {
    let mut cache = signed_in("c", "a", 1);
    let mut answer = sign_in("c", "a", 2);
    answer.refresh_token = None;
    let event = TokenEvent { id_token: None, id_claims: Default::default(), ..answer.event() };
    let changes = cache.plan_refresh(&newest_refresh_token(&cache), &event, at(2000));
    cache.apply(&changes);
    assert_eq!(secrets(&cache), ["AT2", "IDT1", "RT1"]);
    assert_eq!(cache.counts().accounts, 1);
}

#[test]
fn nothing_comes_back_after_a_sign_out_or_a_newer_sign_in() {
    let used = newest_refresh_token(&signed_in("c", "a", 1));
    let answer = sign_in("c", "a", 2);

    let mut signed_out = signed_in("c", "a", 1);
    let changes = signed_out.plan_sign_out(&[HOST], &home("u"), Some(&client("c")));
    signed_out.apply(&changes);
    assert!(signed_out.plan_refresh(&used, &answer.event(), at(2000)).is_empty());

    let signed_in_anew = signed_in("c", "a", 3);
    assert!(signed_in_anew.plan_refresh(&used, &answer.event(), at(2000)).is_empty());
}

#[test]
fn a_refresh_creates_no_account() {
    let used = refresh_token("RT1", "a");
    let cache = cache_of([used.clone().entry()]);
    let changes = cache.plan_refresh(&used, &sign_in("c", "a", 2).event(), at(2000));
    assert!(!changes.is_empty());
    assert!(!changes.iter().any(|it| matches!(it, Change::Put(Entry::Account(_)))));
}

#[test]
fn application_metadata_is_written_when_it_changes_and_keeps_its_family() {
    let mut cache = TokenCache::new();
    let answer = sign_in("c", "a", 1);
    let plain = answer.event();
    let writes = |cache: &mut TokenCache, family_id: Option<&str>| {
        let event = TokenEvent { family_id, ..plain };
        let changes = cache.plan_token_response(&event, at(1000));
        cache.apply(&changes);
        changes.iter().any(|change| matches!(change, Change::Put(Entry::AppMetadata(_))))
    };
    let written = [None, None, Some("1"), Some("1"), None].map(|family| writes(&mut cache, family));
    assert_eq!(written, [true, false, true, false, false]);
    let app = cache.app_metadata(HOST, Some(&client("C"))).unwrap();
    assert_eq!(app.family_id.as_deref(), Some("1"));
}

#[test]
fn a_merge_drops_a_bounded_number_of_expired_tokens_oldest_first() {
    let expired = (0..40).map(|number| AccessToken {
        expires_on: at(100 + number),
        ..access_token(&format!("{number:02}"), &format!("scope{number}"))
    });
    let ending_now = AccessToken { expires_on: at(1000), ..access_token("ending now", "z") };
    let mut cache = cache_of(expired.chain([ending_now]).map(IntoEntry::entry));
    let answer = sign_in("c", "a", 1);
    for left in [25 + 1, 9 + 1, 1 + 1, 1 + 1] {
        merge(&mut cache, &answer.event());
        assert_eq!(cache.counts().access_tokens, left);
    }
}

#[test]
fn the_first_sign_in_dates_an_account_for_good() {
    let mut cache = signed_in("c", "a", 1);
    let changes = cache.plan_token_response(&sign_in("c", "a", 2).event(), at(5000));
    cache.apply(&changes);
    assert_eq!(cache.accounts(HOST)[0].added_at, at(1000));
}

#[test]
fn who_signed_in_is_said_by_client_info_else_by_the_id_token() {
    let answer = sign_in("c", "a", 1);
    for (client_info, expected) in [
        (Some("eyJ1aWQiOiAiVUlEIiwgInV0aWQiOiAiVVRJRCJ9"), "UID.UTID"),
        (Some("eyJ1aWQiOiAiVUlEIiwgInV0aWQiOiAiVVRJRCJ9===="), "u"),
        (Some("eyJ1aWQiOiAiVSJ9"), "u"),
        (Some("not base64!"), "u"),
        (None, "u"),
    ] {
        let event = TokenEvent { client_info, ..answer.event() };
        assert_eq!(event.home_account_id().unwrap().as_str(), expected, "{client_info:?}");
    }
}
