//! The configuration: one TOML file, all of it optional.
//!
//! `packaging/config.schema.json` is generated from these types, so their comments are what a person reads in an editor.

mod app;
mod check;
mod error;
mod load;
mod rule;
mod service;
mod user;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use valetkey_proto::v1::InstanceDiscovery;
use valetkey_vault::{KeyChoice, KeyProvider};

pub use app::{AppConfig, AppKind, CredentialConfig, SecretPlace};
pub use check::{NAME_RULE, is_name};
pub use error::ConfigError;
pub use load::{Loaded, Source, Stamp, parse};
pub use rule::{ConsentName, RuleConfig};
pub use service::{Everybody, Members, ServiceConfig, Users};
pub use user::UserName;

/// valetkeyd's configuration. Every section and every key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How the stored tokens are protected.
    pub vault: VaultConfig,
    /// Client applications by name, for `valetkey token <name>`.
    pub apps: BTreeMap<String, AppConfig>,
    /// How providers are reached.
    pub network: NetworkConfig,
    /// What callers may ask for.
    pub policy: PolicyConfig,
    /// What particular programs may ask for: the first that fits decides.
    pub rules: Vec<RuleConfig>,
    /// Whom a daemon of the system serves, that was started as `valetkeyd --system`. Any other one serves its own user alone,
    /// whatever stands here.
    pub service: ServiceConfig,
}

impl Config {
    /// Whether other users than the daemon's own are served.
    pub fn serves_several(&self) -> bool {
        self.service.users.is_some()
    }

    /// What may be asked in Microsoft's place about a host, each with the key that names it.
    pub fn instance_discovery_endpoints(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let listed = self.policy.instance_discovery_endpoints.iter().map(String::as_str);
        let of_apps = self.apps.values().filter_map(|app| match &app.instance_discovery {
            Some(InstanceDiscovery::Endpoint(url)) => Some(("instance_discovery", url.as_str())),
            _ => None,
        });
        listed.map(|url| ("instance_discovery_endpoints", url)).chain(of_apps)
    }

    /// The settings of this configuration that differ from those of `started` and that a daemon reads at its start alone. A
    /// store whose key is settled keeps it, whatever the configuration says.
    pub fn waiting_for_restart(&self, started: &Self, has_key: bool) -> Vec<&'static str> {
        let settings = [
            ("policy.pinentry", self.policy.pinentry != started.policy.pinentry),
            ("vault.key", !has_key && self.vault.key != started.vault.key),
            ("vault.passphrase_file", self.vault.passphrase_file != started.vault.passphrase_file),
            ("vault.lock_on", self.vault.lock_on != started.vault.lock_on),
            (
                "network.connect_timeout",
                self.network.connect_timeout != started.network.connect_timeout,
            ),
            ("network.timeout", self.network.timeout != started.network.timeout),
            ("service.users", self.serves_several() != started.serves_several()),
        ];
        settings.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }
}

/// How the stored tokens are protected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct VaultConfig {
    /// Where the key is that protects a new store. That of a store moves with `valetkey key rotate --provider`, and to
    /// the place that is said here alone. The environment's VALETKEY_KEY_PROVIDER goes before it. `"credential"` in the file
    /// of the whole machine is for the system's service: a user's own daemon, without a credential, takes it for `"auto"`.
    pub key: KeyName,
    /// A file that only you can read, whose first line is the passphrase; without it `valetkey unlock` asks for one.
    pub passphrase_file: Option<PathBuf>,
    /// Seconds without a token after which the store is locked, until `valetkey unlock`; 0 is never. Where several users are
    /// served, each one's part by itself. A change is noticed within a minute.
    pub lock_after_idle: u64,
    /// When else it is locked: with the screen, and before the machine sleeps. systemd-logind tells of both.
    pub lock_on: Vec<LockOn>,
}

/// What the store is locked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum LockOn {
    /// The screen of one of the user's sessions. It unlocks a store that needs no passphrase, too. Where several users are
    /// served, their own part alone.
    Screen,
    /// The machine's sleep.
    Sleep,
}

impl LockOn {
    /// As the configuration calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Screen => "screen",
            Self::Sleep => "sleep",
        }
    }
}

/// Where the key is that protects the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum KeyName {
    /// The first that works, in the order below; or the one that the store has.
    #[default]
    Auto,
    /// The operating system's keyring.
    Keyring,
    /// A systemd credential named `valetkey-key`.
    Credential,
    /// A passphrase that a person knows.
    Passphrase,
    /// A file beside the store: better than nothing, and no more than that.
    File,
}

impl From<KeyName> for KeyChoice {
    fn from(name: KeyName) -> Self {
        match name {
            KeyName::Auto => Self::Auto,
            KeyName::Keyring => Self::Only(KeyProvider::Keyring),
            KeyName::Credential => Self::Only(KeyProvider::Credential),
            KeyName::Passphrase => Self::Only(KeyProvider::Passphrase),
            KeyName::File => Self::Only(KeyProvider::File),
        }
    }
}

/// How providers are reached. HTTPS_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR of the environment apply as well.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct NetworkConfig {
    /// Seconds to wait for a connection.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 600)))]
    pub connect_timeout: u64,
    /// Seconds to wait for the whole answer.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 600)))]
    pub timeout: u64,
}

impl NetworkConfig {
    /// How long to wait for a connection.
    pub fn connect_timeout(&self) -> Duration {
        Duration::from_secs(self.connect_timeout)
    }

    /// How long to wait for the whole answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self { connect_timeout: 10, timeout: 30 }
    }
}

/// What callers may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct PolicyConfig {
    /// The only providers that may be spoken to, as `host` or `host:port`. Any by default; none where several users are served.
    pub authorities: Option<Vec<String>>,
    /// Hosts that may be asked for managed identities, beside IMDS and, where one user is served, this machine (loopback) and
    /// link-local addresses.
    pub managed_identity_hosts: Vec<String>,
    /// URLs that may be asked in Microsoft's place whether a host is one of its clouds: what an application may give as
    /// `instance_discovery`. Those of the applications of this file may be asked as well.
    pub instance_discovery_endpoints: Vec<String>,
    /// Whether `valetkey cache export` is refused to everybody. By default it is where several users are served: there it would
    /// give a user's programs what they cannot have without it.
    pub forbid_cache_export: Option<bool>,
    /// Whether nobody may sign in by a device code: who is lured into typing somebody else's signs that somebody in.
    pub forbid_device_code: bool,
    /// Whether the person is asked before a program uses an account that another program has signed in. A yes is to the scopes
    /// that were asked for: cached tokens that are good for more are no answer, and fields of the program's own are bounded as
    /// `scopes` of a rule does it.
    pub consent: ConsentName,
    /// The program that asks the person where no desktop shows notifications, by its absolute path; the `pinentry` of PATH by
    /// default. Read at the daemon's start.
    pub pinentry: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
