//! Authorities: what is taken is https or loopback, has no credentials in it, and stays the same provider when it is
//! written and read again.

use url::{Host, Url};
use valetkey_model::{Authority, AuthorityError, AuthorityOptions};
use valetkey_oauth::{build_discovery_request, build_instance_discovery_request};

use crate::input::Input;

/// One byte of options, then the text.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let flags = input.byte();
    let options = AuthorityOptions { oidc: flags & 1 != 0, validate: flags & 2 == 0 };
    let Some(text) = input.text() else { return };
    match Authority::parse(text, options) {
        Ok(authority) => check(text, &authority, options),
        Err(error) => check_refusal(text, &error),
    }
}

fn check(text: &str, authority: &Authority, options: AuthorityOptions) {
    let url = authority.url();
    assert!(url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url)), "{text:?}");
    assert!(url.username().is_empty() && url.password().is_none(), "{text:?} has credentials");
    assert!(authority.as_str().len() <= 2048, "{text:?}");
    let is_rooted = Url::parse(text.trim()).is_ok_and(|given| given.host_str() != url.host_str());
    let expected = if is_rooted { url.as_str() } else { text.trim() };
    assert_eq!(authority.as_str(), expected);

    let again = Authority::parse(authority.as_str(), options);
    assert_eq!(again.as_ref(), Ok(authority), "{text:?} is another when it is read again");
    match Authority::parse(url.as_str(), options) {
        Ok(written) => {
            assert_eq!(written.environment(), authority.environment());
            assert_eq!((written.kind(), written.site()), (authority.kind(), authority.site()));
        }
        // Percent-encoded it is longer.
        Err(error) => assert_eq!(error, AuthorityError::TooLong),
    }

    let environment = authority.environment();
    assert!(environment.is_ascii(), "{environment:?}: cache keys are folded as ASCII");
    assert!(!environment.bytes().any(|byte| byte.is_ascii_uppercase()), "{environment:?}");
    assert!(authority.vouches_for(url));
    check_relatives(authority);
    check_requests(authority);
}

/// Another tenant, or another name of the host, is the same provider in the same dialect.
fn check_relatives(authority: &Authority) {
    if let Some(other) = authority.with_tenant("contoso.com") {
        assert_eq!(other.tenant(), "contoso.com");
        assert_eq!((other.site(), other.kind()), (authority.site(), authority.kind()));
    }
    if let Ok(other) = authority.with_host("login.microsoftonline.com") {
        assert_eq!((other.site(), other.url().scheme()), ("login.microsoftonline.com", "https"));
    }
}

/// What is asked about an authority is asked at its own place, or at Microsoft's.
fn check_requests(authority: &Authority) {
    let discovery = build_discovery_request(authority).url;
    assert_eq!(discovery.origin(), authority.url().origin());
    assert!(discovery.path().ends_with("/.well-known/openid-configuration"), "{discovery}");
    assert!(discovery.fragment().is_none());
    let instance = build_instance_discovery_request(authority, None).url;
    assert_eq!(instance.host_str(), Some("login.microsoftonline.com"));
}

/// An error is shown on terminals and in logs.
fn check_refusal(text: &str, error: &AuthorityError) {
    let shown = error.to_string();
    assert!(!shown.contains(char::is_control), "{shown:?}");
    let has_password = match Url::parse(text.trim()) {
        Ok(url) => url.password().is_some(),
        Err(_) => text.split_once("://").is_some_and(|(_, rest)| rest.contains('@')),
    };
    let repeats = !matches!(error, AuthorityError::TooLong | AuthorityError::HasCredentials);
    assert!(!(has_password && repeats), "a password is repeated: {shown}");
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
