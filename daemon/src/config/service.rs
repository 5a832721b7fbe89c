//! `[service]`: a daemon of the system for several users of the machine.

use std::fmt;

use serde::{Deserialize, Deserializer, de};

use super::UserName;

/// Whom the system's daemon serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct ServiceConfig {
    /// `"all"`, or a list of those who may connect: names and numbers of users, and names of groups behind an `@`. An empty list
    /// lets in nobody but administrators. Without it the daemon serves the user that it runs as, and nobody else.
    pub users: Option<Users>,
    /// Who administers the daemon beside root, as in `users`: its secrets and its store's lock. Nobody's tokens are theirs by it.
    pub administrators: Members,
}

/// Some users of the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(untagged))]
pub enum Users {
    /// Every one of them.
    Everybody(Everybody),
    /// These.
    Listed(Members),
}

/// A word of its own, so that no user can be meant by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename_all = "lowercase"))]
pub enum Everybody {
    /// `"all"`
    All,
}

/// Users by name or number, and groups by their names behind an `@`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Members(pub Vec<UserName>);

/// By hand, for the words of the error.
impl<'de> Deserialize<'de> for Users {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AllOrList;

        impl<'de> de::Visitor<'de> for AllOrList {
            type Value = Users;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"all\", or a list of user names, uids and groups (\"@name\")")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Users, E> {
                match text {
                    "all" => Ok(Users::Everybody(Everybody::All)),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, items: A) -> Result<Users, A::Error> {
                let items = de::value::SeqAccessDeserializer::new(items);
                Members::deserialize(items).map(Users::Listed)
            }
        }

        deserializer.deserialize_any(AllOrList)
    }
}
