//! Users of this machine, as a configuration names them.

use std::fmt;

use serde::Deserialize;
use valetkey_model::Partition;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum UserName {
    /// By number.
    Id(u32),
    /// By name; on Windows the SID.
    Name(String),
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "{name:?}"),
        }
    }
}

impl UserName {
    /// Whose tokens are meant; none when there is no such user. It may ask a directory, and so may block.
    pub fn partition(&self) -> Option<Partition> {
        crate::users::find_user(self)
    }
}
