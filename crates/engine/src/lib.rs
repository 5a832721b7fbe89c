//! Client applications and their flows: the broker's mind.
//!
//! The engine decides what a token request needs and drives it to its end: `silent.rs` decides, `refresh.rs` and `flow/`
//! do. It knows the outside only through the traits of [`ports`]; it opens no socket and no file, reads no clock and no
//! environment, and knows neither the wire of `/v1` nor the vault. It takes nothing but what the policy authorized.
//!
//! How to use it: [`Engine::user`], [`User::open_app`], then a verb of [`Engine`] with an authorized request.

mod accounts;
mod aliases;
mod answer;
mod application;
mod credential;
mod dpop;
mod engine;
mod error;
mod event;
mod flight;
mod flight_key;
mod flow;
mod grant;
mod http_cache;
mod issue;
mod keyed_lock;
mod lease;
mod managed_identity;
mod open_apps;
mod own_tokens;
pub mod ports;
mod possession;
mod private_cache;
mod provider;
mod refresh;
mod refresh_ahead;
mod region;
mod request;
mod room;
mod route;
mod shared_cache;
mod signed_request;
mod silent;
mod user;

pub use accounts::FoundAccount;
pub use answer::{IssuedToken, TokenAnswer, TokenSource};
pub use application::{
    AppId, ClientApplication, ClientType, Definition, DefinitionError, InstanceDiscovery,
    RegionWish,
};
pub use credential::ClientCredential;
pub use engine::{Engine, Ports};
pub use error::{Error, SignInReason};
pub use event::{Event, EventAccount, Happening};
pub use flow::{Attendant, Flow, FlowStatus, Invitation, SignIn, Visit};
pub use lease::{Patience, Quiet};
pub use managed_identity::{
    ManagedIdentityApplication, ManagedIdentityDefinition, ResourceTokenRequest,
};
pub use private_cache::CacheContent;
pub use request::{
    AccountSelector, AccountsRequest, AppTokensRequest, CacheRequest, Completion,
    CompletionRequest, Extras, FlowKind, FlowRequest, Grant, GrantRequest, Hints, ProofRequest,
    SilentRequest, account_for_policy,
};
pub use route::{Proxied, Proxy, Route};
pub use shared_cache::{ExportCacheRequest, ImportCacheRequest};
pub use silent::MANDATORY_SECONDS;
pub use user::User;
