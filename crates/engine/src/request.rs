//! What can be asked of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use valetkey_model::{AccountId, Authority, CorrelationId, ScopeSet};
use valetkey_policy::Subject;

use crate::application::ClientApplication;

/// A token without asking the person.
#[derive(Clone)]
pub struct SilentRequest {
    /// On whose behalf the provider is asked.
    pub app: Arc<ClientApplication>,
    /// The resource's scopes, undecorated.
    pub scopes: ScopeSet,
    /// Which account.
    pub account: AccountSelector,
    /// Skips cached access tokens.
    pub force_refresh: bool,
    /// A claims challenge: JSON text, checked when it is used.
    pub claims_challenge: Option<String>,
    /// Seconds that the token must still live.
    pub min_validity: u32,
    /// The call's identity in logs.
    pub correlation_id: CorrelationId,
}

/// Which account is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccountSelector {
    /// The only one there is.
    Only,
    /// By home account id, or by user name, whose case is ignored.
    Named(String),
}

/// Which flow, with what only that kind knows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FlowKind {
    /// RFC 8628.
    DeviceCode,
    /// The application receives the redirect and hands its parameters in.
    AuthCode {
        /// Where the provider sends the person back.
        redirect_uri: Option<String>,
        /// The application's own `state`.
        state: Option<String>,
        /// `query`, `form_post` or `fragment`.
        response_mode: Option<String>,
    },
    /// The daemon listens for the redirect (RFC 8252).
    Interactive {
        /// The loopback port.
        port: Option<u16>,
        /// Seconds to wait for the person.
        timeout_seconds: u32,
        /// Scopes to ask consent for now, for later.
        extra_scopes: ScopeSet,
    },
}

/// A sign-in with a person.
#[derive(Clone)]
pub struct FlowRequest {
    /// On whose behalf the provider is asked.
    pub app: Arc<ClientApplication>,
    /// Which flow.
    pub kind: FlowKind,
    /// The resource's scopes, undecorated.
    pub scopes: ScopeSet,
    /// A claims challenge: JSON text.
    pub claims_challenge: Option<String>,
    /// OIDC Core 3.1.2.1: `prompt`, `login_hint`, `max_age` and the like, and Entra's `domain_hint`.
    pub hints: Hints,
    /// The call's identity in logs.
    pub correlation_id: CorrelationId,
}

/// What steers the provider's pages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hints {
    /// `prompt`.
    pub prompt: Option<String>,
    /// `login_hint`.
    pub login_hint: Option<String>,
    /// `domain_hint`.
    pub domain_hint: Option<String>,
    /// `max_age`, in seconds.
    pub max_age: Option<u32>,
    /// `display`, `ui_locales`, `id_token_hint`, `acr_values`.
    pub others: BTreeMap<String, String>,
}

/// The accounts of an application, or one of them to sign out.
#[derive(Clone)]
pub struct AccountsRequest {
    /// Whose provider.
    pub app: Arc<ClientApplication>,
    /// The one that is meant; all when absent.
    pub account: Option<AccountId>,
    /// The call's identity in logs.
    pub correlation_id: CorrelationId,
}

macro_rules! subject {
    ($($request:ty),*) => {
        $(impl Subject for $request {
            fn authority(&self) -> &Authority {
                &self.app.definition().authority
            }
        })*
    };
}

subject!(SilentRequest, FlowRequest, AccountsRequest);
