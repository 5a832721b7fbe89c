//! The emulator over TLS: a certificate of its own for `localhost`, made anew at each start.

use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// The names that clients use. Of the regions some must do: OpenSSL takes no `*.localhost`.
const NAMES: [&str; 7] = [
    "localhost",
    "127.0.0.1",
    "eastus.localhost",
    "westus2.localhost",
    "northeurope.localhost",
    "westeurope.localhost",
    "southeastasia.localhost",
];

/// Where the emulator speaks TLS, and how a client may know it.
#[derive(Debug, Clone)]
pub struct Tls {
    /// `https://localhost:PORT`
    pub base_url: String,
    /// The certificate to trust, as PEM.
    pub certificate: String,
    /// SHA-1 of the certificate in capital hex digits, for `IDENTITY_SERVER_THUMBPRINT`.
    pub thumbprint: String,
}

/// Makes a key and its certificate.
pub(crate) fn prepare(port: u16) -> std::io::Result<(Tls, TlsAcceptor)> {
    let key = KeyPair::generate().map_err(std::io::Error::other)?;
    let params = CertificateParams::new(NAMES.map(str::to_owned)).map_err(std::io::Error::other)?;
    let certificate = params.self_signed(&key).map_err(std::io::Error::other)?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        )
        .map_err(std::io::Error::other)?;
    let thumbprint = digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate.der());
    let tls = Tls {
        base_url: if port == 443 {
            "https://localhost".to_owned()
        } else {
            format!("https://localhost:{port}")
        },
        certificate: certificate.pem(),
        thumbprint: thumbprint.as_ref().iter().map(|byte| format!("{byte:02X}")).collect(),
    };
    Ok((tls, TlsAcceptor::from(Arc::new(config))))
}
