//! Client applications that are declared by name, and where their credentials are. A credential itself is never in the
//! configuration: people show it to each other, and it is in backups and under version control.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};
use valetkey_proto::v1::{AzureRegion, ClientKind, InstanceDiscovery, OpenAppRequest};

use super::UserName;

/// A client application.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AppConfig {
    /// `public` by default.
    #[serde(default)]
    pub kind: AppKind,
    /// The client id (RFC 6749) that the provider gave it.
    pub client_id: String,
    /// Microsoft Entra ID: a URL with a tenant; `https://login.microsoftonline.com/common/` by default.
    pub authority: Option<String>,
    /// Any other OpenID Connect provider: its issuer URL. Goes with no `authority`.
    pub oidc_authority: Option<String>,
    /// Scopes that are asked for when a caller names none.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// For example `["CP1"]`; sent as the `xms_cc` claim.
    #[serde(default)]
    pub client_capabilities: Vec<String>,
    /// Scopes never added automatically, typically `["offline_access"]`.
    #[serde(default)]
    pub exclude_scopes: Vec<String>,
    /// False: the host of `authority` is not validated against Microsoft's list.
    pub validate_authority: Option<bool>,
    /// On by default; false for a sovereign or private cloud, or the URL of its discovery endpoint.
    pub instance_discovery: Option<InstanceDiscovery>,
    /// Sent to the provider as `x-app-name`.
    pub app_name: Option<String>,
    /// Sent to the provider as `x-app-ver`.
    pub app_version: Option<String>,
    /// True: tokens are bound to a key that stays in the daemon (RFC 9449); the provider must offer DPoP with ES256.
    #[serde(default)]
    pub dpop: bool,
    /// Confidential: how the application proves who it is. The daemon uses it; no program gets to see it.
    #[serde(default, deserialize_with = "read_credential")]
    pub credential: Option<CredentialConfig>,
    /// Confidential: the programs that may use it, as absolute paths of their executables. A program is known by that file
    /// when it connects. Naming an interpreter lets in whatever it runs. It keeps honest programs apart; who can run
    /// programs as the same user can get around it.
    pub programs: Option<Vec<PathBuf>>,
    /// Confidential: the users who may use it, by name or by number. With `programs`, both must fit;
    /// without, any program of theirs may use it.
    pub users: Option<Vec<UserName>>,
    /// Confidential: the Azure region that its own tokens are asked for in.
    pub azure_region: Option<AzureRegion>,
}

/// Whether an application has a credential (RFC 6749 section 2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum AppKind {
    /// It has none; every program of the user may use it.
    #[default]
    Public,
    /// It has one; only those may use it whom `programs` and `users` name.
    Confidential,
}

/// A credential: a secret, or a private key with its certificate or thumbprint, or a PKCS#12 file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CredentialConfig {
    /// A secret that is shared with the provider.
    pub secret: Option<SecretPlace>,
    /// An RSA key, as PEM.
    pub private_key: Option<SecretPlace>,
    /// The key's certificate, as PEM; goes along in each assertion (`x5c`).
    pub certificate: Option<SecretPlace>,
    /// SHA-1 of the key's certificate, in hex; for a provider that knows it by no other.
    pub thumbprint: Option<String>,
    /// A PKCS#12 file with an RSA key and its certificate.
    pub pfx: Option<SecretPlace>,
    /// What `private_key` or `pfx` is encrypted with.
    pub passphrase: Option<SecretPlace>,
    /// Whether the certificate of `pfx` goes along in each assertion (`x5c`).
    pub send_certificate: bool,
}

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename_all = "snake_case"))]
pub enum SecretPlace {
    /// In a file, by its absolute path, that nobody may read but its owner and the daemon's own group.
    File(PathBuf),
    /// In a systemd credential of this name (`LoadCredentialEncrypted=` of the daemon's unit).
    SystemdCredential(String),
    /// In the daemon's store, where `valetkey apps secret <name>` has put it.
    Vault(String),
}

impl CredentialConfig {
    /// The names of those of its parts that are in the daemon's store.
    pub fn names_in_vault(&self) -> impl Iterator<Item = &str> {
        let Self { secret, private_key, certificate, pfx, passphrase, .. } = self;
        let places = [secret, private_key, certificate, pfx, passphrase];
        places.into_iter().flatten().filter_map(|place| match place {
            SecretPlace::Vault(name) => Some(name.as_str()),
            SecretPlace::File(_) | SecretPlace::SystemdCredential(_) => None,
        })
    }
}

impl AppConfig {
    /// The same application as a caller would define it over the socket, without its credential.
    pub fn definition(&self) -> OpenAppRequest {
        OpenAppRequest {
            kind: self.kind(),
            client_id: Some(self.client_id.clone()),
            authority: self.authority.clone(),
            oidc_authority: self.oidc_authority.clone(),
            validate_authority: self.validate_authority,
            instance_discovery: self.instance_discovery.clone(),
            client_capabilities: self.client_capabilities.clone(),
            exclude_scopes: self.exclude_scopes.clone(),
            app_name: self.app_name.clone(),
            app_version: self.app_version.clone(),
            dpop: self.dpop,
            azure_region: self.azure_region.clone(),
            ..OpenAppRequest::default()
        }
    }

    /// In the wire's words.
    pub fn kind(&self) -> ClientKind {
        match self.kind {
            AppKind::Public => ClientKind::Public,
            AppKind::Confidential => ClientKind::Confidential,
        }
    }
}

/// By hand, so that no message repeats what stands in the place of a section: it may be the secret.
fn read_credential<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<CredentialConfig>, D::Error> {
    struct Section;

    impl<'de> de::Visitor<'de> for Section {
        type Value = CredentialConfig;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a section with `secret`, `private_key` or `pfx`")
        }

        fn visit_map<A: de::MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
            CredentialConfig::deserialize(de::value::MapAccessDeserializer::new(members))
        }

        fn visit_str<E: de::Error>(self, _secret: &str) -> Result<Self::Value, E> {
            Err(E::custom(NO_SECRETS_HERE))
        }

        fn visit_i64<E: de::Error>(self, _secret: i64) -> Result<Self::Value, E> {
            Err(E::custom(NO_SECRETS_HERE))
        }

        fn visit_f64<E: de::Error>(self, _secret: f64) -> Result<Self::Value, E> {
            Err(E::custom(NO_SECRETS_HERE))
        }
    }

    deserializer.deserialize_any(Section).map(Some)
}

/// By hand, for the same reason.
impl<'de> Deserialize<'de> for SecretPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let toml::Value::Table(table) = toml::Value::deserialize(deserializer)? else {
            return Err(de::Error::custom(NO_SECRETS_HERE));
        };
        let mut members = table.into_iter();
        match (members.next(), members.next()) {
            (Some((place, toml::Value::String(text))), None) => match place.as_str() {
                "file" => Ok(Self::File(text.into())),
                "systemd_credential" => Ok(Self::SystemdCredential(text)),
                "vault" => Ok(Self::Vault(text)),
                _ => Err(de::Error::custom(NO_PLACE)),
            },
            _ => Err(de::Error::custom(NO_PLACE)),
        }
    }
}

/// What to write in the place of a secret.
pub(super) const NO_SECRETS_HERE: &str = "a secret does not belong in the configuration; say where it is: \
    { file = \"/path\" }, { systemd_credential = \"name\" } or { vault = \"name\" }, which `valetkey apps secret name` sets";

const NO_PLACE: &str = "a secret is in one place: { file = \"/path\" }, { systemd_credential = \"name\" } or { vault = \"name\" }";
