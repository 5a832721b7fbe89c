//! Requests to providers, over reqwest.
//!
//! TLS is rustls on *ring*. No redirect is followed: a redirected token request would carry secrets to another host. The
//! client is made when it is first needed, since the trust store is most of an idle daemon's memory. A provider on this
//! machine is never spoken to through a proxy: plain http would show it every secret. An application
//! may have a route of its own: its proxies, its certificates and its patience are for its requests alone.

mod clients;
mod failure;
mod form;
mod machine;
mod roots;
mod surroundings;

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use valetkey_engine::Route;
use valetkey_engine::ports::{BoxFuture, HttpClient, TransportError};
use valetkey_oauth::{Body, HttpRequest, HttpResponse};
use zeroize::Zeroizing;

use crate::clock::Moment;
use crate::config::NetworkConfig;
use crate::paths::Lookup;
use clients::{Clients, Routed};
use failure::Limits;
pub use machine::MachineClient;
use roots::Roots;
pub use surroundings::{RootsFound, Surroundings, TriedProxy};

/// Sends requests over the network.
pub struct ReqwestClient {
    limits: Limits,
    roots: Roots,
    usual: Clients,
    routed: Routed,
}

impl ReqwestClient {
    /// A client with the configuration's time limits, which trusts what the environment adds to the system's roots. It
    /// reads and does nothing yet.
    pub fn new(network: &NetworkConfig, lookup: Lookup<'_>) -> Self {
        let limits = Limits {
            connect: network.connect_timeout(),
            total: network.timeout(),
            proxy: "the proxy of HTTPS_PROXY",
        };
        let roots = Roots::named_by(lookup);
        Self { limits, roots, usual: Clients::new(limits, None), routed: Routed::default() }
    }

    async fn send(
        &self,
        request: HttpRequest,
        route: Option<&Arc<Route>>,
    ) -> Result<HttpResponse, TransportError> {
        match route {
            None => self.send_with(&self.usual, request).await,
            Some(route) => {
                let clients = self.routed.clients_of(route, self.limits);
                self.send_with(&clients, request).await
            }
        }
    }

    async fn send_with(
        &self,
        clients: &Clients,
        request: HttpRequest,
    ) -> Result<HttpResponse, TransportError> {
        let (host, limits) = (host_of(&request), &clients.limits);
        let client = clients
            .client_for(&request.url, &self.roots, Moment::now())
            .map_err(|reason| TransportError::Connect { host: host.clone(), reason })?;
        let explain = |error: reqwest::Error| failure::explain(&error, &host, limits);
        let first = client.execute(build_request(&request)).await;
        let response = match first {
            // Nothing was sent: a second try costs the provider nothing, and saves a call after a change of networks.
            Err(error) if error.is_connect() && !error.is_timeout() => {
                client.execute(build_request(&request)).await.map_err(explain)?
            }
            other => other.map_err(explain)?,
        };
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_body(response, &host, limits).await?;
        Ok(HttpResponse { status, headers, body })
    }
}

impl HttpClient for ReqwestClient {
    fn send<'a>(
        &'a self,
        request: HttpRequest,
        route: Option<&'a Arc<Route>>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(self.send(request, route))
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
