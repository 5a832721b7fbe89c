//! Client applications as MSAL defines them: who asks the provider, and how.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use url::Url;
use valetkey_model::{Authority, ClientId, Partition, RESERVED_SCOPES, ScopeSet, steers_display};
use valetkey_oauth::{ProofKey, ProviderMetadata, Region, TelemetryLog, admit_cloud_shell};
use valetkey_policy::{Application, MachineEndpoints, Subject};

use crate::aliases::Aliases;
use crate::credential::{AssertionInUse, ClientCredential};
use crate::open_apps::SMALL;
use crate::possession::Method;
use crate::route::Route;

/// What defines a client application. The same definition is the same application, for every process.
#[derive(Clone, Debug)]
pub struct Definition {
    /// RFC 6749 section 2.2.
    pub client_id: ClientId,
    /// The provider and tenant.
    pub authority: Authority,
    /// Whether unknown hosts are looked up at Microsoft first.
    pub instance_discovery: InstanceDiscovery,
    /// Sent as the `xms_cc` claim, for example `CP1`.
    pub capabilities: Vec<String>,
    /// Scopes never added automatically.
    pub exclude_scopes: ScopeSet,
    /// `x-app-name`.
    pub app_name: Option<String>,
    /// `x-app-ver`.
    pub app_version: Option<String>,
    /// Whether it can keep a credential to itself.
    pub client_type: ClientType,
    /// How the application proves who it is; a public client cannot.
    pub credential: Option<ClientCredential>,
    /// Signed into the assertions that the credential makes.
    pub client_claims: Option<Map<String, Value>>,
    /// Where the application's own tokens are asked for.
    pub region: Option<RegionWish>,
    /// Whether its tokens are bound to a key of its own (RFC 9449); a provider that cannot is no provider for it.
    pub dpop: bool,
    /// How its provider is reached, where that differs from the broker's own settings.
    pub route: Option<Arc<Route>>,
    /// Where Azure Cloud Shell gives its user's tokens. Whoever is at the end of that says whose a token is, and nobody vouches
    /// for it, so the tokens of such an application are in a partition of their own.
    pub cloud_shell: Option<Url>,
    /// Where its tokens are, when they are not in the cache that the user's programs share.
    pub partition: Option<Partition>,
    /// The name by which the configuration declares it, if it does: what is declared twice is two applications, which may
    /// differ in what is declared of them and does not stand here, such as the scopes.
    pub declared_as: Option<String>,
}

/// RFC 6749 section 2.1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientType {
    /// Runs where a user could read its credentials.
    #[default]
    Public,
    /// Keeps a credential to itself, though it may do without.
    Confidential,
}

/// An Azure region, or the wish to find it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionWish {
    /// This one.
    Named(Region),
    /// As the platform's metadata service says.
    Detected,
}

/// MSAL's `instance_discovery`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InstanceDiscovery {
    /// For hosts that are not well known.
    Enabled,
    /// Never; also no look-up of host aliases.
    Disabled,
    /// As [`Enabled`](Self::Enabled), but this endpoint is asked in Microsoft's place.
    At(Url),
}

/// Why a definition is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DefinitionError {
    /// An OIDC request without `openid` is none.
    #[error("exclude_scopes must not have \"openid\" in it")]
    ExcludesOpenid,
    /// It would go to the provider inside of JSON, and to whoever lists the applications.
    #[error(
        "client_capabilities must not have control characters in them, such as {capability:?} has"
    )]
    SteeringCapability {
        /// The first that has one.
        capability: String,
    },
}

/// The id of an application: a digest of its definition, the same after every restart.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(Arc<str>);

/// An open client application. Opening one does no network I/O.
pub struct ClientApplication {
    id: AppId,
    definition: Definition,
    metadata: Mutex<Option<Arc<ProviderMetadata>>>,
    telemetry: Mutex<TelemetryLog>,
    assertion: AssertionInUse,
    proof_keys: Mutex<HashMap<Method, Arc<ProofKey>>>,
    aliases: Aliases,
}

impl Definition {
    /// A public client with nothing special about it.
    pub fn new(client_id: ClientId, authority: Authority) -> Self {
        Self {
            client_id,
            authority,
            instance_discovery: InstanceDiscovery::Enabled,
            capabilities: Vec::new(),
            exclude_scopes: ScopeSet::default(),
            app_name: None,
            app_version: None,
            client_type: ClientType::Public,
            credential: None,
            client_claims: None,
            region: None,
            dpop: false,
            route: None,
            cloud_shell: None,
            partition: None,
            declared_as: None,
        }
    }

    /// About how many bytes of memory it takes up when it is open.
    pub fn size(&self) -> usize {
        let capabilities: usize = self.capabilities.iter().map(String::len).sum();
        let claims = self.client_claims.as_ref().map_or(0, |claims| {
            claims.iter().map(|(name, value)| name.len() + value.to_string().len()).sum()
        });
        let credential = match &self.credential {
            Some(ClientCredential::Secret(text) | ClientCredential::Assertion(text)) => {
                text.expose().len()
            }
            Some(ClientCredential::Certificate(certificate)) => certificate.size(),
            Some(ClientCredential::AssertionCallback) | None => 0,
        };
        let route = self.route.as_ref().map_or(0, |route| route.size());
        let scopes = self.exclude_scopes.target().len();
        SMALL + capabilities + scopes + claims + credential + route
    }

    /// Checks what the parts cannot check by themselves.
    ///
    /// # Errors
    /// When the parts do not go together.
    pub fn check(self) -> Result<Self, DefinitionError> {
        if self.exclude_scopes.contains(RESERVED_SCOPES[0]) {
            return Err(DefinitionError::ExcludesOpenid);
        }
        if let Some(capability) = self.capabilities.iter().find(|it| it.contains(steers_display)) {
            return Err(DefinitionError::SteeringCapability { capability: capability.clone() });
        }
        Ok(self)
    }

    /// The application's id. Every member goes in with its length, so that no two definitions share one.
    pub fn app_id(&self) -> AppId {
        let authority =
            (self.authority.without_last_slash(), format!("{:?}", self.authority.kind()));
        let trust = format!(
            "{} {:?} {:?}",
            self.authority.is_known_to_developer(),
            self.instance_discovery,
            self.client_type
        );
        let texts = [
            self.client_id.as_str(),
            authority.0,
            &authority.1,
            &trust,
            self.exclude_scopes.target(),
        ];
        let region = self.region.as_ref().map(|region| format!("{region:?}"));
        let claims =
            self.client_claims.as_ref().map(|claims| Value::from(claims.clone()).to_string());
        // The partition stands for the credential: it is marked with it.
        let options = [
            self.app_name.as_deref(),
            self.app_version.as_deref(),
            region.as_deref(),
            claims.as_deref(),
            self.route.as_deref().map(Route::id),
            self.partition.as_ref().map(Partition::as_str),
        ]
        .map(|text| text.unwrap_or("\0"));
        let capabilities = self.capabilities.iter().map(String::as_str);
        // No capability is written like this, and without it the id stays what it was.
        let dpop = self.dpop.then_some("\0dpop");
        let declared = self.declared_as.iter().flat_map(|name| ["\0declared", name]);
        let shell = self.cloud_shell.iter().flat_map(|url| ["\0cloud shell", url.as_str()]);
        let rest = capabilities.chain(dpop).chain(declared).chain(shell);
        AppId::of_texts(texts.into_iter().chain(options).chain(rest))
    }
}

impl AppId {
    /// The digest of these texts, each with its length.
    pub(crate) fn of_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = Sha256::new();
        for text in texts {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        }
        let digest = hash.finalize();
        Self(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
    }

    /// The id as a client gave it; whether it is anyone's is found out by looking.
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppId({})", self.0)
    }
}

impl ClientApplication {
    /// Opens an application.
    pub fn open(definition: Definition) -> Self {
        let id = definition.app_id();
        Self {
            id,
            definition,
            metadata: Mutex::default(),
            telemetry: Mutex::default(),
            assertion: AssertionInUse::default(),
            proof_keys: Mutex::default(),
            aliases: Aliases::default(),
        }
    }

    /// Its id.
    pub fn id(&self) -> &AppId {
        &self.id
    }

    /// What defines it.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    pub(crate) fn route(&self) -> Option<&Arc<Route>> {
        self.definition.route.as_ref()
    }

    /// The provider's metadata, once discovered. Old ones still name the right realm: a cache hit needs no more.
    pub(crate) fn known_metadata(&self) -> Option<Arc<ProviderMetadata>> {
        self.metadata.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn remember_metadata(&self, metadata: &Arc<ProviderMetadata>) {
        *self.metadata.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(metadata));
    }

    /// The application's key for this method, once it was read.
    pub(crate) fn known_proof_key(&self, method: Method) -> Option<Arc<ProofKey>> {
        self.proof_keys.lock().unwrap_or_else(PoisonError::into_inner).get(&method).cloned()
    }

    pub(crate) fn remember_proof_key(&self, method: Method, key: &Arc<ProofKey>) {
        let mut keys = self.proof_keys.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(method, Arc::clone(key));
    }

    pub(crate) fn aliases(&self) -> &Aliases {
        &self.aliases
    }

    pub(crate) fn assertion_in_use(&self) -> &AssertionInUse {
        &self.assertion
    }

    /// What the next request tells the provider about the calls before it.
    pub(crate) fn with_telemetry<T>(&self, use_log: impl FnOnce(&mut TelemetryLog) -> T) -> T {
        use_log(&mut self.telemetry.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Subject for Definition {
    fn authority(&self) -> &Authority {
        &self.authority
    }

    fn application(&self) -> Application<'_> {
        Application {
            client_id: self.client_id.as_str(),
            environment: self.authority.environment(),
            name: self.declared_as.as_deref(),
            is_shared: self.partition.is_none(),
        }
    }

    fn instance_discovery_endpoint(&self) -> Option<&str> {
        match &self.instance_discovery {
            InstanceDiscovery::At(url) => Some(url.as_str()),
            InstanceDiscovery::Enabled | InstanceDiscovery::Disabled => None,
        }
    }

    fn check_endpoint(&self, admitted: &MachineEndpoints) -> Result<(), String> {
        let Some(endpoint) = &self.cloud_shell else { return Ok(()) };
        let MachineEndpoints { admits_near, hosts } = admitted;
        admit_cloud_shell(endpoint, *admits_near, hosts).map_err(|refused| refused.to_string())
    }

    fn proxies(&self) -> Vec<&str> {
        let proxies = self.route.iter().flat_map(|route| route.proxies().values());
        proxies.map(|proxy| proxy.site.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use valetkey_model::AuthorityOptions;

    use super::*;

    #[test]
    fn a_capability_with_a_control_character_is_refused() {
        let check = |capability: &str| {
            let authority = Authority::parse(Authority::DEFAULT, AuthorityOptions::default());
            let mut definition = Definition::new(ClientId::new("c").unwrap(), authority.unwrap());
            definition.capabilities = vec!["CP1".to_owned(), capability.to_owned()];
            definition.check().map(drop)
        };
        assert_eq!(check("protapp"), Ok(()));
        for capability in ["\u{1b}", "a\r\nb", "\u{9b}31m", "a\u{202e}b"] {
            let error = check(capability).unwrap_err();
            assert!(!error.to_string().contains(steers_display), "{error}");
        }
    }
}
