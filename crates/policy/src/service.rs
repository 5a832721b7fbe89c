//! Whom a daemon is for that serves several users of the machine, and who sees to it.
//!
//! To see to a daemon is to administer what all share: its secrets, its store's key. It opens nobody's tokens, accounts or
//! records: those follow from whose partition it is, for root as for anybody.

use std::collections::HashSet;

use valetkey_model::{Caller, Partition};

/// Some users of the machine. An empty set has nobody in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Members {
    /// One by one.
    pub users: HashSet<Partition>,
    /// By the groups that the kernel told of when they connected.
    pub groups: HashSet<u32>,
}

/// The users that may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Users {
    /// Every user of the machine.
    All,
    /// These alone.
    Listed(Members),
}

/// Whom a daemon is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Clientele {
    /// The user that it runs as, who sees to it as well. The endpoint lets in nobody else.
    OwnUser,
    /// Users of the machine.
    Several {
        /// Who may connect.
        users: Users,
        /// Who sees to it, beside root; they may connect as well.
        administrators: Members,
    },
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceDenial {
    /// The service is for others.
    #[error("this machine's valetkey is not for this user")]
    Connection,
    /// It is for those who see to the service.
    #[error(
        "this is for those who administer this machine's valetkey: root, and who is in `administrators` in [service] of its \
         configuration"
    )]
    Administration,
}

impl ServiceDenial {
    /// What the user can do about it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Connection => {
                "Its administrator can add you to `users` in [service] of its configuration; or have a daemon of your own: set \
                 VALETKEY_SOCKET to a path in a folder of your own."
            }
            Self::Administration => "Ask one of them.",
        }
    }
}

impl Members {
    fn include(&self, caller: &Caller) -> bool {
        let is_in = |group: &u32| self.groups.contains(group);
        self.users.contains(&caller.partition) || caller.groups.iter().any(is_in)
    }
}

/// Whether the caller may use the daemon at all.
///
/// # Errors
/// When it is for others.
pub fn decide_connection(clientele: &Clientele, caller: &Caller) -> Result<(), ServiceDenial> {
    let is_meant = match clientele {
        Clientele::OwnUser | Clientele::Several { users: Users::All, .. } => true,
        Clientele::Several { users: Users::Listed(listed), .. } => listed.include(caller),
    };
    let is_in = is_meant || decide_on_shared_administration(clientele, caller).is_ok();
    is_in.then_some(()).ok_or(ServiceDenial::Connection)
}

/// Whether the caller may see to what all users of the daemon share.
///
/// # Errors
/// When that is for others.
pub fn decide_on_shared_administration(
    clientele: &Clientele,
    caller: &Caller,
) -> Result<(), ServiceDenial> {
    let is_administrator = match clientele {
        Clientele::OwnUser => true,
        Clientele::Several { administrators, .. } => {
            caller.partition == Partition::of_uid(ROOT) || administrators.include(caller)
        }
    };
    is_administrator.then_some(()).ok_or(ServiceDenial::Administration)
}

const ROOT: u32 = 0;

#[cfg(test)]
mod tests {
    use super::*;

    const STAFF: u32 = 50;

    fn caller(uid: u32, groups: &[u32]) -> Caller {
        Caller { groups: groups.to_vec(), ..Caller::of(Partition::of_uid(uid)) }
    }

    fn members(uids: &[u32], groups: &[u32]) -> Members {
        Members {
            users: uids.iter().copied().map(Partition::of_uid).collect(),
            groups: groups.iter().copied().collect(),
        }
    }

    fn check(clientele: &Clientele, caller: &Caller, connects: bool, administers: bool) {
        let decided = (
            decide_connection(clientele, caller).is_ok(),
            decide_on_shared_administration(clientele, caller).is_ok(),
        );
        assert_eq!(decided, (connects, administers), "{clientele:?} {caller:?}");
    }

    #[test]
    fn a_daemon_of_one_user_is_that_users() {
        check(&Clientele::OwnUser, &caller(1000, &[]), true, true);
    }

    #[test]
    fn a_daemon_of_all_users_is_seen_to_by_root_and_those_who_are_named() {
        let all = |administrators| Clientele::Several { users: Users::All, administrators };
        check(&all(Members::default()), &caller(1000, &[STAFF]), true, false);
        check(&all(Members::default()), &caller(0, &[]), true, true);
        check(&all(members(&[1000], &[])), &caller(1000, &[]), true, true);
        check(&all(members(&[1000], &[])), &caller(1001, &[]), true, false);
        check(&all(members(&[], &[STAFF])), &caller(1001, &[7, STAFF]), true, true);
        check(&all(members(&[], &[STAFF])), &caller(STAFF, &[]), true, false);
    }

    #[test]
    fn a_list_lets_in_whom_it_names_and_administrators_and_an_empty_one_nobody_else() {
        let listed = |users, administrators| Clientele::Several {
            users: Users::Listed(users),
            administrators,
        };
        let nobody = Members::default;
        check(&listed(nobody(), nobody()), &caller(1000, &[1000]), false, false);
        check(&listed(nobody(), nobody()), &caller(0, &[]), true, true);
        check(&listed(members(&[1000], &[]), nobody()), &caller(1000, &[]), true, false);
        check(&listed(members(&[1000], &[]), nobody()), &caller(1001, &[1000]), false, false);
        check(&listed(members(&[], &[STAFF]), nobody()), &caller(1001, &[STAFF]), true, false);
        check(&listed(nobody(), members(&[1001], &[])), &caller(1001, &[]), true, true);
    }
}
