//! MSAL's unified JSON of other libraries, and back.

use serde_json::{Value, json};
use valetkey_cache::{Entry, TokenCache};

use crate::support::*;

fn import(text: &Value) -> TokenCache {
    TokenCache::from_entries(TokenCache::entries_from_msal_json(&text.to_string()).unwrap())
}

fn export(cache: &TokenCache) -> Value {
    serde_json::from_str(&cache.to_msal_json()).unwrap()
}

#[test]
fn the_recorded_caches_of_msal_survive_import_and_export() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../../../tests/vectors/msal/token_cache_add.json"))
            .unwrap();
    for case in cases.iter().filter(|case| case["name"] != "empty event") {
        assert_eq!(export(&import(&case["cache"])), case["cache"], "{}", case["name"]);
    }
}

#[test]
fn unknown_sections_and_members_survive_import_storing_and_export() {
    let text = json!({
        "AccessToken": {"u-login.contoso.com-accesstoken-c-t-a": {
            "credential_type": "AccessToken_With_AuthScheme", "secret": "AT", "home_account_id": "u",
            "environment": "login.contoso.com", "client_id": "c", "target": "a", "realm": "t",
            "token_type": "pop", "cached_at": "1", "expires_on": "2", "extended_expires_on": "2",
            "key_id": "K", "kid": "K", "ext": {"deep": [1]}}},
        "AppMetadata": {"appmetadata-login.contoso.com-c": {
            "client_id": "c", "environment": "login.contoso.com", "other": null}},
        "Future": {"any": {"secret": "S"}},
        "Flag": true,
    });
    let entries = TokenCache::entries_from_msal_json(&text.to_string()).unwrap();
    let stored = entries.iter().map(|entry| Entry::decode(&entry.encode()).unwrap());
    assert_eq!(export(&TokenCache::from_entries(stored)), text);
}

#[test]
fn a_cache_of_another_library_is_read_by_its_members() {
    // As MSAL.NET writes: keys of its own, numbers for times, members missing or null, a host in capitals.
    let cache = import(&json!({
        "AccessToken": {"whatever": {
            "secret": "AT", "environment": "Login.Contoso.com", "client_id": "c", "target": "b a",
            "realm": "t", "home_account_id": "u", "expires_on": 5000, "refreshOn": "4000", "kid": "K"}},
        "RefreshToken": {"u-login.contoso.com-refreshtoken-1--": {
            "secret": "RT", "environment": "LOGIN.CONTOSO.COM", "client_id": "c", "family_id": "1",
            "home_account_id": "u", "realm": null}},
        "IdToken": null,
    }));
    let wanted = scopes("a b");
    let mut like = access_token("", "");
    like.key_id = Some(foreign("K"));
    let token = cache.find_access_token(&query(&like, &wanted), at(4000), 300).unwrap();
    assert_eq!((token.refresh_on, &*token.token_type), (Some(at(4000)), "Bearer"));
    let refresh_token = cache.refresh_tokens(HOST, &home("u")).next().unwrap();
    assert_eq!((refresh_token.secret.expose(), refresh_token.last_modified), ("RT", at(0)));
}

#[test]
fn a_refresh_token_under_another_librarys_key_is_not_doubled_when_it_rotates() {
    let entry = |secret: &str, time: Value| {
        json!({"secret": secret, "environment": HOST, "client_id": "c", "home_account_id": "u",
               "target": "a", "last_modification_time": time})
    };
    let mut cache = import(&json!({"RefreshToken": {
        "u-login.contoso.com-refreshtoken-1--": entry("stale", json!("10")),
        "u-login.contoso.com-refreshtoken-c--a": entry("newest", json!(30)),
        "yet another key": entry("older", Value::Null),
    }}));
    assert_eq!(secrets(&cache), ["newest"]);
    let used = cache.refresh_tokens(HOST, &home("u")).next().unwrap().clone();
    let changes = cache.plan_refresh(&used, &sign_in("c", "a", 2).event(), at(50));
    cache.apply(&changes);
    assert_eq!(export(&cache)["RefreshToken"].as_object().unwrap().len(), 1);
    assert_eq!(secrets(&cache), ["AT2", "IDT2", "RT2"]);
}

#[test]
fn what_msals_keys_do_not_tell_apart_is_exported_under_two_keys() {
    let tokens = [access_token("lower", "user.read"), access_token("upper", "User.Read")];
    let cache = cache_of(tokens.map(IntoEntry::entry));
    let exported = export(&cache);
    assert_eq!(exported["AccessToken"].as_object().unwrap().len(), 2);
    assert_eq!(secrets(&import(&exported)), ["lower", "upper"]);
}

#[test]
fn our_own_entries_and_members_stay_out_of_the_export() {
    let document =
        valetkey_cache::Document { url: "https://x".into(), fetched_at: at(1), body: "{}".into() };
    let cache =
        cache_of([account("u", "t", 77).entry(), Entry::Document(std::sync::Arc::new(document))]);
    let text = cache.to_msal_json();
    assert!(!text.contains("added_at") && !text.contains("https://x") && text.contains("u@t"));
}

#[test]
fn what_is_wrong_with_an_import_is_said_without_showing_a_secret() {
    let token = |member: &str, value: Value| {
        let mut token = json!({"secret": "hush", "environment": HOST, "home_account_id": "u",
                               "expires_on": "1", "target": "a"});
        token[member] = value;
        json!({"AccessToken": {"hush-key": token}})
    };
    for (text, expected) in [
        (json!([]), "token cache is no JSON object"),
        (json!({"Account": []}), "section \"Account\" of the token cache is no JSON object"),
        (
            json!({"IdToken": {"hush-key": "hush"}}),
            "entry 1 of section \"IdToken\" of the token cache is no JSON object",
        ),
        (token("secret", Value::Null), "member \"secret\" is missing"),
        (token("secret", json!(5)), "member \"secret\" is no text"),
        (token("environment", json!("")), "member \"environment\" is missing"),
        (token("expires_on", Value::Null), "member \"expires_on\" is missing"),
        (token("expires_on", json!("soon")), "\"expires_on\" is no time in whole seconds"),
        (token("cached_at", json!(1.5)), "\"cached_at\" is no time in whole seconds"),
        (token("client_id", json!("a\nb")), "\"client_id\" client id has a control character"),
        (json!({"Account": {"": {"environment": HOST}}}), "member \"home_account_id\" is missing"),
    ] {
        let message = match TokenCache::entries_from_msal_json(&text.to_string()) {
            Ok(_) => panic!("{text} was taken"),
            Err(error) => error.to_string(),
        };
        assert!(message.contains(expected) && !message.contains("hush"), "{text}: {message}");
    }
    assert!(TokenCache::entries_from_msal_json("{").is_err());
}

#[test]
fn tokens_whose_keys_differ_in_case_alone_each_have_one_of_their_own() {
    let scopes = ["API", "Api", "aPI", "api"];
    // One of another name has what would be the next.
    let others = ["api-2"];
    let entries = scopes.iter().chain(&others).map(|scope| access_token("AT", scope).entry());
    let cache = TokenCache::from_entries(entries);
    let json: Value = serde_json::from_str(&cache.to_msal_json()).unwrap();
    let keys: Vec<_> = json["AccessToken"].as_object().unwrap().keys().cloned().collect();
    let number = |key: &String| key.rsplit_once("api").unwrap().1.to_owned();
    assert_eq!(keys.iter().map(number).collect::<Vec<_>>(), ["", "-2", "-2-2", "-3", "-4"]);
}
