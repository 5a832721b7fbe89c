//! How an application's provider is reached, where that differs from the broker's own settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter;
use std::time::Duration;

use sha2::{Digest, Sha256};
use valetkey_model::Secret;

/// A way to the provider of an application's own. What one route brought is never given to another: an answer is as good
/// as the certificates that it was believed for.
#[derive(Clone)]
pub struct Route {
    id: String,
    timeout: Option<Duration>,
    proxies: BTreeMap<Proxied, Proxy>,
    ca_certificates: BTreeSet<Vec<u8>>,
}

/// What a client takes up that trusts nobody in particular.
const LEAST_SIZE: usize = 128 * 1024;

/// Which requests go through a proxy, by their scheme; the particular before the general.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proxied {
    /// Those without TLS.
    Http,
    /// Those with TLS.
    Https,
    /// All that no other proxy is for.
    All,
}

/// A proxy.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Its URL, with which it may be told a password.
    pub url: Secret,
    /// Its `host` or `host:port`: what a policy names.
    pub site: String,
}

impl Route {
    /// A route. Certificates are DER; in which order they came makes no difference.
    pub fn new(
        timeout: Option<Duration>,
        proxies: BTreeMap<Proxied, Proxy>,
        ca_certificates: BTreeSet<Vec<u8>>,
    ) -> Self {
        let route = Self { id: String::new(), timeout, proxies, ca_certificates };
        let way = route.way().unwrap_or_default();
        let id = digest([format!("{timeout:?}").as_bytes(), way.as_bytes()]);
        route.with_id(id)
    }

    /// The same route under an id from which no password of a proxy can be guessed.
    #[must_use]
    pub fn with_id(self, id: String) -> Self {
        Self { id, ..self }
    }

    /// Tells it from all other routes: a digest.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Tells by whose hands requests go: a digest of the proxies and certificates. None where these are the broker's own,
    /// and nothing but the patience differs.
    pub fn way(&self) -> Option<String> {
        if self.proxies.is_empty() && self.ca_certificates.is_empty() {
            return None;
        }
        let schemes = format!("{:?}", self.proxies.keys());
        let proxies = self.proxies.values().map(|proxy| proxy.url.expose().as_bytes());
        let certificates = self.ca_certificates.iter().map(Vec::as_slice);
        Some(digest(iter::once(schemes.as_bytes()).chain(proxies).chain(certificates)))
    }

    /// About how many bytes of memory it takes up: more than an application without one, since it has a client of its own.
    pub(crate) fn size(&self) -> usize {
        let proxies = self.proxies.values().map(|proxy| proxy.url.expose().len());
        LEAST_SIZE + proxies.chain(self.ca_certificates.iter().map(Vec::len)).sum::<usize>()
    }

    /// How long to wait for the whole answer.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Instead of those of the environment, if there are any.
    pub fn proxies(&self) -> &BTreeMap<Proxied, Proxy> {
        &self.proxies
    }

    /// Whom to believe beside those that the system believes, as DER.
    pub fn ca_certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.ca_certificates.iter().map(Vec::as_slice)
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Route {}

impl Hash for Route {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({})", self.id)
    }
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(proxied: Proxied, url: &str) -> Route {
        let proxy = Proxy { url: Secret::new(url.to_owned()), site: String::new() };
        Route::new(None, BTreeMap::from([(proxied, proxy)]), BTreeSet::new())
    }

    fn trusting(certificates: &[&str]) -> Route {
        let certificates = certificates.iter().map(|text| text.as_bytes().to_vec());
        Route::new(None, BTreeMap::new(), certificates.collect())
    }

    #[test]
    fn every_difference_makes_another_route() {
        let routes = [
            trusting(&[]),
            trusting(&["ab"]),
            trusting(&["a", "b"]),
            through(Proxied::Https, "http://a"),
            through(Proxied::Https, "http://b"),
            through(Proxied::All, "http://a"),
            Route::new(Some(Duration::from_secs(1)), BTreeMap::new(), BTreeSet::new()),
        ];
        for (left, one) in routes.iter().enumerate() {
            for (right, other) in routes.iter().enumerate() {
                assert_eq!(one == other, left == right, "{left} and {right}");
            }
        }
    }

    #[test]
    fn the_order_of_certificates_makes_no_difference() {
        assert_eq!(trusting(&["a", "b"]), trusting(&["b", "a", "b"]));
    }

    #[test]
    fn patience_makes_another_route_but_no_other_way() {
        let patient = |seconds, certificates: &[&[u8]]| {
            let certificates = certificates.iter().map(|it| it.to_vec()).collect();
            Route::new(Some(Duration::from_secs(seconds)), BTreeMap::new(), certificates)
        };
        assert_eq!(patient(1, &[]).way(), None);
        assert_eq!(patient(1, &[b"a"]).way(), patient(2, &[b"a"]).way());
        assert_eq!(patient(1, &[b"a"]).way(), trusting(&["a"]).with_id("other".into()).way());
        assert_ne!(trusting(&["a"]).way(), trusting(&["b"]).way());
        assert_ne!(trusting(&["a"]).way(), through(Proxied::All, "a").way());
        assert_ne!(through(Proxied::Http, "a").way(), through(Proxied::All, "a").way());
    }
}
