//! What no single value of a configuration can say: numbers in their bounds, and members that go together.

use std::path::Path;

use valetkey_model::{Authority, AuthorityOptions, ScopeSet};

use super::{AppConfig, AppKind, Config, ConfigError, CredentialConfig, RuleConfig, SecretPlace};
use crate::from_wire;

pub(super) fn check(path: &Path, content: &str, config: &Config) -> Result<(), ConfigError> {
    check_network(path, content, config)?;
    check_endpoints(path, content, config)?;
    if let Some(pinentry) = config.policy.pinentry.as_ref().filter(|path| !path.is_absolute()) {
        let text = format!("`pinentry` is {pinentry:?}; give its absolute path");
        return Err(ConfigError::at_key(path, content, "pinentry", text));
    }
    for (index, rule) in config.rules.iter().enumerate() {
        if (RuleConfig { name: None, ..rule.clone() }) == RuleConfig::default() {
            let text =
                "a rule says nothing; write whom it fits, and what is allowed, or take it out";
            let text = text.to_owned();
            return Err(ConfigError::at_nth_key(path, content, "[[rules]]", index, text));
        }
        if let Err((key, problem)) = check_rule(rule) {
            return Err(ConfigError::at_key(path, content, &key, problem));
        }
    }
    for (name, app) in &config.apps {
        if let Err(problem) = check_app(name, app) {
            // A quoted key may have anything in it.
            let text = format!("application `{}` {problem}", name.escape_debug());
            return Err(ConfigError::at_key(path, content, &format!("apps.{name}"), text));
        }
    }
    Ok(())
}

fn check_network(path: &Path, content: &str, config: &Config) -> Result<(), ConfigError> {
    let limits =
        [("connect_timeout", config.network.connect_timeout), ("timeout", config.network.timeout)];
    for (key, seconds) in limits {
        if !(1..=600).contains(&seconds) {
            let text = format!("`{key}` is {seconds}; it must be 1 to 600 seconds");
            return Err(ConfigError::at_key(path, content, key, text));
        }
    }
    Ok(())
}

/// The value to look for in the file, and what is wrong with it.
fn check_rule(rule: &RuleConfig) -> Result<(), (String, String)> {
    for program in rule.programs.iter().flatten() {
        if !program.is_absolute() {
            let text = format!("a rule names the program {program:?}; give its absolute path");
            return Err((program.display().to_string(), text));
        }
    }
    for unit in rule.units.iter().flatten() {
        if !unit.contains('.') {
            let text = format!("a rule names the unit {unit:?}; write it as \"{unit}.service\"");
            return Err((unit.clone(), text));
        }
    }
    for scope in rule.scopes.iter().flatten() {
        if let Err(error) = ScopeSet::new([scope]) {
            return Err((scope.clone(), format!("a rule names a scope that cannot be: {error}")));
        }
    }
    for site in rule.authorities.iter().flatten() {
        if site.contains('/') {
            let text = format!("a rule names the authority {site:?}; give its host alone");
            return Err((site.clone(), text));
        }
    }
    Ok(())
}

/// What they say is believed about where to sign in.
fn check_endpoints(path: &Path, content: &str, config: &Config) -> Result<(), ConfigError> {
    let options = AuthorityOptions { oidc: true, validate: true };
    for (key, url) in config.instance_discovery_endpoints() {
        // What is no safe place to sign in is none to ask about such places.
        if Authority::parse(url, options).is_err() {
            let text = format!(
                "`{key}` must be a URL that begins with https:// (http:// is for loopback addresses only)"
            );
            return Err(ConfigError::at_key(path, content, key, text));
        }
    }
    Ok(())
}

fn check_app(name: &str, app: &AppConfig) -> Result<(), String> {
    if app.authority.is_some() && app.oidc_authority.is_some() {
        return Err("has both `authority` and `oidc_authority`; keep one".to_owned());
    }
    if app.client_id.is_empty() {
        let problem = "has an empty `client_id`; take it from the provider's registration page";
        return Err(problem.to_owned());
    }
    check_definition(app)?;
    match (app.kind, &app.credential) {
        (AppKind::Public, _) => check_public(app),
        (AppKind::Confidential, None) => Err(format!(
            "is confidential and has no credential; write [apps.{name}.credential] with `secret`, `private_key` or `pfx`"
        )),
        (AppKind::Confidential, Some(credential)) => {
            check_programs(app)?;
            check_credential(credential)
                .map_err(|problem| format!("has a credential that {problem}"))
        }
    }
}

/// As whoever opens it would find out.
fn check_definition(app: &AppConfig) -> Result<(), String> {
    let definition = from_wire::definition(&app.definition());
    definition.map(drop).map_err(|problem| format!("cannot be: {problem}"))
}

/// What guards a credential would guard nothing here, where every program could define the same application.
fn check_public(app: &AppConfig) -> Result<(), String> {
    let confidential = [
        ("credential", app.credential.is_some()),
        ("programs", app.programs.is_some()),
        ("users", app.users.is_some()),
        ("azure_region", app.azure_region.is_some()),
    ];
    match confidential.iter().find(|(_, is_given)| *is_given) {
        Some((key, _)) => Err(format!("has `{key}`, which goes with `kind = \"confidential\"`")),
        None => Ok(()),
    }
}

fn check_programs(app: &AppConfig) -> Result<(), String> {
    match app.programs.iter().flatten().find(|program| !program.is_absolute()) {
        Some(program) => Err(format!("names the program {program:?}; give its absolute path")),
        None => Ok(()),
    }
}

fn check_credential(credential: &CredentialConfig) -> Result<(), String> {
    let CredentialConfig {
        secret,
        private_key,
        certificate,
        thumbprint,
        pfx,
        passphrase,
        send_certificate,
    } = credential;
    let kinds = [secret.is_some(), private_key.is_some(), pfx.is_some()];
    if kinds.into_iter().filter(|is_given| *is_given).count() != 1 {
        return Err("needs one of `secret`, `private_key` and `pfx`".to_owned());
    }
    let has_certificate = certificate.is_some() || thumbprint.is_some();
    if private_key.is_some() != has_certificate {
        return Err("needs `private_key` together with `certificate` or `thumbprint`".to_owned());
    }
    if secret.is_some() && passphrase.is_some() {
        return Err("has a `passphrase` with nothing that it would open".to_owned());
    }
    if *send_certificate && pfx.is_none() {
        return Err("has `send_certificate`, which goes with `pfx`; `certificate` is always sent"
            .to_owned());
    }
    let places = [secret, private_key, certificate, pfx, passphrase];
    places.into_iter().flatten().try_for_each(check_place)
}

fn check_place(place: &SecretPlace) -> Result<(), String> {
    match place {
        SecretPlace::File(path) if path.is_absolute() => Ok(()),
        SecretPlace::File(_) => Err("names a `file` without its absolute path".to_owned()),
        SecretPlace::SystemdCredential(name) | SecretPlace::Vault(name) if is_name(name) => Ok(()),
        SecretPlace::SystemdCredential(_) | SecretPlace::Vault(_) => {
            Err(format!("names a place that cannot be called so: {NAME_RULE}"))
        }
    }
}

/// Whether a secret can have this name.
pub fn is_name(name: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_fine) && !name.starts_with('.')
}

/// How a secret can be called.
pub const NAME_RULE: &str = "1 to 64 letters, digits, `.`, `_` and `-`, the first no `.`";
