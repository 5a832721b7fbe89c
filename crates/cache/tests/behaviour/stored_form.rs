//! The bytes that the vault keeps.

use std::sync::Arc;

use serde_json::json;
use valetkey_cache::{
    AccessToken, Account, Answer, DecodeError, Document, Entry, FORMAT_VERSION, Foreign, KeyId,
    TokenCache,
};

use crate::support::*;

fn one_of_each() -> Vec<Entry> {
    let extra = json!({"ext": {"a": [1, null]}, "name": "Zoë"}).as_object().cloned().map(Box::new);
    let full = AccessToken {
        extension: Some("x".into()),
        key_id: Some(foreign("k")),
        refresh_on: Some(at(-5)),
        extra: extra.clone(),
        ..access_token("AT", "a b")
    };
    let account = Account { extra, account_source: Some("broker".into()), ..account("u", "t", 7) };
    let document = Document { url: "https://x".into(), fetched_at: at(9), body: "{}".into() };
    let answer = Answer {
        request: "ab".into(),
        kept_at: at(9),
        until: at(69),
        status: "429".into(),
        retry_after: Some("60".into()),
        body: "{}".into(),
    };
    let foreign = Foreign { section: "Future".into(), body: secret(r#"{"k":{"secret":"S"}}"#) };
    vec![
        full.entry(),
        AccessToken { key_id: Some(KeyId::Kept("k".into())), ..access_token("bound", "a") }.entry(),
        AccessToken { home_account_id: None, client_id: None, ..access_token("app", "") }.entry(),
        refresh_token("RT", "a").entry(),
        id_token("IDT").entry(),
        account.entry(),
        app("C", Some("1")).entry(),
        Entry::Document(Arc::new(document)),
        Entry::Answer(Arc::new(answer)),
        Entry::Foreign(Arc::new(foreign)),
    ]
}

#[test]
fn every_kind_survives_storing_with_its_unknown_members() {
    for entry in one_of_each() {
        let decoded = Entry::decode(&entry.encode()).unwrap();
        assert_eq!(decoded.key(), entry.key());
        // Debug shows all but the secrets.
        assert_eq!(format!("{decoded:?}"), format!("{entry:?}"));
        assert_eq!(secret_of(&decoded), secret_of(&entry));
        assert_eq!(decoded.encode(), entry.encode());
    }
}

#[test]
fn every_kind_has_a_key_of_its_own() {
    let entries = one_of_each();
    let mut keys: Vec<_> = entries.iter().map(|entry| entry.key().to_string()).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), entries.len());
}

#[test]
fn a_part_of_a_key_cannot_run_into_the_next() {
    let key = |realm: &str, target: &str| {
        AccessToken { realm: realm.into(), ..access_token("", target) }.entry().key()
    };
    assert_ne!(key("t|a", "b"), key("t", "a|b"));
    assert_ne!(key("t%7Ca", "b"), key("t|a", "b"));
}

#[test]
fn a_newer_format_is_refused_and_damage_is_told() {
    let mut bytes = access_token("AT", "a").entry().encode();
    for length in 0..bytes.len() {
        // A cut at the border between two members leaves a shorter list, which then lacks something.
        if let Ok(entry) = Entry::decode(&bytes[..length]) {
            assert!(matches!(entry, Entry::AccessToken(token) if token.scopes == scopes("a")));
        }
    }
    bytes[0] = FORMAT_VERSION + 1;
    let newer = DecodeError::Newer { version: FORMAT_VERSION + 1 };
    assert_eq!(Entry::decode(&bytes).unwrap_err(), newer);
    for bytes in [&[][..], &[0], &[FORMAT_VERSION], &[FORMAT_VERSION, 1, 0, b'X'], &[1, 255, 255]] {
        assert!(matches!(Entry::decode(bytes), Err(DecodeError::Damaged(_))), "{bytes:?}");
    }
}

#[test]
fn an_entry_that_has_a_member_twice_is_damaged() {
    let mut bytes = account("u", "t", 7).entry().encode();
    assert!(Entry::decode(&bytes).is_ok());
    bytes.extend_from_slice(b"\x05\0realm\0\x01\0\0\0t");
    let damaged = DecodeError::Damaged("a member is there twice");
    assert_eq!(Entry::decode(&bytes).unwrap_err(), damaged);
}

#[test]
fn no_secret_shows_in_debug_output() {
    let text =
        format!("{:?}", TokenCache::from_entries(one_of_each()).entries().collect::<Vec<_>>());
    assert!(text.contains("Secret") && !text.contains("IDT") && !text.contains("\\\"S\\\""));
}
