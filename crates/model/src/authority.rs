//! Authorities: which provider and which tenant (MSAL's rules, `spec/msal-python.md` section 3). Which dialect it speaks is in
//! `authority/kind.rs`.

mod kind;

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

pub use self::kind::{AuthorityKind, WELL_KNOWN_HOSTS};
use self::kind::{classify, is_microsofts, path_segments};
use crate::text::steers_display;

/// The longest authority that is taken, in bytes.
const MAX_AUTHORITY: usize = 2048;

/// What an application says beside the URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorityOptions {
    /// The URL was given as `oidc_authority`.
    pub oidc: bool,
    /// False: the application vouches for the host, which is then not validated.
    pub validate: bool,
}

impl Default for AuthorityOptions {
    fn default() -> Self {
        Self { oidc: false, validate: true }
    }
}

/// Why a text is no authority.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorityError {
    /// Not a URL, or one without a host.
    #[error(
        "authority {text:?} is no URL; it reads like \"https://login.microsoftonline.com/your-tenant\""
    )]
    NoUrl {
        /// What was given.
        text: String,
    },
    /// Tokens must not travel in the clear; only a provider on this very machine may be spoken to without TLS.
    #[error("authority {text:?} must begin with https:// (http:// is for loopback addresses only)")]
    NotHttps {
        /// What was given.
        text: String,
    },
    /// An Entra authority names a tenant.
    #[error(
        "authority {text:?} lacks a tenant: add /common, /organizations, /consumers or your tenant id \
         to it, or use oidc_authority for a provider that is not Entra"
    )]
    NoTenant {
        /// What was given.
        text: String,
    },
    /// Longer than any honest one; it is kept for as long as the application is.
    #[error("authority is longer than {MAX_AUTHORITY} bytes")]
    TooLong,
    /// Readers of URLs drop or replace these in silence, so that the text would name another provider than it shows.
    #[error(
        "authority {text:?} has white space, a backslash or a control character in it; remove what does not belong there"
    )]
    ForbiddenCharacter {
        /// What was given.
        text: String,
    },
    /// A password in a URL ends up in logs.
    #[error("authority has a user name or password in it; remove that part")]
    HasCredentials,
}

/// A provider that issues tokens, by its URL. Valid by construction: https, or http on loopback; with a host.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Authority {
    url: Url,
    given: Box<str>,
    site: Box<str>,
    environment: Box<str>,
    kind: AuthorityKind,
    known_to_developer: bool,
}

impl Authority {
    /// MSAL's default authority.
    pub const DEFAULT: &str = "https://login.microsoftonline.com/common/";

    /// Parses and classifies `text`.
    ///
    /// # Errors
    /// When it is no URL, is overlong, is not https, carries credentials, or names no tenant where one is needed.
    pub fn parse(text: &str, options: AuthorityOptions) -> Result<Self, AuthorityError> {
        if text.len() > MAX_AUTHORITY {
            return Err(AuthorityError::TooLong);
        }
        let given = text.trim();
        let parsed = Url::parse(given).ok();
        // Before any refusal that repeats the text.
        if has_credentials(given, parsed.as_ref()) {
            return Err(AuthorityError::HasCredentials);
        }
        if given.contains(|c: char| c.is_whitespace() || c == '\\' || steers_display(c)) {
            return Err(AuthorityError::ForbiddenCharacter { text: text.to_owned() });
        }
        let no_url = || AuthorityError::NoUrl { text: text.to_owned() };
        let mut url = parsed.ok_or_else(no_url)?;
        let was_rooted = leave_root_out(&mut url);
        let names_a_host =
            |host: &Host<&str>| !matches!(host, Host::Domain(name) if name.ends_with('.'));
        let host = url.host().filter(names_a_host).ok_or_else(no_url)?;
        if !(url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&host))) {
            return Err(AuthorityError::NotHttps { text: text.to_owned() });
        }
        let kind = classify(&url, options.oidc);
        let needs_tenant = !matches!(kind, AuthorityKind::Ciam | AuthorityKind::Oidc);
        if needs_tenant && path_segments(&url).next().is_none() {
            return Err(AuthorityError::NoTenant { text: text.to_owned() });
        }
        let known_to_developer = !options.validate || kind != AuthorityKind::Entra;
        let site = match (host.to_string(), url.port()) {
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host,
        };
        let environment = match kind {
            AuthorityKind::Oidc | AuthorityKind::Dsts => site.clone() + &fold_proof_path(&url),
            _ => site.clone(),
        };
        let given = if was_rooted { url.as_str() } else { given };
        // Percent-encoded it is longer.
        if given.len() > MAX_AUTHORITY {
            return Err(AuthorityError::TooLong);
        }
        let (given, site, environment) = (given.into(), site.into(), environment.into());
        Ok(Self { url, given, site, environment, kind, known_to_developer })
    }

    /// Which dialect it speaks.
    pub fn kind(&self) -> AuthorityKind {
        self.kind
    }

    /// The host in lower case without its port: MSAL's "instance".
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The host, and its port where that is not the scheme's own: what a policy names.
    pub fn site(&self) -> &str {
        &self.site
    }

    /// The cache's `environment`: the [site](Self::site), and for a generic provider the issuer's path as well. (MSAL takes
    /// the bare host. That would let two providers on one machine, or two realms of one server, see each other's accounts
    /// and be sent each other's refresh tokens.) It has no upper case, since cache keys are folded to lower case: a capital
    /// of the path is percent-encoded in it.
    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// True when Microsoft's list of hosts has it, so that no instance discovery is needed.
    pub fn has_well_known_host(&self) -> bool {
        WELL_KNOWN_HOSTS.contains(&self.host())
    }

    /// True when `url`, which this authority's metadata name, is no further away than the authority itself: on the same
    /// origin, or at Microsoft. Microsoft's own hosts may name any.
    pub fn vouches_for(&self, url: &Url) -> bool {
        let at_microsoft = |url: &Url| url.scheme() == "https" && is_microsofts(url);
        self.url.origin() == url.origin() || at_microsoft(url) || at_microsoft(&self.url)
    }

    /// True when the application vouches for the host: no instance discovery, no alias look-up.
    pub fn is_known_to_developer(&self) -> bool {
        self.known_to_developer
    }

    /// True for a provider on this machine that is spoken to without TLS.
    pub fn is_plain_http(&self) -> bool {
        self.url.scheme() == "http"
    }

    /// The first path segment: the tenant as the application named it. CIAM may leave it out; it is then
    /// `{sub-domain}.onmicrosoft.com`.
    pub fn tenant(&self) -> String {
        match path_segments(&self.url).next() {
            Some(segment) => segment.to_owned(),
            None if self.kind == AuthorityKind::Ciam => {
                let name = self.host().split('.').next().unwrap_or_default();
                format!("{name}.onmicrosoft.com")
            }
            None => String::new(),
        }
    }

    /// The parsed URL.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The same provider and dialect at another tenant or host alias.
    ///
    /// # Errors
    /// As [`Authority::parse`].
    pub fn with_host(&self, host: &str) -> Result<Self, AuthorityError> {
        let text = format!("https://{host}{}", self.url.path());
        let options = AuthorityOptions { oidc: false, validate: !self.known_to_developer };
        Self::parse(&text, options)
    }

    /// The same authority for another of its tenants; none when it is no Entra authority, or the text names no tenant.
    pub fn with_tenant(&self, tenant: &str) -> Option<Self> {
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if self.kind != AuthorityKind::Entra || !tenant.bytes().all(is_plain) {
            return None;
        }
        let text = format!("{}/{tenant}", self.url.origin().ascii_serialization());
        let options = AuthorityOptions { oidc: false, validate: !self.known_to_developer };
        Self::parse(&text, options).ok().filter(|other| other.kind == self.kind)
    }

    /// The text as the application gave it, white space trimmed.
    pub fn as_str(&self) -> &str {
        &self.given
    }

    /// The same without slashes at its end, which name nothing.
    pub fn without_last_slash(&self) -> &str {
        match self.given.contains(['?', '#']) {
            true => &self.given,
            false => self.given.trim_end_matches('/'),
        }
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({}, {:?})", self.given, self.kind)
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.given)
    }
}

/// Path and query in a form that folding to lower case cannot confuse with another: a capital is percent-encoded, which
/// names the same resource (RFC 3986 section 6.2.2.2). In an escape, case says nothing.
fn fold_proof_path(url: &Url) -> String {
    let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut folded = String::new();
    let mut in_escape = 0;
    for letter in url.path().trim_end_matches('/').chars().chain(query.chars()) {
        match letter {
            'A'..='Z' if in_escape == 0 => folded += &format!("%{:02x}", u32::from(letter)),
            _ => folded.push(letter.to_ascii_lowercase()),
        }
        in_escape = if letter == '%' { 2 } else { u8::saturating_sub(in_escape, 1) };
    }
    folded
}

/// Takes the dot from a host's end, which stands for DNS's root (RFC 1034 section 3.1): it names the same host. True where
/// there was one.
fn leave_root_out(url: &mut Url) -> bool {
    let Some(host) = url.host_str().filter(|host| host.ends_with('.')) else { return false };
    let host = host.trim_end_matches('.').to_owned();
    !host.is_empty() && url.set_host(Some(&host)).is_ok()
}

/// What is no URL may have them as well.
fn has_credentials(text: &str, url: Option<&Url>) -> bool {
    match url {
        Some(url) => !url.username().is_empty() || url.password().is_some(),
        None => text.split_once("://").is_some_and(|(_, rest)| rest.contains('@')),
    }
}

/// RFC 6761 reserves `localhost` for loopback; RFC 8252 section 7.3 names the two literals.
fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => IpAddr::V4(*address).is_loopback(),
        Host::Ipv6(address) => IpAddr::V6(*address).is_loopback(),
    }
}

#[cfg(test)]
mod tests;
