//! Applications that rules name, and by what they are known whatever spelling a program opens them by.

use valetkey_model::WELL_KNOWN_HOSTS;

use crate::subject::Application;

/// An application that a rule names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedApp {
    /// As the rule names it: by its name in the configuration, or its client id.
    pub name: String,
    /// What the configuration declares by this name. Whoever opens it by a definition of its own opens the same.
    pub declared: Option<DeclaredApp>,
}

/// By what an application that the configuration declares is known, however it is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredApp {
    /// RFC 6749 `client_id`.
    pub client_id: String,
    /// The provider's names in the cache.
    pub environments: Vec<String>,
}

impl NamedApp {
    pub(crate) fn is(&self, application: Application<'_>) -> bool {
        application.name == Some(&self.name)
            || is_same_client(&self.name, application.client_id)
            || self.declared.as_ref().is_some_and(|declared| declared.is(application))
    }
}

impl DeclaredApp {
    fn is(&self, application: Application<'_>) -> bool {
        let serves = |known: &String| is_served_by(known, application.environment);
        is_same_client(&self.client_id, application.client_id)
            && self.environments.iter().any(serves)
    }
}

/// Whether a host serves what is known by this name. Microsoft's clouds have regions and the like below their names, which
/// answer as the cloud does.
fn is_served_by(known: &str, host: &str) -> bool {
    let (known, host) = (central_host(known), central_host(host));
    let is_below = || host.strip_suffix(known).is_some_and(|rest| rest.ends_with('.'));
    known == host || (WELL_KNOWN_HOSTS.contains(&known) && is_below())
}

/// The public cloud answers for North America by a name of its own.
fn central_host(host: &str) -> &str {
    match host {
        "login-us.microsoftonline.com" => "login.microsoftonline.com",
        host => host,
    }
}

/// Whether both are one client id. Letter case says nothing in those of Entra's, which are GUIDs, nor do braces and hyphens.
fn is_same_client(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
        || (is_guid(one) && is_guid(other) && guid_digits(one).eq(guid_digits(other)))
}

fn is_guid(text: &str) -> bool {
    guid_digits(text).count() == 32 && guid_digits(text).all(|digit| digit.is_ascii_hexdigit())
}

/// What is left of a GUID without what its spellings differ in (as .NET's `N`, `D`, `B`, `P` and `X` do).
fn guid_digits(text: &str) -> impl Iterator<Item = u8> {
    let bytes = text.as_bytes();
    let begins_prefix =
        |place: usize| bytes[place..].starts_with(b"0x") || bytes[place..].starts_with(b"0X");
    let digits = (0..bytes.len())
        .filter(move |place| !begins_prefix(*place) && !b"xX-{}(), ".contains(&bytes[*place]));
    digits.map(|place| bytes[place].to_ascii_lowercase())
}
