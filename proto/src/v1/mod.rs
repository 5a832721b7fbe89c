//! Version 1 of the wire.

mod account;
mod app;
mod audit;
mod cache;
mod credential;
mod diagnosis;
mod error;
mod event;
mod flow;
mod grant;
pub mod paths;
mod proof;
mod secret;
mod status;
mod token;

pub use account::{Account, Accounts};
pub use app::{
    App, Apps, AzureRegion, ClientKind, InstanceDiscovery, NetworkSettings, OpenAppRequest,
};
pub use audit::{Audit, AuditAct, AuditRecord, AuditedProgram};
pub use cache::{
    Cache, CacheCounts, CacheImport, CacheVersion, ExportCacheRequest, ExportedCache,
    ImportCacheRequest, ReplaceCacheRequest, SkippedEntries,
};
pub use credential::{
    ClientCredential, ManagedIdentity, ManagedIdentityId, ManagedIdentitySource, SecretText,
};
pub use diagnosis::{About, Diagnosis, Finding, Verdict};
pub use error::{ERROR_CODES, ErrorBody, ErrorCode, ErrorCodeRow};
pub use event::{Event, EventKind};
pub use flow::{AuthResponse, CompleteFlowRequest, Flow, FlowKind, FlowState, StartFlowRequest};
pub use grant::{AnswerPromptRequest, Grants, ProgramGrant, Prompt, PromptAnswer, Prompts, Word};
pub use proof::{Proof, ProofRequest};
pub use secret::PutSecretRequest;
pub use status::{
    AutoLock, ConfigurationStatus, Counts, Held, KeyStatus, ProtectionStatus, RotateKeysRequest,
    ServiceStatus, Status, StoreStatus, UnlockRequest,
};
pub use token::{Grant, PopScheme, TokenRequest, TokenResponse, TokenSource};
