//! TLS before a plain server, with a certificate that a company's own authority signed.

use std::net::Ipv4Addr;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use url::Url;

/// A port of this machine that speaks TLS under a name of its own.
pub struct TlsFront {
    name: &'static str,
    listener: Option<TcpListener>,
    port: u16,
    acceptor: TlsAcceptor,
    root: String,
    server: Option<JoinHandle<()>>,
}

impl TlsFront {
    /// A port of `localhost`, at which nobody is served yet.
    pub async fn new() -> Self {
        Self::named("localhost").await
    }

    /// The same under a name which only a proxy finds: [`crate::Proxy`] takes `*.test` for this machine.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn named(name: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (config, root) = certify(name);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self { name, listener: Some(listener), port, acceptor, root, server: None }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("https://{}:{}", self.name, self.port)
    }

    /// The authority's certificate, as PEM.
    pub fn root(&self) -> &str {
        &self.root
    }

    /// From now on what comes is passed on to this plain server.
    ///
    /// # Panics
    /// When it was told of one before.
    pub fn pass_on_to(&mut self, plain_url: &str) {
        let listener = self.listener.take().expect("one server behind it");
        let port = Url::parse(plain_url).unwrap().port().expect("a port");
        let acceptor = self.acceptor.clone();
        self.server = Some(tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(acceptor.clone(), client, port));
            }
        }));
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

async fn serve(acceptor: TlsAcceptor, client: TcpStream, port: u16) {
    // A client that does not trust us hangs up here.
    let Ok(mut client) = acceptor.accept(client).await else { return };
    if let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        // Either end may hang up at any time.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

/// A server for this name, and the certificate of the authority that vouches for it.
fn certify(name: &str) -> (ServerConfig, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    (config, authority.pem())
}
