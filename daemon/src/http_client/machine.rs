//! Requests to what gives managed identities, on the machine or next to it.
//!
//! No proxy stands in between: it would see the platform's secret, and could not reach a link-local address anyway. Service
//! Fabric's certificate is nobody's but its own; the platform told its thumbprint, which is compared before anything is sent.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::redirect;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use valetkey_engine::ports::{BoxFuture, KeyFileError, Machine, TransportError};
use valetkey_model::Secret;
use valetkey_oauth::{HttpRequest, HttpResponse, Thumbprint};

use super::failure::{self, Limits};
use super::roots::Roots;
use super::{build_request, host_of, read_body};
use crate::config::NetworkConfig;
use crate::key_file;
use crate::paths::Lookup;

/// Who is on the machine answers at once; outside of Azure nobody has the metadata service's address.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);

/// Sends requests to the machine's own endpoints.
pub struct MachineClient {
    limits: Limits,
    roots: Roots,
    usual: OnceLock<reqwest::Client>,
}

impl MachineClient {
    /// A client with the configuration's time limits, and little patience for connecting. It does nothing yet.
    pub fn new(network: &NetworkConfig, lookup: Lookup<'_>) -> Self {
        let connect = network.connect_timeout().min(CONNECT_LIMIT);
        let limits = Limits { connect, total: network.timeout(), proxy: "" };
        Self { limits, roots: Roots::named_by(lookup), usual: OnceLock::new() }
    }

    async fn send(
        &self,
        request: HttpRequest,
        pin: Option<Thumbprint>,
    ) -> Result<HttpResponse, TransportError> {
        let host = host_of(&request);
        let client = match pin {
            Some(pin) => self.build_pinned(pin),
            None => self.usual_client(),
        }
        .map_err(|reason| TransportError::Connect { host: host.clone(), reason })?;
        let sent = client.execute(build_request(&request)).await;
        let response = sent.map_err(|error| failure::explain(&error, &host, &self.limits))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = read_body(response, &host, &self.limits).await?;
        Ok(HttpResponse { status, headers, body })
    }

    fn usual_client(&self) -> Result<reqwest::Client, String> {
        if let Some(client) = self.usual.get() {
            return Ok(client.clone());
        }
        let roots = self.roots.read_certificates().map_err(|error| error.to_string())?;
        let fresh = self.builder().tls_certs_merge(roots).build();
        let fresh = fresh.map_err(|error| failure::innermost(&error))?;
        Ok(self.usual.get_or_init(|| fresh).clone())
    }

    fn build_pinned(&self, pin: Thumbprint) -> Result<reqwest::Client, String> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(PinnedServer { pin, provider }))
            .with_no_client_auth();
        let builder = self.builder().tls_backend_preconfigured(config);
        builder.build().map_err(|error| failure::innermost(&error))
    }

    fn builder(&self) -> reqwest::ClientBuilder {
        // An error means that a provider is installed already, which can only be the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A token an hour is not worth a connection that is kept.
        reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .connect_timeout(self.limits.connect)
            .timeout(self.limits.total)
            .pool_max_idle_per_host(0)
    }
}

impl Machine for MachineClient {
    fn send(
        &self,
        request: HttpRequest,
        pin: Option<Thumbprint>,
    ) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        Box::pin(self.send(request, pin))
    }

    fn read_key_file<'a>(&'a self, path: &'a str) -> BoxFuture<'a, Result<Secret, KeyFileError>> {
        Box::pin(key_file::read(path))
    }
}

/// Trusts one certificate, whoever vouches for it. That the server has its key is proven by the handshake's signature.
#[derive(Debug)]
struct PinnedServer {
    pin: Thumbprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, end_entity);
        match <&[u8; 20]>::try_from(sha1.as_ref()) {
            Ok(sha1) if self.pin.is_of(sha1) => Ok(ServerCertVerified::assertion()),
            _ => Err(rustls::Error::General(
                "the certificate is not that of IDENTITY_SERVER_THUMBPRINT".to_owned(),
            )),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
