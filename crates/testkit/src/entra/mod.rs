//! A Microsoft Entra ID that runs on a loopback port: discovery, sign-in pages, device codes and tokens.
//!
//! It speaks Entra's dialect closely enough that MSAL works on it unchanged, or that of a plain OpenID Connect provider.
//! It is a test double: its pages ask for no password, and neither the real service's directory nor its cryptographic
//! care are there. Tests in process drive it through [`Control`], tests in other processes through `/_emulator/` over HTTP,
//! and a person through the pages.
//!
//! A request goes through `server`, which finds its `route`, and on to the file named after the endpoint.

mod answer;
mod app_answer;
mod authorize;
mod certificate;
mod claims;
mod client;
mod clock;
mod confirmation;
mod control;
mod control_api;
mod device;
mod device_page;
mod discovery;
mod error;
mod faults;
mod federation;
mod grants;
mod jwt;
mod log;
mod managed_identity;
mod message;
mod options;
mod origin;
mod pages;
mod random;
mod registration;
mod route;
mod scenario;
mod server;
mod state;
mod template;
mod tenant;
mod tls;
mod token;
mod token_use;
mod ws_trust;

use std::net::Ipv4Addr;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

pub use authorize::{Redirect, ResponseMode};
pub use certificate::{Certificate, NotACertificate};
pub use client::{Client, EXCHANGE_AUDIENCE, FederatedCredential};
pub use confirmation::SignedRequest;
pub use control::{Browser, Control, ControlError, Person};
pub use faults::{Effect, Fault};
pub use federation::{FederatedDomain, SamlVersion};
pub use log::LoggedRequest;
pub use managed_identity::{Machine, UserAssignedIdentity};
pub use options::{
    CONSUMERS, CONTOSO, FABRIKAM, NewUser, Options, PASSWORD, Rotation, Settings, Tenant,
};
pub use route::Endpoint;
pub use scenario::Scenario;
pub use state::{GrantCount, IssuedSecret, Revocation, User};
pub use tls::Tls;

/// A running emulator. Dropping it closes the port and every connection.
pub struct EntraEmulator {
    base_url: String,
    control: Control,
    server: JoinHandle<()>,
}

impl EntraEmulator {
    /// Listens on 127.0.0.1 and serves in a task of its own.
    pub async fn start(options: Options) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let tls = match options.tls_port {
            Some(port) => Some(listen_with_tls(port).await?),
            None => None,
        };
        let known = tls.as_ref().map(|(tls, _, _)| tls.clone());
        let shared = server::Shared::new(state::State::new(options, &base_url, known)?);
        let control = Control::new(shared.clone());
        let server = tokio::spawn(async move {
            let plain = server::serve(listener, None, shared.clone());
            match tls {
                Some((_, listener, acceptor)) => {
                    tokio::join!(plain, server::serve(listener, Some(acceptor), shared));
                }
                None => plain.await,
            }
        });
        Ok(Self { base_url, control, server })
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The authority of a tenant: `common`, `organizations`, `consumers`, a GUID or a domain name.
    pub fn authority(&self, tenant: &str) -> String {
        format!("{}/{tenant}", self.base_url)
    }

    /// The hand of a test.
    pub fn control(&self) -> &Control {
        &self.control
    }
}

/// A port of its own; clients cannot tell TLS from plain HTTP before they spoke.
async fn listen_with_tls(port: u16) -> std::io::Result<(Tls, TcpListener, TlsAcceptor)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let (tls, acceptor) = tls::prepare(listener.local_addr()?.port())?;
    Ok((tls, listener, acceptor))
}

impl Drop for EntraEmulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[cfg(test)]
mod tests;
