//! The configuration file: what is taken is within its bounds, and no refusal repeats a secret that somebody wrote into it.

use std::path::Path;

use serde_json::Value;
use url::Url;
use valetkey_proto::v1::OpenAppRequest;
use valetkeyd::config::{AppKind, Config, ConfigError, is_name, parse};
use valetkeyd::from_wire;

use crate::authority::is_loopback;
use crate::input::{Input, assert_error_silent, is_only_in_secrets};

/// A TOML file.
pub fn run(data: &[u8]) {
    let Some(text) = Input::new(data).text() else { return };
    match parse(Path::new("/c.toml"), text) {
        Ok(config) => check(&config),
        Err(error) => check_refusal(text, &error),
    }
}

fn check(config: &Config) {
    for seconds in [config.network.timeout(), config.network.connect_timeout()] {
        assert!((1..=600).contains(&seconds.as_secs()));
    }
    assert_eq!(config.waiting_for_restart(config, false), [""; 0], "differs from itself");
    for (_, url) in config.instance_discovery_endpoints() {
        let url = Url::parse(url.trim()).expect("an endpoint is a URL");
        assert!(url.scheme() == "https" || is_loopback(&url), "{url}");
    }
    for app in config.apps.values() {
        let request: OpenAppRequest = app.definition();
        assert!(from_wire::definition(&request).is_ok(), "declared, and cannot be opened");
        assert_eq!(app.credential.is_some(), app.kind == AppKind::Confidential);
        let places = app.credential.iter().flat_map(|it| it.names_in_vault());
        places.for_each(|name| assert!(is_name(name)));
        let mut programs = app.programs.iter().flatten();
        assert!(programs.all(|program| program.is_absolute()));
    }
}

fn check_refusal(text: &str, error: &ConfigError) {
    let ConfigError::Invalid { line, .. } = error else { panic!("{error}: there is no file") };
    assert!((1..=text.lines().count() + 1).contains(line), "line {line} of {text:?}");
    let shown = error.to_string();
    assert!(!shown.contains('\n'), "{shown:?} is more than one line");
    let Ok(table) = toml::from_str::<toml::Table>(text) else { return };
    let Ok(table) = serde_json::to_value(table) else { return };
    let has_canary = !is_only_in_secrets(&table, &|_| false);
    if has_canary && is_only_in_secrets(&table, &is_secret) && !has_canary_in_keys(&table) {
        assert_error_silent(error);
    }
}

/// What somebody who does not know where secrets belong writes one behind.
fn is_secret(name: &str) -> bool {
    ["secret", "client_secret", "password", "passphrase", "private_key", "pfx", "credential"]
        .contains(&name)
}

/// A name is repeated in the text that says that there is none such.
fn has_canary_in_keys(value: &Value) -> bool {
    match value {
        Value::Object(members) => {
            members.iter().any(|(name, value)| name.contains("CANARY") || has_canary_in_keys(value))
        }
        Value::Array(values) => values.iter().any(has_canary_in_keys),
        _ => false,
    }
}
