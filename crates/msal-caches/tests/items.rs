//! Caches in a real Secret Service, as other libraries keep them.
//!
//! `tests/with-keyring.sh` starts one, has `tests/store.py` fill it, and runs this file with the keyring `unlocked`, `locked`
//! or `absent`, as `VALETKEY_TEST_SECRET_SERVICE` says. Without that the tests say so and do nothing: the keyring of the
//! person who runs them is none of their business.
#![cfg(all(unix, not(target_os = "macos")))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use valetkey_msal_caches::{Places, Product, Source, SourceError, find, read};

const LIMIT: usize = 1024;

/// The file that msal-extensions keeps beside its item, if the keyring is in this state.
fn signal(state: &str) -> Option<Source> {
    match std::env::var("VALETKEY_TEST_SECRET_SERVICE") {
        Ok(actual) if actual == state => {
            let path = std::env::var_os("VALETKEY_TEST_SIGNAL").unwrap();
            Some(Source::File(PathBuf::from(path)))
        }
        Ok(_) => None,
        Err(_) => {
            println!(
                "skipped: no keyring of its own; run crates/msal-caches/tests/with-keyring.sh"
            );
            None
        }
    }
}

fn kept_by(name: &str) -> String {
    format!("{{\"Account\": {{}}, \"kept by\": \"{name}\"}}")
}

fn attributes(of: &[(&str, &str)]) -> Source {
    Source::Keyring(of.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect())
}

#[test]
fn the_items_of_the_well_known_products_are_found_and_read_in_either_shape() {
    if signal("unlocked").is_none() {
        return;
    }
    let (found, refusal) = find(&Places::default());
    assert!(refusal.is_none(), "{refusal:?}");
    let read_all = |product: Product| {
        let of_product = found.iter().filter(|it| it.product == product);
        let mut texts: Vec<String> =
            of_product.map(|it| read(&it.source, LIMIT).unwrap().to_string()).collect();
        texts.sort();
        texts
    };
    assert_eq!(read_all(Product::AzureCli), [kept_by("azure-cli")]);
    let identity = [".NET", "JavaScript", "Python"];
    let identity = identity.map(|language| kept_by(&format!("azure-identity for {language}")));
    assert_eq!(read_all(Product::AzureIdentity), identity);
}

#[test]
fn an_item_of_msal_extensions_is_found_by_the_file_beside_it() {
    let Some(signal) = signal("unlocked") else { return };
    assert_eq!(*read(&signal, LIMIT).unwrap(), kept_by("msal-extensions"));
    assert!(matches!(read(&signal, 10), Err(SourceError::TooLarge { limit: 10 })));
    let Source::File(path) = &signal else { return };
    let empty = path.with_file_name("no-signal");
    std::fs::File::create(&empty).unwrap();
    let error = read(&Source::File(empty), LIMIT).unwrap_err().to_string();
    assert!(error.contains("no item named after it"), "{error}");
}

#[test]
fn any_item_is_found_by_its_attributes_if_they_are_enough() {
    if signal("unlocked").is_none() {
        return;
    }
    let mine = attributes(&[("service", "mine"), ("account", "me")]);
    assert_eq!(*read(&mine, LIMIT).unwrap(), kept_by("a program of msal-node"));
    let nobodys = attributes(&[("service", "nobody's")]);
    assert!(matches!(read(&nobodys, LIMIT), Err(SourceError::NoItem)));
    let several = attributes(&[("MsalClientID", "Microsoft.Developer.IdentityService")]);
    assert!(matches!(read(&several, LIMIT), Err(SourceError::SeveralItems { count: 2 })));
}

#[test]
fn a_keyring_that_is_locked_and_stays_so_is_an_error() {
    let Some(signal) = signal("locked") else { return };
    let error = read(&signal, LIMIT).unwrap_err().to_string();
    assert!(error.contains("ask the keyring"), "{error}");
}

#[test]
fn where_there_is_no_keyring_files_are_found_all_the_same() {
    let Some(signal) = signal("absent") else { return };
    let folder = std::env::temp_dir();
    let (_, refusal) = find(&Places { azure_config: Some(folder), ..Places::default() });
    assert!(matches!(refusal, Some(SourceError::Keyring(_))), "{refusal:?}");
    let error = read(&signal, LIMIT).unwrap_err().to_string();
    assert!(error.contains("is empty") && error.contains("ask the keyring"), "{error}");
}
