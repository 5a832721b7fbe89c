//! Managed identities: Azure gives a program that runs on it tokens for the asking (`spec/msal-python.md` section 7). Here
//! is what one is and what is asked of it; `acquire.rs` does the asking.

mod acquire;

use std::sync::Arc;

use valetkey_cache::{AccessToken, AccessTokenQuery, TokenCache};
use valetkey_model::{ClientId, CorrelationId, Partition, ScopeSet, UnixTime};
use valetkey_oauth::{ManagedIdentityId, ManagedIdentitySource, Thumbprint, admit_endpoint};
use valetkey_policy::{MachineEndpoints, MachineSubject};

use crate::application::AppId;
use crate::silent::MANDATORY_SECONDS;

/// `environment` and `realm` of the cache's entries, as in MSAL.
const ENVIRONMENT: &str = "localhost";
const REALM: &str = "managed_identity";

/// What defines a managed identity.
#[derive(Clone, Debug)]
pub struct ManagedIdentityDefinition {
    /// `client_id` of the cache's entries; see [`ManagedIdentityId::as_client_id`].
    pub client_id: ClientId,
    /// Which of the machine's identities.
    pub id: ManagedIdentityId,
    /// Who gives its tokens.
    pub source: ManagedIdentitySource,
    /// For example `CP1`.
    pub capabilities: Vec<String>,
    /// Where its tokens are. The platform knows a program by its endpoint and secret, which the partition is marked with.
    pub partition: Partition,
}

/// An open managed identity. Opening one does no network I/O.
pub struct ManagedIdentityApplication {
    id: AppId,
    definition: ManagedIdentityDefinition,
}

/// A token of a managed identity, for a resource.
#[derive(Clone)]
pub struct ResourceTokenRequest {
    /// Whose token.
    pub app: Arc<ManagedIdentityApplication>,
    /// What it is for.
    pub resource: String,
    /// Skips cached tokens.
    pub force_refresh: bool,
    /// A claims challenge of the resource's. No source reads it; that there is one says that the token at hand is no good.
    pub claims_challenge: Option<String>,
    /// The call's identity in logs.
    pub correlation_id: CorrelationId,
}

impl ManagedIdentityDefinition {
    /// The application's id, the same for every process and after every restart.
    pub fn app_id(&self) -> AppId {
        let id = format!("{:?}", self.id);
        let pin = format!("{:?}", self.pin());
        let endpoint = self.source.endpoint();
        let texts = [
            REALM,
            self.client_id.as_str(),
            &id,
            self.source.kind().name(),
            endpoint.as_str(),
            &pin,
            self.partition.as_str(),
        ];
        AppId::of_texts(texts.into_iter().chain(self.capabilities.iter().map(String::as_str)))
    }

    /// Whose certificate alone the source may show.
    fn pin(&self) -> Option<Thumbprint> {
        match &self.source {
            ManagedIdentitySource::ServiceFabric(source) => Some(source.thumbprint),
            _ => None,
        }
    }
}

impl ManagedIdentityApplication {
    /// Opens a managed identity.
    pub fn open(definition: ManagedIdentityDefinition) -> Self {
        Self { id: definition.app_id(), definition }
    }

    /// Its id.
    pub fn id(&self) -> &AppId {
        &self.id
    }

    /// What defines it.
    pub fn definition(&self) -> &ManagedIdentityDefinition {
        &self.definition
    }
}

impl ResourceTokenRequest {
    fn must_be_new(&self) -> bool {
        self.force_refresh || self.claims_challenge.is_some()
    }

    /// The token at hand, aging or not.
    fn find_token(&self, cache: &TokenCache, now: UnixTime) -> Option<Arc<AccessToken>> {
        let query = AccessTokenQuery {
            environment: ENVIRONMENT,
            home_account_id: None,
            client_id: Some(&self.app.definition.client_id),
            realm: REALM,
            scopes: &ScopeSet::from_target(&self.resource),
            extension: None,
            key_id: None,
        };
        cache.find_access_token(&query, now, MANDATORY_SECONDS).map(Arc::clone)
    }
}

impl MachineSubject for ManagedIdentityDefinition {
    fn check_endpoint(&self, admitted: &MachineEndpoints) -> Result<(), String> {
        let MachineEndpoints { admits_near, hosts } = admitted;
        let (endpoint, kind) = (self.source.endpoint(), self.source.kind());
        admit_endpoint(&endpoint, kind, *admits_near, hosts).map_err(|refused| refused.to_string())
    }
}

impl MachineSubject for ResourceTokenRequest {
    fn check_endpoint(&self, admitted: &MachineEndpoints) -> Result<(), String> {
        self.app.definition.check_endpoint(admitted)
    }

    fn resource(&self) -> Option<&str> {
        Some(&self.resource)
    }
}
