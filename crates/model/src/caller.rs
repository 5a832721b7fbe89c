//! Who asks, as the kernel says.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::{FileId, ProcessId};

/// Whose tokens: one user of the machine. Data of two partitions never meet.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(Arc<str>);

impl Partition {
    /// The partition of a Unix user.
    pub fn of_uid(uid: u32) -> Self {
        Self(format!("uid:{uid}").into())
    }

    /// The partition of a Windows user, by the SID's text form.
    pub fn of_sid(sid: &str) -> Self {
        Self(format!("sid:{sid}").into())
    }

    /// The user's own, of whatever part of it this is.
    pub fn owner(&self) -> Self {
        match self.0.split_once('/') {
            Some((owner, _)) => Self(owner.into()),
            None => self.clone(),
        }
    }

    /// Whether it and this one are the same user's.
    pub fn is_of_owner_of(&self, other: &Self) -> bool {
        let owner = |it: &'_ str| it.find('/').unwrap_or(it.len());
        self.0[..owner(&self.0)] == other.0[..owner(&other.0)]
    }

    /// The Unix user whose it is, if it is one's.
    pub fn uid(&self) -> Option<u32> {
        let (kind, rest) = self.0.split_once(':')?;
        let number = rest.split('/').next()?;
        (kind == "uid").then(|| number.parse().ok()).flatten()
    }

    /// The part of this user's partition that only one application sees, by its `mark`.
    pub fn of_application(&self, mark: &str) -> Self {
        Self(format!("{}/app:{mark}", self.0).into())
    }

    /// A part of this user's partition that is never stored, by its `mark`.
    pub fn in_memory(&self, mark: &str) -> Self {
        Self(format!("{}/memory:{mark}", self.0).into())
    }

    /// A part of this user's partition that is never stored and that its program may read and replace, by its `mark`.
    pub fn private(&self, mark: &str) -> Self {
        Self(format!("{}/private:{mark}", self.0).into())
    }

    /// Where it is kept what this user has said about programs and accounts.
    pub fn of_grants(&self) -> Self {
        Self(format!("{}/grants", self.0).into())
    }

    /// Where the secrets are that the configuration refers to. It is nobody's: no caller's partition leads to it.
    pub fn of_secrets() -> Self {
        Self("secrets".into())
    }

    /// Whether nothing of it is ever stored.
    pub fn is_in_memory(&self) -> bool {
        self.is_private() || self.0.contains("/memory:")
    }

    /// Whether it is of [`Self::private`].
    pub fn is_private(&self) -> bool {
        self.0.contains("/private:")
    }

    /// A partition by the name it was stored under.
    pub fn from_stored(name: &str) -> Self {
        Self(name.into())
    }

    /// The stored name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partition({})", self.0)
    }
}

/// The program at the other end of a connection, as the kernel named it when it connected. The partition comes from the socket
/// itself and is the boundary; process and program are facts to show and for soft rules, never authority (a process may exec
/// after it connected).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user, from the socket itself.
    pub partition: Partition,
    /// The groups of the user that the process had when it connected, from the socket itself; empty where the platform does not
    /// tell, and where nobody but the daemon's own user is let in.
    pub groups: Vec<u32>,
    /// The process that connected, where the platform tells and while it lived.
    pub process: Option<ProcessId>,
    /// Its executable when it connected; absent when unreadable.
    pub program: Option<PathBuf>,
    /// The file of that executable, where the platform tells.
    pub program_file: Option<FileId>,
}

impl Caller {
    /// Somebody of whom nothing is known but whose they are.
    pub fn of(partition: Partition) -> Self {
        Self { partition, groups: Vec::new(), process: None, program: None, program_file: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_a_users_partition_is_that_users() {
        let user = Partition::of_uid(1000);
        let parts =
            [user.clone(), user.of_application("a"), user.in_memory("b"), user.private("c/d:9")];
        for part in parts.iter().cloned().chain([parts[1].private("e")]) {
            assert_eq!((part.owner(), part.uid()), (user.clone(), Some(1000)), "{part:?}");
            assert!(
                part.is_of_owner_of(&parts[2]) && !part.is_of_owner_of(&Partition::of_uid(100))
            );
        }
        for other in [Partition::of_sid("S-1-5-21-7"), Partition::of_secrets()] {
            assert_eq!((other.owner(), other.uid()), (other.clone(), None));
        }
    }
}
