//! Which dialect a provider speaks, by its host and path; and which hosts are Microsoft's.

use url::Url;

/// Hosts of Entra that need no instance discovery.
pub const WELL_KNOWN_HOSTS: [&str; 13] = [
    "login.microsoftonline.com",
    "login.microsoft.com",
    "login.windows.net",
    "sts.windows.net",
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
    "login.microsoftonline.de",
    "login-us.microsoftonline.com",
    "login.microsoftonline.us",
    "login.usgovcloudapi.net",
    "login.sovcloud-identity.fr",
    "login.sovcloud-identity.de",
    "login.sovcloud-identity.sg",
];

/// Hosts of Azure AD B2C and Entra External ID, matched with the leading dot.
const B2C_SUFFIXES: [&str; 4] = [".b2clogin.com", ".b2clogin.cn", ".b2clogin.us", ".b2clogin.de"];
const CIAM_SUFFIX: &str = ".ciamlogin.com";

/// Which dialect the provider speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthorityKind {
    /// Microsoft Entra ID, public or sovereign cloud, or an unknown host that claims to be one.
    Entra,
    /// Active Directory Federation Services: `https://host/adfs`.
    Adfs,
    /// Azure AD B2C: a `b2clogin` host, or a `b2c_…` policy as second path segment.
    B2c,
    /// Entra External ID: `*.ciamlogin.com`.
    Ciam,
    /// Azure's internal security token service: a path that starts with `/dstsv2`; spoken to as plain OIDC.
    Dsts,
    /// Any OpenID Connect provider.
    Oidc,
}

/// MSAL's rule: by host and path alone (`spec/msal-python.md` section 3.3).
pub(super) fn classify(url: &Url, oidc: bool) -> AuthorityKind {
    let host = url.host_str().unwrap_or_default();
    let mut segments = path_segments(url);
    let (first, second, third) = (segments.next(), segments.next(), segments.next());
    let is_policy = |segment: &str| segment.to_ascii_lowercase().starts_with("b2c_");
    if oidc {
        AuthorityKind::Oidc
    } else if first.is_some_and(|segment| segment.starts_with("dstsv2")) {
        AuthorityKind::Dsts
    } else if host.ends_with(CIAM_SUFFIX) {
        AuthorityKind::Ciam
    } else if first.is_some_and(|segment| segment.eq_ignore_ascii_case("adfs")) {
        AuthorityKind::Adfs
    } else if B2C_SUFFIXES.iter().any(|suffix| host.ends_with(suffix))
        || (second.is_some_and(is_policy) && third.is_none())
    {
        AuthorityKind::B2c
    } else {
        AuthorityKind::Entra
    }
}

/// True when the host of `url` is one of Microsoft's.
pub(super) fn is_microsofts(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    WELL_KNOWN_HOSTS.contains(&host)
        || B2C_SUFFIXES.iter().chain([&CIAM_SUFFIX]).any(|suffix| host.ends_with(suffix))
}

/// The segments that are not empty.
pub(super) fn path_segments(url: &Url) -> impl Iterator<Item = &str> {
    url.path().split('/').filter(|segment| !segment.is_empty())
}
