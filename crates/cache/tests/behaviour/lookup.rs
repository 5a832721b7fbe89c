//! Which token a query finds.

use valetkey_cache::{AccessToken, AccessTokenQuery, Document, Entry, KeyId};

use crate::support::*;

/// The secret that is found for `wanted` at 2000, when it must last five more minutes.
fn find(tokens: &[AccessToken], wanted: &str) -> Option<String> {
    let cache = cache_of(tokens.iter().cloned().map(IntoEntry::entry));
    let (like, wanted) = (access_token("", ""), scopes(wanted));
    let found = cache.find_access_token(&query(&like, &wanted), at(2000), 300);
    found.map(|token| token.secret.expose().to_owned())
}

fn ending(token: &str, target: &str, expires_on: i64) -> AccessToken {
    AccessToken { expires_on: at(expires_on), ..access_token(token, target) }
}

#[test]
fn the_exact_token_wins_then_the_longest_living_superset() {
    let exact = ending("exact", "a b", 2500);
    let short = ending("short", "a b c", 3000);
    let long = ending("long", "a b d", 4000);
    let narrow = ending("narrow", "a", 9000);
    let tokens = [exact, short, long, narrow];
    for (tokens, wanted, expected) in [
        (&tokens[..], "a b", Some("exact")),
        (&tokens[1..], "b a", Some("long")),
        (&tokens[1..], "a c", Some("short")),
        (&tokens[..], "a", Some("narrow")),
        (&tokens[..], "", Some("narrow")),
        (&tokens[..], "a e", None),
        (&tokens[..], "A", None),
    ] {
        assert_eq!(find(tokens, wanted).as_deref(), expected, "{wanted:?}");
    }
}

#[test]
fn a_token_that_ends_too_soon_is_not_found_and_hides_no_other() {
    let (soon, enough) = (ending("soon", "a", 2299), ending("enough", "a", 2300));
    assert_eq!(find(std::slice::from_ref(&soon), "a"), None);
    assert_eq!(find(std::slice::from_ref(&enough), "a").as_deref(), Some("enough"));
    assert_eq!(find(&[soon, ending("wider", "a b", 2300)], "a").as_deref(), Some("wider"));
}

#[test]
fn a_token_is_for_its_own_account_client_tenant_extension_and_key_alone() {
    let token = access_token("AT", "a");
    let cache = cache_of([token.clone().entry()]);
    let (wanted, other_home, other_client) = (scopes("a"), home("U"), client("d"));
    let key = foreign("k");
    let own = query(&token, &wanted);
    for (what, query) in [
        ("environment", AccessTokenQuery { environment: "login.contoso.com:8443", ..own }),
        ("account", AccessTokenQuery { home_account_id: Some(&other_home), ..own }),
        ("no account", AccessTokenQuery { home_account_id: None, ..own }),
        ("client", AccessTokenQuery { client_id: Some(&other_client), ..own }),
        ("no client", AccessTokenQuery { client_id: None, ..own }),
        ("realm", AccessTokenQuery { realm: "T", ..own }),
        ("extension", AccessTokenQuery { extension: Some("x"), ..own }),
        ("key", AccessTokenQuery { key_id: Some(&key), ..own }),
    ] {
        assert!(cache.find_access_token(&query, at(2000), 0).is_none(), "{what}");
    }
    assert!(cache.find_access_token(&own, at(2000), 0).is_some());
}

#[test]
fn a_client_id_is_found_in_any_case() {
    let token = AccessToken { client_id: Some(client("ABC-def")), ..access_token("AT", "a") };
    let cache = cache_of([token.clone().entry()]);
    let (wanted, client_id) = (scopes("a"), client("abc-DEF"));
    let query = AccessTokenQuery { client_id: Some(&client_id), ..query(&token, &wanted) };
    assert!(cache.find_access_token(&query, at(2000), 0).is_some());
}

#[test]
fn scopes_that_differ_in_case_and_tokens_bound_to_two_keys_do_not_evict_each_other() {
    let bound = |key: &str| AccessToken {
        key_id: Some(foreign(key)),
        ..access_token(&format!("bound to {key}"), "a")
    };
    let tokens = [
        access_token("lower", "user.read"),
        access_token("upper", "User.Read"),
        bound("k1"),
        bound("k2"),
        AccessToken { key_id: Some(KeyId::Kept("k1".into())), ..access_token("bound here", "a") },
    ];
    let cache = cache_of(tokens.iter().cloned().map(IntoEntry::entry));
    for token in &tokens {
        let found = cache.find_access_token(&query(token, &token.scopes), at(2000), 0);
        assert_eq!(found.unwrap().secret.expose(), token.secret.expose());
    }
}

#[test]
fn refresh_tokens_come_newest_first() {
    let issued = |token: &str, target: &str, seconds: i64| {
        let token = refresh_token(token, target);
        valetkey_cache::RefreshToken { last_modified: at(seconds), ..token }.entry()
    };
    let cache = cache_of([issued("1", "a", 10), issued("3", "b", 30), issued("2", "c", 20)]);
    let order: Vec<_> =
        cache.refresh_tokens(HOST, &home("u")).map(|token| token.secret.expose()).collect();
    assert_eq!(order, ["3", "2", "1"]);
    assert!(cache.has_refresh_token_in(HOST) && !cache.has_refresh_token_in("other.example"));
    assert_eq!(cache.refresh_tokens(HOST, &home("v")).count(), 0);
}

#[test]
fn accounts_are_listed_once_each_in_the_order_of_their_first_sign_in() {
    let cache = cache_of([
        account("b", "home", 10).entry(),
        account("a", "home", 20).entry(),
        account("b", "guest", 30).entry(),
    ]);
    let names: Vec<_> =
        cache.accounts(HOST).iter().map(|account| account.username.to_string()).collect();
    assert_eq!(names, ["b@guest", "a@home"]);
    assert_eq!(&*cache.account(HOST, &home("b")).unwrap().realm, "guest");
    assert!(cache.accounts("other.example").is_empty());
}

#[test]
fn an_id_token_and_a_document_are_found_by_what_they_are_of() {
    let document = Document {
        url: "https://login.contoso.com/.well-known/openid-configuration".into(),
        fetched_at: at(1),
        body: "{}".into(),
    };
    let cache =
        cache_of([id_token("IDT").entry(), Entry::Document(std::sync::Arc::new(document.clone()))]);
    let found = |client_id: &str, realm: &str| {
        cache.id_token(HOST, &home("u"), &client(client_id), realm).is_some()
    };
    assert!(found("C", "t") && !found("d", "t") && !found("c", "T"));
    assert!(cache.document(&document.url).is_some() && cache.document("https://x").is_none());
}
