//! Finding and reading the configuration.

use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use valetkey_model::UnixTime;
use valetkey_safe_path::{PathError, Readers};
use zeroize::Zeroizing;

use super::check::check;
use super::{Config, ConfigError, KeyName, ServiceConfig, VaultConfig};
use crate::paths::{self, Lookup};
use crate::users::{Directory, Found};

/// Where the configuration is looked for.
#[derive(Clone, Debug)]
pub struct Source {
    /// In the order of looking; the first that exists is the one.
    files: Vec<PathBuf>,
    /// Somebody named the file, so it must be there.
    is_chosen: bool,
    /// The daemon is the system's, so that `[service]` is for it.
    is_for_system: bool,
    directory: Directory,
    /// The administrator's file, which users' own daemons read as well.
    shared: Option<PathBuf>,
    /// systemd has given this daemon credentials.
    has_credentials: bool,
}

/// A configuration, and the file it came from, if there was one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// What it says.
    pub config: Config,
    /// Where it says so.
    pub file: Option<PathBuf>,
    /// The users whom its rules name.
    pub users: Found,
}

/// By what a change of the file shows. Two of the same are of the same content, unless the file was written again within
/// the file system's unit of time; [`Stamp::is_settled`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    file: PathBuf,
    identity: (u64, u64),
    size: u64,
    /// Since 1970, in nanoseconds; where the platform tells, the later of the content's and the inode's.
    changed: u128,
}

impl Source {
    /// The file that was asked for (`--config`, else `VALETKEY_CONFIG`), else the usual ones.
    pub fn new(chosen: Option<&Path>, lookup: Lookup<'_>) -> Self {
        let chosen =
            chosen.map(PathBuf::from).or_else(|| lookup("VALETKEY_CONFIG").map(PathBuf::from));
        let is_chosen = chosen.is_some();
        let files = chosen.map_or_else(|| paths::config_files(lookup), |file| vec![file]);
        Self {
            is_chosen,
            shared: paths::shared_config_file(lookup).filter(|_| !is_chosen),
            has_credentials: lookup("CREDENTIALS_DIRECTORY").is_some(),
            ..Self::among(files)
        }
    }

    fn among(files: Vec<PathBuf>) -> Self {
        let directory = Directory::default();
        Self {
            files,
            is_chosen: false,
            is_for_system: false,
            directory,
            shared: None,
            has_credentials: false,
        }
    }

    /// The same for a daemon of the system, or not.
    #[must_use]
    pub fn for_system(self, is_for_system: bool) -> Self {
        Self { is_for_system, ..self }
    }

    #[cfg(test)]
    pub(crate) fn of(files: Vec<PathBuf>) -> Self {
        Self::among(files)
    }

    /// The administrator's file alone, for a daemon to which systemd has given credentials, or not.
    #[cfg(test)]
    pub(super) fn shared(file: PathBuf, has_credentials: bool) -> Self {
        Self { shared: Some(file.clone()), has_credentials, ..Self::of(vec![file]) }
    }

    /// Where a configuration could be written for this daemon to read.
    pub fn preferred(&self) -> Option<&Path> {
        self.files.first().map(PathBuf::as_path)
    }

    /// How late a file is looked for; last of all comes that there is none.
    pub fn rank(&self, file: Option<&Path>) -> usize {
        let known = self.files.iter().position(|known| Some(known.as_path()) == file);
        known.unwrap_or(self.files.len())
    }

    /// Reads the first of the files that exists, and looks up whom its rules name. Without any file the defaults hold.
    ///
    /// # Errors
    /// When a file that was asked for is missing, any file is invalid, or a user is not known.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        for file in &self.files {
            match read(file) {
                Ok(content) => {
                    let mut config = parse(file, &content)?;
                    if !self.is_for_system {
                        self.drop_what_is_the_services(file, &mut config);
                    }
                    let users = self.find_users(&config, file, &content)?;
                    return Ok(Loaded { config, file: Some(file.clone()), users });
                }
                Err(ConfigError::Unreadable { source, .. })
                    if is_absent(&source) && !self.is_chosen => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Loaded::default())
    }

    /// A rule for somebody who is not there would fit nobody, and leave to the next rule what it was to deny.
    fn find_users(
        &self,
        config: &Config,
        file: &Path,
        content: &str,
    ) -> Result<Found, ConfigError> {
        let named = config.rules.iter().filter_map(|rule| rule.users.as_ref());
        self.directory.find(named.flatten().cloned().collect()).map_err(|error| {
            let key = error.user.to_string();
            ConfigError::at_key(file, content, &key, format!("a rule names {error}"))
        })
    }

    /// Users' own daemons read the administrator's file as well. A key that only systemd can give to the service would keep
    /// them from starting.
    fn drop_what_is_the_services(&self, file: &Path, config: &mut Config) {
        config.service = ServiceConfig::default();
        let is_shared = self.shared.as_deref() == Some(file);
        if is_shared && !self.has_credentials && config.vault.key == KeyName::Credential {
            config.vault.key = KeyName::Auto;
        }
    }

    /// What the file that would be read looks like from outside; `None` when none is there, or it cannot be looked at.
    pub fn stamp(&self) -> Option<Stamp> {
        self.files.iter().find_map(|file| Some(Stamp::new(file, &file.metadata().ok()?)))
    }
}

impl Stamp {
    fn new(file: &Path, metadata: &Metadata) -> Self {
        let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let (identity, inode_changed) = identify(metadata);
        let changed = modified.unwrap_or_default().as_nanos().max(inode_changed);
        Self { file: file.into(), identity, size: metadata.len(), changed }
    }

    /// Whether what is written from `now` on must show: the unit of time is two seconds at most (FAT).
    pub fn is_settled(&self, now: UnixTime) -> bool {
        let seconds = i64::try_from(self.changed / 1_000_000_000).unwrap_or(i64::MAX);
        seconds.saturating_add(2) < now.seconds()
    }
}

#[cfg(unix)]
fn identify(metadata: &Metadata) -> ((u64, u64), u128) {
    use std::os::unix::fs::MetadataExt as _;

    let nanoseconds =
        i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    ((metadata.dev(), metadata.ino()), u128::try_from(nanoseconds).unwrap_or_default())
}

#[cfg(not(unix))]
fn identify(metadata: &Metadata) -> ((u64, u64), u128) {
    let created = metadata.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    let created = u64::try_from(created.unwrap_or_default().as_nanos()).unwrap_or_default();
    ((0, created), 0)
}

/// Reads a configuration from its text; `path` is for messages.
///
/// # Errors
/// With the line and what is wrong there.
pub fn parse(path: &Path, content: &str) -> Result<Config, ConfigError> {
    let config: Config =
        toml::from_str(content).map_err(|error| ConfigError::from_toml(path, content, &error))?;
    check(path, content, &config)?;
    Ok(config)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    valetkey_safe_path::read_file(path, Readers::Anybody, LIMIT).map_err(|error| match error {
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
        let content =
            Zeroizing::new(valetkey_safe_path::read_file(path, Readers::OwnerAlone, LIMIT)?);
        Ok(Some(Zeroizing::new(content.lines().next().unwrap_or_default().to_owned())))
    }
}

/// How long a configuration may be, in bytes: room for ten thousand applications.
const LIMIT: usize = 4 * 1024 * 1024;

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
