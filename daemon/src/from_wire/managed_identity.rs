//! Managed identities: which, from which source, and what for.

use std::sync::Arc;

use valetkey_engine::{
    ManagedIdentityApplication, ManagedIdentityDefinition, ResourceTokenRequest,
};
use valetkey_model::{ClientId, CorrelationId, Partition};
use valetkey_oauth::{
    ManagedIdentityId, ManagedIdentitySource, Platform, Surroundings,
    detect_managed_identity_source,
};
use valetkey_proto::v1;

use super::token::text;
use super::{MAX_HINT, capabilities, check_private_cache};
use crate::failure::Failure;

/// What defines the managed identity that is to be opened, whose tokens will be in `partition`.
///
/// # Errors
/// When a member is missing, cannot be, or goes with another kind of application.
pub fn managed_identity(
    request: &v1::OpenAppRequest,
    partition: Partition,
) -> Result<ManagedIdentityDefinition, Failure> {
    let missing = || Failure::bad_member("managed_identity", "missing; say which, and its source");
    let identity = request.managed_identity.as_ref().ok_or_else(missing)?;
    let alone = v1::OpenAppRequest {
        kind: v1::ClientKind::ManagedIdentity,
        client_id: request.client_id.clone(),
        client_capabilities: request.client_capabilities.clone(),
        managed_identity: request.managed_identity.clone(),
        private_cache: request.private_cache.clone(),
        ..Default::default()
    };
    if *request != alone {
        let reason = "a managed identity has client_id, client_capabilities, managed_identity and private_cache alone";
        return Err(Failure::bad_member("kind", reason));
    }
    check_private_cache(request)?;
    let id = id(identity);
    let client_id = request.client_id.as_deref().unwrap_or_else(|| id.as_client_id());
    Ok(ManagedIdentityDefinition {
        client_id: ClientId::new(client_id)
            .map_err(|error| Failure::bad_member("client_id", error))?,
        source: source(&identity.source)?,
        capabilities: capabilities(&request.client_capabilities)?,
        partition,
        id,
    })
}

fn id(identity: &v1::ManagedIdentity) -> ManagedIdentityId {
    match (&identity.id, &identity.source) {
        // Machine Learning tells the program which of the job's identities is the usual one.
        (
            v1::ManagedIdentityId::SystemAssigned,
            v1::ManagedIdentitySource::MachineLearning { default_client_id: Some(id), .. },
        )
        | (v1::ManagedIdentityId::ClientId(id), _) => ManagedIdentityId::ClientId(id.clone()),
        (v1::ManagedIdentityId::SystemAssigned, _) => ManagedIdentityId::SystemAssigned,
        (v1::ManagedIdentityId::ResourceId(id), _) => ManagedIdentityId::ResourceId(id.clone()),
        (v1::ManagedIdentityId::ObjectId(id), _) => ManagedIdentityId::ObjectId(id.clone()),
    }
}

/// Read as the platform would have told it to this process, in its variables.
fn source(source: &v1::ManagedIdentitySource) -> Result<ManagedIdentitySource, Failure> {
    let variables = variables(source);
    let find = |name: &str| {
        let told = variables.iter().find(|(variable, _)| *variable == name);
        // Where Windows keeps what belongs to all users is the machine's affair, not the program's.
        let own = || std::env::var(name).ok().filter(|_| name == "ProgramData");
        told.map(|(_, value)| (*value).to_owned()).or_else(own)
    };
    let around = Surroundings { platform: PLATFORM, variable: &find, has_file: &|_| false };
    detect_managed_identity_source(&around)
        .map_err(|error| Failure::bad_member("managed_identity", error))
}

fn variables(source: &v1::ManagedIdentitySource) -> Vec<(&'static str, &str)> {
    use v1::ManagedIdentitySource as Source;
    match source {
        Source::Imds { endpoint: None } => Vec::new(),
        Source::Imds { endpoint: Some(host) } => vec![("AZURE_POD_IDENTITY_AUTHORITY_HOST", host)],
        Source::AppService { endpoint, header } => {
            vec![("IDENTITY_ENDPOINT", endpoint), ("IDENTITY_HEADER", &header.0)]
        }
        Source::MachineLearning { endpoint, secret, .. } => {
            vec![("MSI_ENDPOINT", endpoint), ("MSI_SECRET", &secret.0)]
        }
        Source::ServiceFabric { endpoint, header, thumbprint } => vec![
            ("IDENTITY_ENDPOINT", endpoint),
            ("IDENTITY_HEADER", &header.0),
            ("IDENTITY_SERVER_THUMBPRINT", thumbprint),
        ],
        Source::AzureArc { endpoint } => {
            vec![("IDENTITY_ENDPOINT", endpoint), ("IMDS_ENDPOINT", "")]
        }
    }
}

const PLATFORM: Platform = if cfg!(windows) {
    Platform::Windows
} else if cfg!(target_os = "linux") {
    Platform::Linux
} else {
    Platform::Other
};

/// A managed identity's token request.
///
/// # Errors
/// When the resource is missing or cannot be, or there is a member of another grant.
pub fn resource_token_request(
    app: Arc<ManagedIdentityApplication>,
    request: v1::TokenRequest,
    correlation_id: CorrelationId,
) -> Result<ResourceTokenRequest, Failure> {
    let alone = v1::TokenRequest {
        grant: v1::Grant::ClientCredentials,
        resource: request.resource.clone(),
        force_refresh: request.force_refresh,
        claims_challenge: request.claims_challenge.clone(),
        correlation_id: request.correlation_id.clone(),
        ..Default::default()
    };
    if request != alone {
        let reason = "of a managed identity is client_credentials, with resource, force_refresh and claims_challenge alone";
        return Err(Failure::bad_member("grant", reason));
    }
    let resource = request.resource.unwrap_or_default();
    let is_bad = |c: char| c.is_whitespace() || c.is_control();
    if resource.is_empty() || resource.len() > MAX_HINT || resource.contains(is_bad) {
        let reason = format!("name one, of at most {MAX_HINT} bytes and without white space");
        return Err(Failure::bad_member("resource", reason));
    }
    Ok(ResourceTokenRequest {
        app,
        resource,
        force_refresh: request.force_refresh,
        claims_challenge: text("claims_challenge", request.claims_challenge)?,
        correlation_id,
    })
}
