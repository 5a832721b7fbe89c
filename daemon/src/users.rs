//! The users and groups of this machine, by name: those of `/etc/passwd` and those of a directory (LDAP, sssd), as the
//! system's own look-up has them. It may wait for a server, so it belongs on a thread that may hang (`file_work.rs`).

use valetkey_model::Partition;
use valetkey_policy::Members;

use crate::config::{self, UserName};

/// The partition of a user whom the configuration names; `None` when there is no such user.
#[cfg(unix)]
pub fn find_user(user: &UserName) -> Option<Partition> {
    match user {
        UserName::Id(uid) => Some(Partition::of_uid(*uid)),
        UserName::Name(name) => {
            let found = nix::unistd::User::from_name(name).inspect_err(|error| {
                tracing::warn!(%error, name, "a user of the configuration cannot be looked up");
            });
            Some(Partition::of_uid(found.ok()??.uid.as_raw()))
        }
    }
}

/// By its SID.
#[cfg(not(unix))]
pub fn find_user(user: &UserName) -> Option<Partition> {
    match user {
        UserName::Id(_) => None,
        UserName::Name(sid) => Some(Partition::of_sid(sid)),
    }
}

/// Those of the users and groups whom the configuration names that there are.
pub fn find_members(config::Members(names): &config::Members) -> Members {
    let mut members = Members::default();
    for user in names {
        match user {
            UserName::Name(name) if name.starts_with(GROUP) => {
                members.groups.extend(find_group(&name[GROUP.len_utf8()..]));
            }
            user => members.users.extend(find_user(user)),
        }
    }
    members
}

/// As [`find_members`], without those who are named by a name: nobody is asked.
pub fn numbered_members(config::Members(names): &config::Members) -> Members {
    let numbered = names.iter().filter(|user| matches!(user, UserName::Id(_)));
    Members { users: numbered.filter_map(find_user).collect(), ..Members::default() }
}

#[cfg(unix)]
fn find_group(name: &str) -> Option<u32> {
    let found = nix::unistd::Group::from_name(name).inspect_err(|error| {
        tracing::warn!(%error, name, "a group of the configuration cannot be looked up");
    });
    Some(found.ok()??.gid.as_raw())
}

#[cfg(not(unix))]
fn find_group(_name: &str) -> Option<u32> {
    None
}

/// What a group's name begins with in the configuration.
const GROUP: char = '@';

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_by_the_whole_name() {
        for (name, uid) in [("root", Some(0)), ("roo", None), ("", None), ("@root", None)] {
            let found = find_user(&UserName::Name(name.to_owned()));
            assert_eq!(found, uid.map(Partition::of_uid), "{name}");
        }
        let name = |name: &str| UserName::Name(name.to_owned());
        let listed = [name("root"), UserName::Id(7), name("@root"), name("@nowhere"), name("x@y")];
        let listed = config::Members(listed.to_vec());
        let users = [0, 7].map(Partition::of_uid).into();
        assert_eq!(find_members(&listed), Members { users, groups: [0].into() });
        let users = [7].map(Partition::of_uid).into();
        assert_eq!(numbered_members(&listed), Members { users, ..Members::default() });
    }
}
