//! Which endpoints a managed identity may be asked for at. Most come from the application's environment, and the broker
//! must not be talked into asking elsewhere: a request has a secret of the platform's in it, and comes from the broker.

use std::net::IpAddr;

use url::{Host, Url};

use super::SourceKind;

/// The broker does not speak to this endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EndpointRefused {
    /// It is somewhere on a network, or on a machine that others share.
    #[error(
        "endpoint {host:?} of {source_name} is none that may be asked; add it to the hosts that may give managed identities if \
         it is yours"
    )]
    Host {
        /// The host.
        host: String,
        /// Whose endpoint it is.
        source_name: &'static str,
    },
    /// A scheme, or a part of a URL, that no source uses.
    #[error("endpoint of {source_name} must be a plain {scheme} URL")]
    Form {
        /// Which scheme it should have.
        scheme: &'static str,
        /// Whose endpoint it is.
        source_name: &'static str,
    },
}

/// Admits the platform's own place (IMDS) and what is in `listed_hosts` of the configuration; where `admits_near`, also what is
/// on this machine (loopback) or next to it (link-local: 169.254.0.0/16, fe80::/10), which may be an address of its own.
///
/// # Errors
/// When it is elsewhere, or is no plain URL. Service Fabric's is https.
pub fn admit_endpoint<S: AsRef<str>>(
    url: &Url,
    source: SourceKind,
    admits_near: bool,
    listed_hosts: &[S],
) -> Result<(), EndpointRefused> {
    let source_name = source.name();
    let (is_right_scheme, scheme) = match source {
        SourceKind::ServiceFabric => (url.scheme() == "https", "https"),
        _ => (matches!(url.scheme(), "http" | "https"), "http or https"),
    };
    let is_plain =
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if !is_right_scheme || !is_plain {
        return Err(EndpointRefused::Form { scheme, source_name });
    }
    let host = url.host_str().unwrap_or_default();
    let is_near = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => is_near(address.into()),
        Some(Host::Ipv6(address)) => is_near(address.into()),
        None => false,
    };
    let is_listed = listed_hosts.iter().any(|listed| listed.as_ref().eq_ignore_ascii_case(host));
    if (admits_near && is_near) || is_imds(url) || (is_listed && !host.is_empty()) {
        Ok(())
    } else {
        Err(EndpointRefused::Host { host: host.to_owned(), source_name })
    }
}

/// What follows the host is ours, then, and nobody's choice.
fn is_imds(url: &Url) -> bool {
    let path = url.path();
    url.host_str() == Some("169.254.169.254")
        && url.scheme() == "http"
        && url.port().is_none()
        && url.query().is_none()
        && (path == "/" || path == IMDS_PATH)
}

/// Where virtual machines ask.
const IMDS_PATH: &str = "/metadata/identity/oauth2/token";

fn is_near(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    }
}
