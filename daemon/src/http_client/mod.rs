//! Requests to providers, over reqwest.
//!
//! TLS is rustls on *ring*. No redirect is followed: a redirected token request would carry secrets to another host. The
//! client is made when it is first needed, since the trust store is most of an idle daemon's memory. A provider on this
//! machine is never spoken to through a proxy: plain http would show it every secret.

mod failure;
mod form;
mod machine;
mod roots;

use std::sync::OnceLock;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect;
use url::{Host, Url};
use valetkey_engine::ports::{BoxFuture, HttpClient, TransportError};
use valetkey_oauth::{Body, HttpRequest, HttpResponse};
use zeroize::Zeroizing;

use crate::config::NetworkConfig;
use crate::paths::Lookup;
use failure::Limits;
pub use machine::MachineClient;
use roots::Roots;

/// Sends requests over the network.
pub struct ReqwestClient {
    limits: Limits,
    roots: Roots,
    /// With the proxies of the environment.
    outward: OnceLock<reqwest::Client>,
    /// For this machine, without them.
    inward: OnceLock<reqwest::Client>,
}

impl ReqwestClient {
    /// A client with the configuration's time limits, which trusts what the environment adds to the system's roots. It
    /// reads and does nothing yet.
    pub fn new(network: &NetworkConfig, lookup: Lookup<'_>) -> Self {
        let limits = Limits { connect: network.connect_timeout(), total: network.timeout() };
        let roots = Roots::named_by(lookup);
        Self { limits, roots, outward: OnceLock::new(), inward: OnceLock::new() }
    }

    /// The client for `url`. A failure to make one is not kept: being out of descriptors is a matter of a moment.
    fn client_for(&self, url: &Url) -> Result<&reqwest::Client, String> {
        let inward = is_on_this_machine(url);
        let client = if inward { &self.inward } else { &self.outward };
        match client.get() {
            Some(client) => Ok(client),
            None => {
                let fresh = self.build(inward)?;
                Ok(client.get_or_init(|| fresh))
            }
        }
    }

    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, TransportError> {
        let host = host_of(&request);
        let client = self
            .client_for(&request.url)
            .map_err(|reason| TransportError::Connect { host: host.clone(), reason })?;
        let explain = |error: reqwest::Error| failure::explain(&error, &host, &self.limits);
        let first = client.execute(build_request(&request)).await;
        let response = match first {
            // Nothing was sent: a second try costs the provider nothing, and saves a call after a change of networks.
            Err(error) if error.is_connect() && !error.is_timeout() => {
                client.execute(build_request(&request)).await.map_err(explain)?
            }
            other => other.map_err(explain)?,
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_body(response, &host, &self.limits).await?;
        Ok(HttpResponse { status, headers, body })
    }

    fn build(&self, inward: bool) -> Result<reqwest::Client, String> {
        // An error means that a provider is installed already, which can only be the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.total)
            .pool_max_idle_per_host(2)
            .tls_certs_merge(self.roots.read_certificates().map_err(|error| error.to_string())?);
        let builder = if inward { builder.no_proxy() } else { builder };
        builder.build().map_err(|error| failure::innermost(&error))
    }
}

impl HttpClient for ReqwestClient {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(self.send(request))
    }
}

fn build_request(request: &HttpRequest) -> reqwest::Request {
    let mut built = reqwest::Request::new(request.method.clone(), request.url.clone());
    *built.headers_mut() = request.headers.clone();
    let (content_type, body) = match &request.body {
        Body::None => return built,
        Body::Form(fields) => {
            ("application/x-www-form-urlencoded", Bytes::from_owner(form::encode(fields)))
        }
        Body::Text { content_type, text, .. } => {
            (*content_type, Bytes::from_owner(Zeroizing::new(text.as_bytes().to_vec())))
        }
    };
    built.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    *built.body_mut() = Some(body.into());
    built
}

async fn read_body(
    mut response: reqwest::Response,
    host: &str,
    limits: &Limits,
) -> Result<Bytes, TransportError> {
    let too_large = || TransportError::TooLarge { host: host.to_owned(), limit: BODY_LIMIT };
    let announced = response.content_length().unwrap_or(0);
    let capacity = usize::try_from(announced).map_err(|_| too_large())?;
    if capacity > BODY_LIMIT {
        return Err(too_large());
    }
    let mut body = Vec::with_capacity(capacity);
    while let Some(chunk) =
        response.chunk().await.map_err(|error| failure::explain(&error, host, limits))?
    {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Bytes::from_owner(Zeroizing::new(body)))
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

/// Host and port, for messages; never the path or the query.
fn host_of(request: &HttpRequest) -> String {
    let host = request.url.host_str().unwrap_or_default();
    match request.url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// The largest honest answer is a tenant's key set, of some tens of KiB.
const BODY_LIMIT: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
