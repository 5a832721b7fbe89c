//! Finding and reading the configuration.

use std::io;
use std::path::{Path, PathBuf};

use valetkey_safe_path::{PathError, Readers};
use zeroize::Zeroizing;

use super::{Config, ConfigError, VaultConfig};
use crate::paths::{self, Lookup};

/// Reads the file that was asked for (`--config`, else `VALETKEY_CONFIG`), else the first of the usual ones that exists.
/// Without any file the defaults hold.
///
/// # Errors
/// When a file that was asked for is missing, or any file is invalid.
pub fn load(chosen: Option<&Path>, lookup: Lookup<'_>) -> Result<Config, ConfigError> {
    let chosen = chosen.map(PathBuf::from).or_else(|| lookup("VALETKEY_CONFIG").map(PathBuf::from));
    if let Some(path) = chosen {
        let content = read(&path)?;
        return parse(&path, &content);
    }
    for path in paths::config_files(lookup) {
        match read(&path) {
            Ok(content) => return parse(&path, &content),
            Err(ConfigError::Unreadable { source, .. }) if is_absent(&source) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(Config::default())
}

/// Reads a configuration from its text; `path` is for messages.
///
/// # Errors
/// With the line and what is wrong there.
pub fn parse(path: &Path, content: &str) -> Result<Config, ConfigError> {
    let config: Config =
        toml::from_str(content).map_err(|error| ConfigError::from_toml(path, content, &error))?;
    check_network(path, content, &config)?;
    check_apps(path, content, &config)?;
    Ok(config)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    valetkey_safe_path::read_file(path, Readers::Anybody).map_err(|error| match error {
        PathError::Io { path, source, .. } => ConfigError::Unreadable { path, source },
        reason => ConfigError::Unsafe { path: path.into(), reason },
    })
}

impl VaultConfig {
    /// The first line of the passphrase file, if there is one.
    ///
    /// # Errors
    /// When it cannot be read, or others can read it too.
    pub fn read_passphrase(&self) -> Result<Option<Zeroizing<String>>, PathError> {
        let Some(path) = &self.passphrase_file else { return Ok(None) };
        let content = Zeroizing::new(valetkey_safe_path::read_file(path, Readers::OwnerAlone)?);
        Ok(Some(Zeroizing::new(content.lines().next().unwrap_or_default().to_owned())))
    }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
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

fn check_apps(path: &Path, content: &str, config: &Config) -> Result<(), ConfigError> {
    for (name, app) in &config.apps {
        let problem = if app.authority.is_some() && app.oidc_authority.is_some() {
            "has both `authority` and `oidc_authority`; keep one"
        } else if app.client_id.is_empty() {
            "has an empty `client_id`; take it from the provider's registration page"
        } else {
            continue;
        };
        let text = format!("application `{name}` {problem}");
        return Err(ConfigError::at_key(path, content, &format!("apps.{name}"), text));
    }
    Ok(())
}
