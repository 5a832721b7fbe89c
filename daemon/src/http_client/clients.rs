//! The clients of one route, or of the usual way; and of the routes that were taken last.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Certificate, redirect};
use url::{Host, Url};
use valetkey_engine::{Proxied, Route};

use super::failure::{self, Limits};
use super::roots::Roots;
use crate::clock::Moment;

/// Of how many routes clients are kept. Each has a trust store and idle connections of its own.
const MAX_ROUTES: usize = 16;
/// For how long a connection waits for the next request. A refresh follows the look at its provider within seconds; the next
/// one is hours away, and may be in another network.
const IDLE_LIMIT: Duration = Duration::from_secs(20);

/// The clients of one route, made when they are first needed.
pub(super) struct Clients {
    pub(super) limits: Limits,
    route: Option<Arc<Route>>,
    /// With the route's proxies, or those of the environment.
    outward: Kept,
    /// For this machine, without any.
    inward: Kept,
}

/// A client, once it is made, and when that was.
type Kept = Mutex<Option<(Moment, reqwest::Client)>>;

impl Clients {
    pub(super) fn new(usual: Limits, route: Option<Arc<Route>>) -> Self {
        let total = route.as_ref().and_then(|route| route.timeout()).unwrap_or(usual.total);
        let has_proxies = route.as_ref().is_some_and(|route| !route.proxies().is_empty());
        let limits = Limits {
            connect: usual.connect.min(total),
            total,
            proxy: if has_proxies { "the application's own proxy" } else { usual.proxy },
        };
        Self { limits, route, outward: Kept::default(), inward: Kept::default() }
    }

    /// The client for `url` at the moment `now`. A failure to make one is not kept: being out of descriptors is a matter of
    /// a moment. Nor is one from before a sleep: the other ends have given its connections up, without a word that could
    /// have come here, and a request that is sent into one of them waits for its whole time.
    pub(super) fn client_for(
        &self,
        url: &Url,
        roots: &Roots,
        now: Moment,
    ) -> Result<reqwest::Client, String> {
        let inward = is_on_this_machine(url);
        let kept = if inward { &self.inward } else { &self.outward };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some((made, client)) if !made.is_before_a_sleep(now) => Ok(client.clone()),
            _ => {
                let (_, client) = kept.insert((now, self.build(inward, roots)?));
                Ok(client.clone())
            }
        }
    }

    fn build(&self, inward: bool, roots: &Roots) -> Result<reqwest::Client, String> {
        // An error means that a provider is installed already, which can only be the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut certificates = roots.read_certificates().map_err(|error| error.to_string())?;
        let own = self.route.iter().flat_map(|route| route.ca_certificates());
        for certificate in own.map(Certificate::from_der) {
            certificates.push(certificate.map_err(|error| failure::innermost(&error))?);
        }
        let builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.total)
            .pool_idle_timeout(IDLE_LIMIT)
            .pool_max_idle_per_host(2)
            .tls_certs_merge(certificates);
        let builder =
            if inward { builder.no_proxy() } else { self.with_proxies_of_the_route(builder)? };
        builder.build().map_err(|error| failure::innermost(&error))
    }

    fn with_proxies_of_the_route(
        &self,
        mut builder: reqwest::ClientBuilder,
    ) -> Result<reqwest::ClientBuilder, String> {
        for (proxied, proxy) in self.route.iter().flat_map(|route| route.proxies()) {
            let url = proxy.url.expose();
            let proxy = match proxied {
                Proxied::Http => reqwest::Proxy::http(url),
                Proxied::Https => reqwest::Proxy::https(url),
                Proxied::All => reqwest::Proxy::all(url),
            };
            // The first proxy makes the builder forget the environment's.
            builder = builder.proxy(proxy.map_err(|error| failure::innermost(&error))?);
        }
        Ok(builder)
    }
}

/// The clients of the routes that were taken last, the latest at the end.
#[derive(Default)]
pub(super) struct Routed(Mutex<VecDeque<(Arc<Route>, Arc<Clients>)>>);

impl Routed {
    /// The clients of `route`. The route that was taken longest ago makes room for a new one.
    pub(super) fn clients_of(&self, route: &Arc<Route>, usual: Limits) -> Arc<Clients> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let index = taken.iter().position(|(other, _)| other == route);
        let known = index.and_then(|index| taken.remove(index)).map(|(_, clients)| clients);
        let clients =
            known.unwrap_or_else(|| Arc::new(Clients::new(usual, Some(Arc::clone(route)))));
        if taken.len() == MAX_ROUTES {
            taken.pop_front();
        }
        taken.push_back((Arc::clone(route), Arc::clone(&clients)));
        clients
    }
}

/// RFC 6761 section 6.3 reserves `localhost`, and all names under it, for loopback.
fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
