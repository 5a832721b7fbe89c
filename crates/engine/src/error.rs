//! Why a request could not be done, and who is at fault. The daemon maps each to the wire in one exhaustive `match`.

use valetkey_oauth::{
    ClaimsError, CredentialError, DiscoveryError, IdTokenError, ManagedIdentityError, OAuthError,
    RedirectError, ReservedScope, TokenResponseError, UserRealmError, WsTrustError,
};

use crate::ports::{KeyFileError, ListenError, StoreError, TransportError};

/// Why a request could not be done. Cheap to clone: every caller of one flight gets the same.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The caller's: only a person's sign-in can bring this token.
    #[error("{0}")]
    SignInNeeded(SignInReason),
    /// The caller's: several accounts, and none named, or by a user name that they share.
    #[error("{} accounts may be meant", accounts.len())]
    AccountAmbiguous {
        /// What to choose from: user names, each with its home account id.
        accounts: Vec<String>,
    },
    /// The caller's: no such account.
    #[error("no account {0:?} is signed in")]
    UnknownAccount(String),
    /// The caller's: the program makes the application's client assertions, and one is needed.
    #[error("the provider must be asked, and this application makes its client assertions itself")]
    ClientAssertionNeeded {
        /// Whose assertion: `iss` and `sub`.
        client_id: String,
        /// For whom: `aud`.
        token_endpoint: String,
        /// Entra's `fmi_path`, when the request has one.
        fmi_path: Option<String>,
    },
    /// The caller's: its certificate cannot sign.
    #[error("{0}")]
    Credential(#[from] CredentialError),
    /// The caller's: a scope that is added automatically.
    #[error("{0}")]
    ReservedScope(#[from] ReservedScope),
    /// The caller's: claims that are no JSON object.
    #[error("{0}")]
    Claims(#[from] ClaimsError),
    /// The caller's: no flow has this id, or it belongs to somebody else.
    #[error("no open flow has this id")]
    UnknownFlow,
    /// The caller's: the flow has ended already.
    #[error("this flow has ended already")]
    FlowClosed,
    /// The caller's: flows of another kind are completed otherwise.
    #[error("a {0} flow is not completed by its caller")]
    NotCompletedByCaller(&'static str),
    /// The caller's: the provider has no such endpoint.
    #[error("this provider offers no {0}")]
    NotOffered(&'static str),
    /// The caller's: only a confidential client has tokens of its own.
    #[error("only a confidential client has tokens of its own")]
    NoOwnTokens,
    /// The caller's: there is nothing to prove the possession of.
    #[error("this application has no tokens that are bound to a key by DPoP: {0}")]
    NotBound(&'static str),
    /// The caller's: refresh tokens of the user's other programs are in that cache.
    #[error("only a cache of the application's own is handed out; open it with `private_cache`")]
    CacheNotPrivate,
    /// The user's domain is at a host that is not to be spoken to.
    #[error(
        "this broker does not speak to {site}, where the user's domain asks for the password; who trusts it can add it to [policy] authorities of the daemon's configuration"
    )]
    DomainNotAdmitted {
        /// As `host` or `host:port`.
        site: String,
    },
    /// The caller's: a value that cannot be.
    #[error("{member}: {reason}")]
    BadValue {
        /// The request's member.
        member: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The caller's: too much at once.
    #[error("{limit} {what} are open already")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The user's, whose programs take up too much memory where others are to find room as well.
    #[error(
        "this user's programs take up {} MiB of the daemon's memory, and that is the limit; sign out of some accounts, or close private caches and applications",
        limit >> 20
    )]
    NoRoom {
        /// In bytes.
        limit: usize,
    },
    /// The person's: did not finish in time.
    #[error("the sign-in was not finished in time")]
    FlowTimedOut,
    /// The person's, or the caller's: cancelled.
    #[error("the sign-in was cancelled")]
    FlowCancelled,
    /// The redirect did not pass its checks.
    #[error("{0}")]
    Redirect(#[from] RedirectError),
    /// The ID token is not the one that was asked for; nothing was stored.
    #[error("{0}")]
    IdToken(#[from] IdTokenError),
    /// The authority's: no usable metadata.
    #[error("{0}")]
    Discovery(#[from] DiscoveryError),
    /// The provider's: it refused, is out of order, or broke the protocol.
    #[error("{0}")]
    Token(#[from] TokenResponseError),
    /// Nobody's: an answer of the provider was lost, and the refresh token, which it had rotated, is refused the next time.
    /// Most providers take that for theft and end the whole sign-in.
    #[error("{0}, after an earlier answer of its was lost")]
    AnswerLost(Box<OAuthError>),
    /// The authority's: it does not say who knows a user's password.
    #[error("{0}")]
    UserRealm(#[from] UserRealmError),
    /// The user's domain's: it refused, is out of order, or broke the protocol.
    #[error("{0}")]
    WsTrust(#[from] WsTrustError),
    /// The platform's, whose managed identity cannot be had; what its source answered is a [`Error::Token`].
    #[error("{0}")]
    ManagedIdentity(ManagedIdentityError),
    /// The machine's: the key of Azure Arc's agent cannot be read.
    #[error("{0}")]
    KeyFile(#[from] KeyFileError),
    /// The network's.
    #[error("{0}")]
    Transport(#[from] TransportError),
    /// The disk's, or the key's.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// The machine's: no loopback port.
    #[error("{0}")]
    Listen(#[from] ListenError),
    /// Ours, on the way out.
    #[error("the daemon is stopping")]
    ShuttingDown,
    /// Ours.
    #[error("defect: {0}")]
    Bug(&'static str),
}

/// Why nothing in the cache helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignInReason {
    /// Nobody has signed in to this application's provider.
    #[error("nobody is signed in")]
    NoAccount,
    /// The account is there, but no refresh token that this application may use.
    #[error("no refresh token for this account and application")]
    NoRefreshToken,
    /// A service wants to go on for a user who is gone, under a key that begins nothing.
    #[error("no long-running process has this key, or the provider has ended it")]
    NoProcess,
}

impl From<ManagedIdentityError> for Error {
    fn from(error: ManagedIdentityError) -> Self {
        match error {
            ManagedIdentityError::Answer(error) => Self::Token(error),
            other => Self::ManagedIdentity(other),
        }
    }
}

impl Error {
    /// The provider's refusal, when that is what it is.
    pub fn refusal(&self) -> Option<&OAuthError> {
        match self {
            Self::Token(TokenResponseError::Refused(refusal)) | Self::AnswerLost(refusal) => {
                Some(refusal)
            }
            _ => None,
        }
    }

    /// The same for a refresh token of which an earlier answer was lost: where it is dead now, that is why.
    pub(crate) fn after_lost_answer(self) -> Self {
        match self {
            Self::Token(TokenResponseError::Refused(refusal))
                if refusal.is_dead_refresh_token() =>
            {
                Self::AnswerLost(refusal)
            }
            other => other,
        }
    }

    /// True when the provider may have given an answer that is saved nowhere.
    pub(crate) fn may_lose_an_answer(&self) -> bool {
        match self {
            Self::Transport(TransportError::Connect { .. }) => false,
            Self::Transport(_) | Self::Store(_) => true,
            _ => false,
        }
    }

    /// True when the fault is passing and lies between us and the provider, so that an aging token is the better answer.
    pub fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Transport(_)
                | Self::Token(
                    TokenResponseError::Unavailable { .. }
                        | TokenResponseError::ServerMisbehaved(_)
                )
                | Self::Discovery(DiscoveryError::Unavailable { .. })
                | Self::UserRealm(UserRealmError::Unavailable { .. })
                | Self::WsTrust(WsTrustError::Unavailable { .. })
        )
    }
}
