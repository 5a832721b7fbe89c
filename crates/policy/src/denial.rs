//! Why something is not done, and what could be done about it.

use crate::admission::Refusal;
use crate::rule::RuleRefusal;

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The system service speaks to configured providers only.
    #[error(
        "this broker does not speak to {site}; its administrator can add it to [policy] authorities"
    )]
    Authority {
        /// The provider that was asked for.
        site: String,
    },
    /// Every URL that a program may have the broker fetch is named by who writes the configuration.
    #[error(
        "this broker asks no instance discovery endpoint {url:?}; who trusts it can add it to [policy] instance_discovery_endpoints of the daemon's configuration"
    )]
    InstanceDiscovery {
        /// The endpoint that was to be asked.
        url: String,
    },
    /// What gives managed identities is elsewhere.
    #[error("{0}")]
    Endpoint(String),
    /// The broker has the application's credential, and the configuration names others for it.
    #[error("application {app:?} is {refusal}")]
    Caller {
        /// The application's name.
        app: String,
        /// Who was not let in.
        refusal: Refusal,
    },
    /// The first rule that fits the caller does not allow it.
    #[error("{rule} of the daemon's configuration {refusal}")]
    Rule {
        /// What the rule is called.
        rule: String,
        /// What it does not allow.
        refusal: RuleRefusal,
    },
    /// The person said no, a while ago.
    #[error("the person who was asked has refused this program the account {username}")]
    Refused {
        /// Whose tokens were asked for.
        username: String,
        /// Until when the person is not asked again, in seconds from now.
        seconds: u64,
    },
    /// The person says what a program's tokens are for, and a field of its own could say something else.
    #[error(
        "the person says what this program's tokens are for, and the field {0:?} of its own may say otherwise"
    )]
    Field(String),
    /// The person was asked and has not answered.
    #[error("nobody has said yet whether this program may use the account {username}")]
    Unanswered {
        /// Whose tokens were asked for.
        username: String,
    },
    /// So many questions wait for the person that one more would not be read.
    #[error("too many questions wait for the person already")]
    TooManyQuestions,
    /// What asked is not what the person was shown.
    #[error("the program has changed since the person was asked about it")]
    ProgramChanged,
    /// Who asks has answered its own question.
    #[error("a program that waits for the person's answer does not give it")]
    OwnAnswer,
    /// A sandbox is a boundary, and what administers would be over it.
    #[error("a program in a sandbox does not administer what is its user's")]
    Sandboxed,
    /// It may have seen to it that nobody sees the sandbox that it is in.
    #[error(
        "whether this program runs in a sandbox cannot be known, as when the process that connected has ended or is hidden from the daemon; such a program \
         does not administer what is its user's"
    )]
    PerhapsSandboxed,
    /// With the cache all leaves that consent and rules keep apart.
    #[error(
        "a cache that consent or a rule keeps programs from is handed out to a program only that a rule lets administer"
    )]
    CacheExportUnsaid,
    /// Who writes the configuration wants no cache to leave.
    #[error(
        "this broker hands out no cache: `forbid_cache_export` in [policy] of the daemon's configuration is true, as it is by \
         default where several users are served"
    )]
    CacheExport,
    /// Who writes the configuration wants nobody to sign in by a code.
    #[error(
        "nobody signs in by a device code here: `forbid_device_code` in [policy] of the daemon's configuration is true"
    )]
    DeviceCode,
    /// The system service takes the proxies of its administrator only.
    #[error(
        "this broker takes no proxy {site}; its administrator can add it to [policy] authorities"
    )]
    Proxy {
        /// The proxy that was asked for.
        site: String,
    },
}

impl Denial {
    /// What the person, or somebody who writes the configuration, can do about it.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Caller { app, refusal } => return Some(refusal.hint(app)),
            Self::Rule { refusal: RuleRefusal::Administration, .. } => {
                "Where the rule that fits a program bounds or forbids anything, it must say `may_administer = true` for the program \
                 to administer; ask who writes the daemon's configuration."
            }
            Self::CacheExportUnsaid => {
                "Put a rule before the others into the daemon's configuration: [[rules]] with \
                 `may_administer = true` and, in `programs`, the path of the program that asks (`command -v valetkey`); take it \
                 out again afterwards."
            }
            Self::Rule { .. } => {
                "Ask who writes the daemon's configuration; the first of its [[rules]] that fits a program decides."
            }
            Self::Refused { .. } => {
                "Run `valetkey grants` to see it; `valetkey grants revoke` has the person asked again before the pause is over."
            }
            Self::Unanswered { .. } => {
                "Answer in the notification, or run `valetkey grants watch` in a terminal; then ask again."
            }
            Self::Field(_) => "Say what the token is for by `scopes`.",
            Self::TooManyQuestions => "Answer them with `valetkey grants watch`; then ask again.",
            Self::ProgramChanged => "Start the program again, and ask again.",
            Self::CacheExport => "Whoever writes the daemon's configuration can set it to false.",
            Self::DeviceCode => {
                "Sign in in a browser that reaches this machine; `valetkey login --no-browser` prints the address to open."
            }
            Self::OwnAnswer => {
                "Run `valetkey grants watch` in a terminal, outside of any container, and answer there."
            }
            Self::Sandboxed | Self::PerhapsSandboxed => {
                "Run `valetkey` in a terminal, or let a rule of the daemon's configuration say `may_administer = true`."
            }
            Self::Authority { .. }
            | Self::InstanceDiscovery { .. }
            | Self::Endpoint(_)
            | Self::Proxy { .. } => return None,
        };
        Some(hint.to_owned())
    }

    /// Seconds after which the answer may be another one.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Refused { seconds, .. } => Some(*seconds),
            _ => None,
        }
    }
}
