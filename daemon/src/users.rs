//! The users and groups of this machine, by name: those of `/etc/passwd` and those of a directory (LDAP, sssd), as the
//! system's own look-up has them. It may wait for a server, so it belongs on a thread that may hang (`file_work.rs`).

mod directory;

use std::io;

use valetkey_model::Partition;
use valetkey_policy::Members;

pub use self::directory::{Directory, Found, LookUpError};
use crate::config::{self, UserName};

/// The partition of a user whom the configuration names; `None` when there is no such user, or it cannot be looked up.
pub fn find_user(user: &UserName) -> Option<Partition> {
    let found = look_up(user).inspect_err(|error| {
        tracing::warn!(%error, %user, "a user of the configuration cannot be looked up");
    });
    found.ok()?
}

#[cfg(unix)]
fn look_up(user: &UserName) -> io::Result<Option<Partition>> {
    Ok(match user {
        UserName::Id(uid) => Some(Partition::of_uid(*uid)),
        UserName::Name(name) => {
            nix::unistd::User::from_name(name)?.map(|user| Partition::of_uid(user.uid.as_raw()))
        }
    })
}

/// By its SID.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the signature is that of Unix")]
fn look_up(user: &UserName) -> io::Result<Option<Partition>> {
    Ok(match user {
        UserName::Id(_) => None,
        UserName::Name(sid) => Some(Partition::of_sid(sid)),
    })
}

/// Those of the users and groups whom the configuration names that there are; `begin` and `miss` are told of each that is looked
/// up, and of each that there is not.
pub fn find_members(
    config::Members(names): &config::Members,
    begin: impl Fn(&UserName),
    mut miss: impl FnMut(&UserName),
) -> Members {
    let mut members = Members::default();
    for user in names {
        begin(user);
        let is_found = match user {
            UserName::Name(name) if name.starts_with(GROUP) => {
                let group = find_group(&name[GROUP.len_utf8()..]);
                group.map(|group| members.groups.insert(group)).is_some()
            }
            user => find_user(user).map(|user| members.users.insert(user)).is_some(),
        };
        if !is_found {
            miss(user);
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
        let mut missed = Vec::new();
        let found = find_members(&listed, |_| (), |user| missed.push(user.to_string()));
        assert_eq!(found, Members { users, groups: [0].into() });
        assert_eq!(missed, ["\"@nowhere\"", "\"x@y\""]);
        let users = [7].map(Partition::of_uid).into();
        assert_eq!(numbered_members(&listed), Members { users, ..Members::default() });
    }
}
