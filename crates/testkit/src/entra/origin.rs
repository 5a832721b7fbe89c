//! Under which name a request reached the emulator: a region's host, or a B2C or CIAM tenant's own.
//!
//! All names lead to the same port. `westus2.localhost` resolves to loopback on most systems; others are for clients
//! that map them.

use super::discovery::is_central_host;
use super::message::Request;

/// Hosts that belong to one tenant each, whose documents therefore name the host that was asked.
const TENANT_HOSTS: &[&str] = &[".b2clogin.com", ".ciamlogin.com"];

/// The region of `{region}.{central host}`: `westus2` of `westus2.login.microsoft.com` and of `westus2.localhost:8080`.
pub(crate) fn region_of(request: &Request) -> Option<&str> {
    let (label, rest) = host_of(request)?.split_once('.')?;
    let is_label = !label.is_empty()
        && label
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    (is_label && (rest == "localhost" || is_central_host(rest))).then_some(label)
}

/// What the documents name in this answer: `base_url` as a rule, and the region's or the tenant's host when that was
/// asked.
pub(crate) fn base_url_for(base_url: &str, request: &Request) -> String {
    let authority = request.header("host").unwrap_or("");
    let host = host_of(request).unwrap_or("");
    if region_of(request).is_some() {
        let is_local = host.ends_with(".localhost");
        let scheme = if is_local && base_url.starts_with("http:") { "http" } else { "https" };
        return format!("{scheme}://{authority}");
    }
    if TENANT_HOSTS.iter().any(|suffix| host.ends_with(suffix)) {
        return format!("https://{authority}");
    }
    base_url.to_owned()
}

/// The `Host` header without its port.
fn host_of(request: &Request) -> Option<&str> {
    let host = request.header("host")?;
    Some(host.rsplit_once(':').map_or(host, |(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, region: Option<&str>, base_url: &str) {
        let request =
            Request { headers: [("host".into(), host.into())].into(), ..Request::default() };
        assert_eq!(region_of(&request), region, "{host}");
        assert_eq!(base_url_for("http://127.0.0.1:81", &request), base_url, "{host}");
    }

    #[test]
    fn a_host_may_name_a_region_or_a_tenant() {
        check("127.0.0.1:81", None, "http://127.0.0.1:81");
        check("localhost:81", None, "http://127.0.0.1:81");
        check("login.microsoftonline.com", None, "http://127.0.0.1:81");
        check("westus2.localhost:81", Some("westus2"), "http://westus2.localhost:81");
        check(
            "westus2.login.microsoft.com",
            Some("westus2"),
            "https://westus2.login.microsoft.com",
        );
        check("evil.example", None, "http://127.0.0.1:81");
        check("a.b.localhost", None, "http://127.0.0.1:81");
        check("contoso.ciamlogin.com", None, "https://contoso.ciamlogin.com");
    }
}
