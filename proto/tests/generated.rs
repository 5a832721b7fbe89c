//! The generated files are what the source says. With `UPDATE_GENERATED=1` they are written instead of compared.
#![expect(clippy::unwrap_used, reason = "a test says what failed by panicking")]

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use valetkey_proto::openapi::{error_codes_markdown, openapi_json};
use valetkey_proto::v1::{ERROR_CODES, paths};

fn committed(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[expect(clippy::disallowed_methods, reason = "a source file, which version control keeps safe")]
fn check(name: &str, generated: &str, is_same: impl Fn(&str) -> bool) {
    let path = committed(name);
    if std::env::var_os("UPDATE_GENERATED").is_some_and(|value| value == "1") {
        fs::write(&path, generated).unwrap();
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        is_same(&found),
        "{name} is out of date; UPDATE_GENERATED=1 cargo test -p valetkey-proto writes it"
    );
}

#[test]
fn generated_openapi_is_committed() {
    let document = openapi_json();
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    // Compared as values: the order of members depends on the features that other packages switch on.
    check("openapi.json", &text, |found| {
        serde_json::from_str::<Value>(found).is_ok_and(|found| found == document)
    });
}

#[test]
fn generated_error_codes_are_committed() {
    let text = error_codes_markdown();
    check("error-codes.md", &text, |found| found == text);
}

#[test]
fn generated_openapi_refers_to_nothing_that_is_not_there() {
    let document = openapi_json();
    let mut references = Vec::new();
    collect_references(&document, &mut references);
    assert!(references.len() > 20, "{references:?}");
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

fn collect_references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_references(item, found)),
        _ => {}
    }
}

#[test]
fn generated_openapi_has_every_route_and_refuses_misspelt_members() {
    let document = openapi_json();
    for route in [
        paths::route::STATUS,
        paths::route::OPENAPI,
        paths::route::APPS,
        paths::route::APP,
        paths::route::ACCOUNTS,
        paths::route::ACCOUNT,
        paths::route::TOKEN,
        paths::route::FLOWS,
        paths::route::FLOW,
        paths::route::COMPLETE,
        paths::route::EVENTS,
        paths::route::LOCK,
        paths::route::UNLOCK,
    ] {
        assert!(document["paths"][route].is_object(), "{route}");
    }
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["TokenRequest"]["additionalProperties"], false);
    assert!(schemas["TokenResponse"]["additionalProperties"] != false);
    assert!(error_codes_markdown().matches("\n| `").count() > ERROR_CODES.len());
}
