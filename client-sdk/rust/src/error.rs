//! What can go wrong between an application and the daemon, by whose turn it is to do something about it.

use std::borrow::Cow;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use valetkey_ipc::{ConnectError, EndpointError};
use valetkey_proto::v1::{ErrorBody, ErrorCode};

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no daemon to talk to. Nothing was asked.
    #[error("{reason}")]
    NoDaemon {
        /// What is in the way.
        reason: NoDaemon,
        /// What a person can do about it.
        hint: Cow<'static, str>,
    },
    /// The daemon answered with an error: its own, or the provider's passed through.
    #[error("{}", .0.describe())]
    Refused(Box<Refusal>),
    /// What answers at the endpoint does not keep to the protocol, as a daemon of another release may.
    #[error("read the daemon's answer: {0}")]
    Protocol(#[from] ProtocolError),
    /// The connection broke.
    #[error("talk to the daemon: {0}")]
    Io(#[from] io::Error),
}

/// An answer with an error body.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// What the daemon said.
    pub body: ErrorBody,
}

/// Why there is no daemon to talk to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoDaemon {
    /// The environment names no endpoint.
    #[error(transparent)]
    NoEndpoint(#[from] EndpointError),
    /// Nobody listens, or nobody who may be trusted.
    #[error(transparent)]
    Unreachable(#[from] ConnectError),
    /// Nobody listens, and there is nothing to start.
    #[error("start valetkeyd: it is neither beside this program nor on PATH")]
    NotInstalled,
    /// The program is there, but does not start.
    #[error("start {}: {source}", program.display())]
    NotStartable {
        /// The daemon's program.
        program: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It was started and ended again.
    #[error("start {}: {}", program.display(), describe_end(*status, last_words))]
    Exited {
        /// The daemon's program.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The last line of its log, or why it has none; nothing in it steers a terminal.
        last_words: String,
        /// Where the rest of what it said is.
        log: Option<PathBuf>,
    },
    /// It was started and does not listen.
    #[error("start {}: it runs, but does not listen", program.display())]
    NotListening {
        /// The daemon's program.
        program: PathBuf,
        /// Where it says what it does.
        log: Option<PathBuf>,
    },
}

/// How an answer breaks the protocol. None of these carries a part of the answer, which may hold a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProtocolError {
    /// Neither HTTP/1.1 nor anything like it.
    #[error("it is no HTTP")]
    NotHttp,
    /// Neither a length nor, for events, chunks: nobody knows where it ends.
    #[error("it does not tell its length")]
    NoLength,
    /// More than any honest answer has.
    #[error("it is absurdly long")]
    TooLarge,
    /// More bytes came than were announced.
    #[error("it is longer than it says")]
    Surplus,
    /// The connection was closed before a byte of it.
    #[error("the connection was closed without one")]
    HungUp,
    /// The connection was closed in the middle of it.
    #[error("it broke off")]
    BrokeOff,
    /// The body is not the JSON that belongs to this call.
    #[error(
        "status {status} came with a body that this version does not understand (column {column})"
    )]
    NotUnderstood {
        /// The HTTP status.
        status: u16,
        /// Where in the body, in bytes.
        column: usize,
    },
}

impl Error {
    pub(crate) fn no_daemon(reason: impl Into<NoDaemon>) -> Self {
        let reason = reason.into();
        let hint = reason.hint();
        Self::NoDaemon { reason, hint }
    }

    pub(crate) fn refused(status: u16, body: ErrorBody) -> Self {
        Self::Refused(Box::new(Refusal { status, body }))
    }

    /// What the daemon said, if it said anything.
    pub fn body(&self) -> Option<&ErrorBody> {
        match self {
            Self::Refused(refusal) => Some(&refusal.body),
            _ => None,
        }
    }

    /// The daemon's code (`proto/error-codes.md`) or the provider's.
    pub fn code(&self) -> Option<&str> {
        self.body().map(|body| body.error.as_str())
    }

    /// True when the daemon answered with this code of its own.
    pub fn is(&self, code: ErrorCode) -> bool {
        self.code() == Some(code.as_str())
    }

    /// True when only a person's sign-in brings a token: start a flow.
    pub fn is_sign_in_needed(&self) -> bool {
        self.body().is_some_and(|body| {
            // Beside the daemon's own codes those with which a provider asks for the person (OIDC Core section 3.1.2.6),
            // and a dead refresh token (RFC 6749 section 5.2). A claims challenge is answered by a sign-in as well.
            let asks_for_the_person = [
                ErrorCode::SignInNeeded.as_str(),
                ErrorCode::UnknownAccount.as_str(),
                "invalid_grant",
                "interaction_required",
                "login_required",
                "consent_required",
            ];
            body.claims.is_some() || asks_for_the_person.contains(&body.error.as_str())
        })
    }

    /// How long to wait before asking again, when the daemon or the provider said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.body().and_then(|body| body.retry_after).map(Duration::from_secs)
    }

    /// What to do next, for a person.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::NoDaemon { hint, .. } => Some(hint),
            Self::Refused(refusal) => refusal.body.hint.as_deref(),
            Self::Protocol(ProtocolError::HungUp) => {
                Some("the daemon may have ended; valetkeyd.log in its state folder tells why")
            }
            Self::Protocol(_) => Some("install the daemon and this program in the same release"),
            Self::Io(_) => None,
        }
    }
}

impl Refusal {
    fn describe(&self) -> String {
        match self.body.error_description.as_str() {
            "" => self.body.error.clone(),
            description => format!("{description} ({})", self.body.error),
        }
    }
}

impl NoDaemon {
    fn hint(&self) -> Cow<'static, str> {
        if let Self::Exited { log: Some(log), .. } | Self::NotListening { log: Some(log), .. } =
            self
        {
            return format!("its log is {}", log.display()).into();
        }
        self.fixed_hint().into()
    }

    fn fixed_hint(&self) -> &'static str {
        match self {
            Self::NoEndpoint(_) => "set VALETKEY_SOCKET to a path in a folder of your own",
            Self::Unreachable(ConnectError::NotRunning { endpoint })
                if endpoint.is_of_the_system() =>
            {
                "ask the administrator to start the service (`systemctl start valetkeyd`), or have a daemon of your own: \
                 set VALETKEY_SOCKET to a path in a folder of your own"
            }
            Self::Unreachable(ConnectError::NotRunning { .. }) => "run `valetkeyd`",
            Self::Unreachable(ConnectError::PathTooLong(_)) => {
                "set VALETKEY_SOCKET to a shorter path"
            }
            Self::Unreachable(ConnectError::Impostor { .. }) => {
                "nothing was sent; set VALETKEY_SOCKET to a path in a folder of your own"
            }
            Self::Unreachable(ConnectError::Io { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                "the socket is another user's; set VALETKEY_SOCKET to a path in a folder of your own"
            }
            Self::Unreachable(_) => "look whether `valetkeyd` hangs, and start it anew",
            Self::NotInstalled => "install valetkey, or set VALETKEY_DAEMON to the program",
            Self::NotStartable { .. } => "set VALETKEY_DAEMON to a program that can be run",
            Self::Exited { .. } | Self::NotListening { .. } => {
                "run `valetkeyd` in a terminal to see why"
            }
        }
    }
}

fn describe_end(status: ExitStatus, last_words: &str) -> String {
    match last_words {
        "" => format!("it ended with {status}"),
        words => format!("{words} ({status})"),
    }
}
