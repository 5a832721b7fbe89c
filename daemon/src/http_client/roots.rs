//! Certificates that are trusted beside the system's: those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.

use std::path::{Path, PathBuf};

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::paths::Lookup;

/// Where the additional certificates are.
#[derive(Debug, Default)]
pub(super) struct Roots {
    file: Option<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Roots {
    pub(super) fn named_by(lookup: Lookup<'_>) -> Self {
        let folders = lookup("SSL_CERT_DIR").unwrap_or_default();
        Self {
            file: lookup("SSL_CERT_FILE").map(PathBuf::from),
            folders: std::env::split_paths(&folders)
                .filter(|folder| !folder.as_os_str().is_empty())
                .collect(),
        }
    }

    /// The certificates. Where the platform's own verifier would take the variables as a *replacement* of the system's
    /// bundle, the bundle is among them.
    pub(super) fn read_certificates(&self) -> Vec<Certificate> {
        let chosen = self.files();
        if chosen.is_empty() {
            return Vec::new();
        }
        let bundle = SYSTEM_BUNDLES.iter().map(Path::new).find(|path| path.exists());
        chosen
            .iter()
            .flat_map(|path| read(path))
            .chain(bundle.into_iter().flat_map(read))
            // One that cannot be parsed would make the whole client fail.
            .filter(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok())
            .filter_map(|certificate| Certificate::from_der(&certificate).ok())
            .collect()
    }

    fn files(&self) -> Vec<PathBuf> {
        let in_folders = self
            .folders
            .iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.is_file());
        self.file.iter().cloned().chain(in_folders).collect()
    }
}

fn read(path: &Path) -> Vec<CertificateDer<'static>> {
    let certificates = match CertificateDer::pem_file_iter(path) {
        Ok(certificates) => certificates.filter_map(Result::ok).collect(),
        Err(_) => Vec::new(),
    };
    if certificates.is_empty() {
        tracing::warn!(path = %path.display(), "no certificate could be read from this file");
    }
    certificates
}

/// Where distributions keep the bundle; macOS and Windows ask their own store in any case.
const SYSTEM_BUNDLES: &[&str] = if cfg!(any(windows, target_os = "macos")) {
    &[]
} else {
    &[
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/ca-bundle.pem",
        "/etc/ssl/cert.pem",
    ]
};
