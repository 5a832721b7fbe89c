//! What can go wrong on this side of the engine, and the way to the wire for all of it.

use valetkey_engine::Error;
use valetkey_policy::{Denial, ServiceDenial};
use valetkey_proto::v1::ErrorCode;

/// A request that was not done. `to_wire.rs` has the one map from here to status and body.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The request cannot be read, or names nothing that is there.
    #[error("{description}")]
    Request {
        /// Its row in the table of codes.
        code: ErrorCode,
        /// What is wrong, naming the member.
        description: String,
    },
    /// The same, with more to do about it than is said of each such error.
    #[error("{description}")]
    Advised {
        /// Its row in the table of codes.
        code: ErrorCode,
        /// What is wrong.
        description: String,
        /// What a person can do.
        hint: &'static str,
    },
    /// Not so soon.
    #[error("{description}")]
    Later {
        /// Why.
        description: String,
        /// When to try again.
        seconds: u64,
    },
    /// The policy said no.
    #[error("{0}")]
    Denied(#[from] Denial),
    /// The engine could not.
    #[error("{0}")]
    Engine(#[from] Error),
}

impl From<ServiceDenial> for Failure {
    fn from(denial: ServiceDenial) -> Self {
        Self::request(ErrorCode::AccessDenied, denial.to_string()).advising(denial.hint())
    }
}

impl Failure {
    /// A request at fault.
    pub fn request(code: ErrorCode, description: impl Into<String>) -> Self {
        Self::Request { code, description: description.into() }
    }

    /// The same, with what a person can do about it.
    #[must_use]
    pub fn advising(self, hint: &'static str) -> Self {
        match self {
            Self::Request { code, description } | Self::Advised { code, description, .. } => {
                Self::Advised { code, description, hint }
            }
            other => other,
        }
    }

    /// The same, which may be better in so many seconds.
    #[must_use]
    pub fn for_now(self, seconds: u64) -> Self {
        Self::Later { description: self.to_string(), seconds }
    }

    /// A member whose value cannot be.
    pub fn bad_member(member: &str, reason: impl std::fmt::Display) -> Self {
        Self::request(ErrorCode::BadRequest, format!("{member}: {reason}"))
    }
}
