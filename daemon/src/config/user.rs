//! Users of this machine, as a configuration names them.

use serde::Deserialize;
use valetkey_model::Partition;

/// A user of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum UserName {
    /// By number.
    Id(u32),
    /// By name; on Windows the SID.
    Name(String),
}

impl UserName {
    /// Whose tokens are meant; none when there is no such user. It reads a file, and so may block.
    #[cfg(unix)]
    pub fn partition(&self) -> Option<Partition> {
        match self {
            Self::Id(uid) => Some(Partition::of_uid(*uid)),
            Self::Name(name) => {
                let users = std::fs::read_to_string("/etc/passwd").ok()?;
                find_uid(&users, name).map(Partition::of_uid)
            }
        }
    }

    /// Whose tokens are meant, by the SID.
    #[cfg(not(unix))]
    pub fn partition(&self) -> Option<Partition> {
        match self {
            Self::Id(_) => None,
            Self::Name(sid) => Some(Partition::of_sid(sid)),
        }
    }
}

/// passwd(5): name, password, number, and more.
#[cfg(unix)]
fn find_uid(users: &str, name: &str) -> Option<u32> {
    let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let mut named = fields.filter(|fields| fields.first() == Some(&name));
    named.next()?.get(2)?.parse().ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let users = "root:x:0:0:root:/root:/bin/bash\nwww-data:x:33:33:::\nbroken:x\n";
        for (name, uid) in
            [("www-data", Some(33)), ("www", None), ("x", None), ("broken", None), ("", None)]
        {
            assert_eq!(find_uid(users, name), uid, "{name}");
        }
    }
}
