//! What can be asked of the engine.

use std::collections::BTreeMap;
use std::sync::Arc;

use valetkey_cache::extended_cache_key;
use valetkey_model::{Authority, CorrelationId, ScopeSet, Secret};
use valetkey_oauth::{
    ClaimsError, DpopRequest, ExtraFields, FederatedUser, PopRequest, merge_claims, overlay_claims,
};
use valetkey_policy::{self as policy, Bound, MachineEndpoints, Subject};

use crate::accounts::FoundAccount;
use crate::application::{ClientApplication, Definition};

/// What an application adds to a token request beyond the usual. All of it is a part of the token's place in the cache: of
/// the request that is to be signed, that it asks for a token that is bound to the application's key.
#[derive(Clone, Debug, Default)]
pub struct Extras {
    /// Claims that the application passes on: JSON text, laid over those of the challenge.
    pub forwarded_claims: Option<String>,
    /// Entra's path to a federated identity below the application's.
    pub fmi_path: Option<String>,
    /// Form fields of the application's own.
    pub fields: ExtraFields,
    /// A request to sign with the token, in the place of the token.
    pub auth_scheme: Option<PopRequest>,
}

impl Extras {
    /// These fields, and nothing else.
    pub(crate) fn of_fields(fields: &ExtraFields) -> Self {
        Self { fields: fields.clone(), ..Self::default() }
    }

    /// What tells the token from ordinary ones in the cache.
    pub(crate) fn extension(&self) -> Option<String> {
        let own = [("client_claims", &self.forwarded_claims), ("fmi_path", &self.fmi_path)];
        let own = own.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        extended_cache_key(self.fields.iter().chain(own))
    }

    /// The `claims` to send: the client's capabilities in the challenge, and the application's claims over both.
    pub(crate) fn claims(
        &self,
        definition: &Definition,
        challenge: Option<&str>,
    ) -> Result<Option<String>, ClaimsError> {
        let claims = merge_claims(&definition.capabilities, challenge)?;
        overlay_claims(claims.as_deref(), self.forwarded_claims.as_deref())
    }
}

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
    /// The answer to [`crate::Error::ClientAssertionNeeded`].
    pub client_assertion: Option<Secret>,
    /// What is out of the ordinary.
    pub extras: Extras,
    /// What a cached token may be good for at most; the policy says.
    pub bound: Option<Bound>,
    /// The call's identity in logs.
    pub correlation_id: CorrelationId,
}

/// A token for what the application has in its hands: its own credential, or something that stands for a user.
#[derive(Clone)]
pub struct GrantRequest {
    /// On whose behalf the provider is asked.
    pub app: Arc<ClientApplication>,
    /// What the application has.
    pub grant: Grant,
    /// The resource's scopes, undecorated.
    pub scopes: ScopeSet,
    /// Skips cached access tokens, where the grant looks for any.
    pub force_refresh: bool,
    /// A claims challenge: JSON text, checked when it is used.
    pub claims_challenge: Option<String>,
    /// The answer to [`crate::Error::ClientAssertionNeeded`].
    pub client_assertion: Option<Secret>,
    /// What is out of the ordinary.
    pub extras: Extras,
    /// What a cached token may be good for at most; the policy says.
    pub bound: Option<Bound>,
    /// The only hosts that may be spoken to, where there are such; the policy says.
    pub sites: Option<Vec<String>>,
    /// The call's identity in logs.
    pub correlation_id: CorrelationId,
}

/// What an application has in its hands.
#[derive(Clone)]
pub enum Grant {
    /// Its own credential (RFC 6749 section 4.4).
    ClientCredentials,
    /// The token that it was called with (Entra's on-behalf-of), the key of a process that goes on without the user, or both:
    /// then the process begins.
    OnBehalfOf {
        /// The token.
        user_assertion: Option<Secret>,
        /// The key.
        session_key: Option<Secret>,
    },
    /// A user's name and password (RFC 6749 section 4.3).
    Password {
        /// The sign-in name.
        username: String,
        /// The password.
        password: Secret,
    },
    /// A refresh token that another library kept.
    RefreshToken(Secret),
    /// A federated credential that stands for a user.
    UserFederatedCredential {
        /// The credential.
        credential: Secret,
        /// The user.
        user: FederatedUser,
    },
    /// A code that the application got by itself.
    AuthorizationCode {
        /// The code.
        code: Secret,
        /// Where it arrived.
        redirect_uri: Option<String>,
        /// What the ID token must repeat.
        nonce: Option<String>,
    },
    /// A place at Azure Cloud Shell, whose user has signed in already: the application's own.
    CloudShell,
}

/// Which account is meant.
#[derive(Clone, Debug)]
pub enum AccountSelector {
    /// The only one there is.
    Only,
    /// By home account id, or by user name, whose case is ignored.
    Named(String),
    /// The one that [`crate::Engine::resolve_account`] has found.
    Found(FoundAccount),
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
    /// Form fields of the application's own, for the request that asks for the token.
    pub fields: ExtraFields,
    /// A request to sign with the token, in the place of the token.
    pub auth_scheme: Option<PopRequest>,
    /// The call's identity in logs.
    pub correlation_id: CorrelationId,
}

/// What the caller of an auth code flow brings back to it.
#[derive(Clone, Debug, Default)]
pub struct Completion {
    /// The redirect's parameters.
    pub parameters: BTreeMap<String, String>,
    /// The scopes to redeem the code for; all when absent.
    pub scopes: Option<ScopeSet>,
    /// The answer to [`crate::Error::ClientAssertionNeeded`].
    pub client_assertion: Option<Secret>,
    /// Form fields of the application's own.
    pub fields: ExtraFields,
}

/// What the caller of a flow brings back to it, for the policy to look at.
#[derive(Clone)]
pub struct CompletionRequest {
    /// The flow's.
    pub app: Arc<ClientApplication>,
    /// What was brought.
    pub completion: Completion,
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
    pub account: Option<FoundAccount>,
    /// The call's identity in logs.
    pub correlation_id: CorrelationId,
}

/// The application's own tokens.
#[derive(Clone)]
pub struct AppTokensRequest {
    /// Whose.
    pub app: Arc<ClientApplication>,
}

/// The content of the cache that the application was opened with.
#[derive(Clone)]
pub struct CacheRequest {
    /// Whose.
    pub app: Arc<ClientApplication>,
}

/// A proof for one request to a resource.
#[derive(Clone)]
pub struct ProofRequest {
    /// Whose token goes with it.
    pub app: Arc<ClientApplication>,
    /// The request.
    pub request: DpopRequest,
    /// The token.
    pub access_token: Secret,
}

impl SilentRequest {
    fn account(&self) -> Option<policy::Account<'_>> {
        match &self.account {
            AccountSelector::Found(account) => Some(account_for_policy(account)),
            AccountSelector::Only | AccountSelector::Named(_) => None,
        }
    }
}

/// An account, as far as the policy looks at it.
pub fn account_for_policy(account: &FoundAccount) -> policy::Account<'_> {
    policy::Account {
        environment: &account.environment,
        id: &account.home_account_id,
        username: &account.username,
    }
}

macro_rules! subject {
    ($($request:ty: { $($item:item)* })*) => {
        $(impl Subject for $request {
            fn authority(&self) -> &Authority {
                &self.app.definition().authority
            }

            fn application(&self) -> policy::Application<'_> {
                self.app.definition().application()
            }

            fn instance_discovery_endpoint(&self) -> Option<&str> {
                self.app.definition().instance_discovery_endpoint()
            }

            fn check_endpoint(&self, admitted: &MachineEndpoints) -> Result<(), String> {
                self.app.definition().check_endpoint(admitted)
            }

            $($item)*
        })*
    };
}

subject! {
    SilentRequest: {
        fn scopes(&self) -> Option<&ScopeSet> {
            Some(&self.scopes)
        }

        fn extra_fields(&self) -> Vec<&str> {
            self.extras.fields.names()
        }

        fn accept_bound(&mut self, bound: Option<Bound>) {
            self.bound = bound;
        }

        fn account(&self) -> Option<policy::Account<'_>> {
            self.account()
        }
    }
    GrantRequest: {
        fn scopes(&self) -> Option<&ScopeSet> {
            Some(&self.scopes)
        }

        fn extra_fields(&self) -> Vec<&str> {
            self.extras.fields.names()
        }

        fn accept_sites(&mut self, sites: &[String]) {
            self.sites = Some(sites.to_vec());
        }

        fn accept_bound(&mut self, bound: Option<Bound>) {
            self.bound = bound;
        }
    }
    FlowRequest: {
        fn scopes(&self) -> Option<&ScopeSet> {
            Some(&self.scopes)
        }

        fn scopes_for_later(&self) -> Option<&ScopeSet> {
            match &self.kind {
                FlowKind::Interactive { extra_scopes, .. } => Some(extra_scopes),
                FlowKind::DeviceCode | FlowKind::AuthCode { .. } => None,
            }
        }

        fn extra_fields(&self) -> Vec<&str> {
            self.fields.names()
        }

        fn asks_the_person(&self) -> bool {
            true
        }

        fn is_by_device_code(&self) -> bool {
            matches!(self.kind, FlowKind::DeviceCode)
        }
    }
    CompletionRequest: {
        fn scopes(&self) -> Option<&ScopeSet> {
            self.completion.scopes.as_ref()
        }

        fn extra_fields(&self) -> Vec<&str> {
            self.completion.fields.names()
        }
    }
    AccountsRequest: {
        fn account(&self) -> Option<policy::Account<'_>> {
            self.account.as_ref().map(account_for_policy)
        }
    }
    AppTokensRequest: {}
    CacheRequest: {}
    ProofRequest: {}
}
