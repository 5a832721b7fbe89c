//! How an application wants its provider to be reached.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use url::Url;
use valetkey_engine::{Proxied, Proxy, Route};
use valetkey_model::Secret;
use valetkey_proto::v1;

use crate::failure::Failure;

/// The shortest and the longest time to wait for an answer, in seconds.
const TIMEOUTS: (f64, f64) = (0.1, 600.0);
/// Longest URL of a proxy, in bytes.
const MAX_PROXY: usize = 2 * 1024;

/// The route, unless nothing differs from the usual way.
///
/// # Errors
/// When a member cannot be; with nothing of a proxy's password in the text.
pub(super) fn from_wire(settings: &v1::NetworkSettings) -> Result<Option<Route>, Failure> {
    if *settings == v1::NetworkSettings::default() {
        return Ok(None);
    }
    let timeout = settings.timeout.map(timeout).transpose()?;
    let proxies = settings.proxies.iter().map(|(scheme, url)| proxy(scheme, url));
    let proxies = proxies.collect::<Result<BTreeMap<_, _>, _>>()?;
    let certificates = settings.ca_certificates.as_deref().map(certificates).transpose()?;
    Ok(Some(Route::new(timeout, proxies, certificates.unwrap_or_default())))
}

fn timeout(seconds: f64) -> Result<Duration, Failure> {
    if !seconds.is_finite() || seconds <= 0.0 {
        return Err(Failure::bad_member("network.timeout", "must be more than 0 seconds"));
    }
    Ok(Duration::from_secs_f64(seconds.clamp(TIMEOUTS.0, TIMEOUTS.1)))
}

fn proxy(scheme: &str, text: &str) -> Result<(Proxied, Proxy), Failure> {
    let member = "network.proxies";
    let proxied = match scheme {
        "http" => Proxied::Http,
        "https" => Proxied::Https,
        "all" => Proxied::All,
        other => {
            let other = other.chars().take(64).collect::<String>();
            let reason = format!("{other:?} is none of http, https, all");
            return Err(Failure::bad_member(member, reason));
        }
    };
    let refused =
        |reason: &str| Failure::bad_member(member, format!("the one for {scheme:?} {reason}"));
    if text.len() > MAX_PROXY {
        return Err(refused("is too long for a URL"));
    }
    // `proxy.example.com:3128` is what many a `HTTPS_PROXY` says.
    let text = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&text).map_err(|error| refused(&format!("is no URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("must be an http or https URL"));
    }
    let host = url.host_str().unwrap_or_default();
    let site = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    Ok((proxied, Proxy { url: Secret::new(url.into()), site }))
}

fn certificates(pem: &str) -> Result<BTreeSet<Vec<u8>>, Failure> {
    let refused = |reason: String| Failure::bad_member("network.ca_certificates", reason);
    let mut certificates = BTreeSet::new();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
        let number = index + 1;
        let certificate =
            certificate.map_err(|_| refused(format!("certificate {number} is no PEM")))?;
        RootCertStore::empty()
            .add(certificate.clone())
            .map_err(|_| refused(format!("certificate {number} cannot be read")))?;
        certificates.insert(certificate.to_vec());
    }
    if certificates.is_empty() {
        return Err(refused("has no PEM certificate in it".to_owned()));
    }
    Ok(certificates)
}

#[cfg(test)]
mod tests;
