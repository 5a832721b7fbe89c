//! What goes when someone signs out, and what stays.

use valetkey_cache::{AccessToken, Change, Document, RefreshToken, TokenCache};
use valetkey_model::UnixTime;

use crate::support::*;

/// What is left after `changes`, sorted.
fn left(cache: &mut TokenCache, changes: &[Change]) -> Vec<String> {
    cache.apply(changes);
    secrets(cache)
}

fn of_client(client_id: &str, family_id: Option<&str>, token: &str) -> RefreshToken {
    RefreshToken {
        client_id: Some(client(client_id)),
        family_id: family_id.map(Into::into),
        ..refresh_token(token, "a")
    }
}

#[test]
fn a_sign_out_takes_all_of_the_account_but_other_clients_refresh_tokens() {
    let extended = AccessToken { extension: Some("x".into()), ..access_token("extended", "a") };
    let bound = AccessToken { key_id: Some(foreign("k")), ..access_token("bound", "a") };
    let of_other_client =
        AccessToken { client_id: Some(client("d")), ..access_token("other AT", "a") };
    let of_other_user =
        AccessToken { home_account_id: Some(home("v")), ..access_token("other user's AT", "a") };
    let mut cache = cache_of([
        access_token("AT", "a").entry(),
        extended.entry(),
        bound.entry(),
        of_other_client.entry(),
        of_other_user.entry(),
        id_token("IDT").entry(),
        account("u", "t", 1).entry(),
        account("v", "t", 1).entry(),
        app("c", None).entry(),
        of_client("C", None, "own RT").entry(),
        of_client("d", None, "other RT").entry(),
        of_client("e", Some("1"), "family RT").entry(),
    ]);
    let changes = cache.plan_sign_out(&[HOST], &home("u"), Some(&client("c")));
    let revocable: Vec<_> = changes
        .iter()
        .filter_map(Change::removed_refresh_token)
        .map(|token| token.secret.expose())
        .collect();
    assert_eq!(revocable, ["own RT"]);
    assert_eq!(left(&mut cache, &changes), ["family RT", "other RT", "other user's AT"]);
    assert!(cache.account(HOST, &home("u")).is_none());
    assert_eq!((cache.counts().accounts, cache.counts().app_metadata), (1, 1));
}

#[test]
fn a_member_of_a_family_signs_out_of_the_whole_family() {
    let mut cache = cache_of([
        app("c", Some("1")).entry(),
        of_client("c", Some("1"), "own").entry(),
        of_client("d", Some("1"), "sibling").entry(),
        of_client("e", Some("2"), "other family").entry(),
        of_client("f", None, "no family").entry(),
    ]);
    // The family was learnt under one of the provider's hosts, and holds for all of them.
    let changes = cache.plan_sign_out(&["alias.contoso.com", HOST], &home("u"), Some(&client("c")));
    assert_eq!(left(&mut cache, &changes), ["no family", "other family"]);
}

#[test]
fn an_application_drops_its_own_tokens_of_all_tenants_and_no_others() {
    let own = |token: &str, realm: &str, extension: Option<&str>, client_id: &str| AccessToken {
        home_account_id: None,
        realm: realm.into(),
        extension: extension.map(Into::into),
        client_id: Some(client(client_id)),
        ..access_token(token, "a")
    };
    let mut cache = cache_of([
        own("1", "t1", None, "c").entry(),
        own("2", "t2", Some("x"), "C").entry(),
        own("other app's", "t1", None, "d").entry(),
        access_token("a user's", "a").entry(),
    ]);
    let changes = cache.plan_remove_app_tokens(&[HOST], Some(&client("c")));
    assert_eq!(left(&mut cache, &changes), ["a user's", "other app's"]);
}

#[test]
fn a_dead_refresh_token_is_dropped_unless_it_was_replaced_meanwhile() {
    let used = refresh_token("dead", "a");
    let mut cache = cache_of([used.clone().entry()]);
    let changes = cache.plan_forget_refresh_token(&used);
    assert!(left(&mut cache, &changes).is_empty());
    assert!(!cache.has_refresh_token_in(HOST));

    let replaced = cache_of([refresh_token("alive", "a").entry()]);
    assert!(replaced.plan_forget_refresh_token(&used).is_empty());
}

#[test]
fn of_many_documents_those_that_were_fetched_last_are_kept() {
    let mut cache = TokenCache::default();
    let mut keep = |url: &str, fetched_at| {
        let fetched_at = UnixTime::from_seconds(fetched_at);
        let changes =
            cache.plan_document(Document { url: url.into(), fetched_at, body: "{}".into() }, 3);
        cache.apply(&changes);
        let known = |url: &&str| cache.document(url).is_some();
        ["a", "b", "c", "d", "e"].into_iter().filter(known).collect::<String>()
    };
    for (url, fetched_at, expected) in [
        ("a", 1, "a"),
        ("b", 2, "ab"),
        ("c", 3, "abc"),
        ("a", 4, "abc"),
        ("d", 5, "acd"),
        ("e", 6, "ade"),
    ] {
        assert_eq!(keep(url, fetched_at), expected, "{url} at {fetched_at}");
    }
}
