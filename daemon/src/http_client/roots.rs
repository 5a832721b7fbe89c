//! Certificates that are trusted beside the system's: those of `SSL_CERT_FILE` and `SSL_CERT_DIR`.

use std::io;
use std::path::{Path, PathBuf};

use reqwest::Certificate;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};

use crate::paths::Lookup;

/// Where the additional certificates are.
#[derive(Clone, Debug, Default)]
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
    ///
    /// # Errors
    /// When the process has no descriptor left to read them with: fewer than there are would be kept for good.
    pub(super) fn read_certificates(&self) -> io::Result<Vec<Certificate>> {
        let mut files = self.files()?;
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let bundle = SYSTEM_BUNDLES.iter().map(Path::new).find(|path| path.exists());
        files.extend(bundle.map(Path::to_owned));
        let mut certificates = Vec::new();
        for file in files {
            certificates.extend(read(&file)?);
        }
        // One that cannot be parsed would make the whole client fail.
        certificates.retain(|certificate| RootCertStore::empty().add(certificate.clone()).is_ok());
        Ok(certificates.iter().filter_map(|der| Certificate::from_der(der).ok()).collect())
    }

    /// How many certificates are in each place that the environment names, by the variable, and in the system's bundle, unless
    /// that is one of those.
    pub(super) fn count(&self) -> Vec<(String, io::Result<usize>)> {
        let count = |path: &Path| match CertificateDer::pem_file_iter(path) {
            Ok(certificates) => Ok(certificates.filter(Result::is_ok).count()),
            Err(pem::Error::Io(error)) => Err(error),
            Err(_) => Ok(0),
        };
        let count_all = |folder: &PathBuf| {
            let files = std::fs::read_dir(folder)?.filter_map(|entry| Some(entry.ok()?.path()));
            // A folder is a collection: what is no certificate is passed over.
            Ok(files.filter(|path| path.is_file()).filter_map(|path| count(&path).ok()).sum())
        };
        let bundle = SYSTEM_BUNDLES.iter().map(Path::new).find(|path| path.exists());
        let bundle = bundle.or_else(|| SYSTEM_BUNDLES.first().map(Path::new));
        let is_named = |bundle: &&Path| self.file.as_deref().is_some_and(|it| is_same(it, bundle));
        let bundle =
            bundle.filter(|it| !is_named(it)).map(|it| (it.display().to_string(), count(it)));
        let file =
            self.file.iter().map(|it| (format!("{} of SSL_CERT_FILE", it.display()), count(it)));
        let folders = self.folders.iter();
        let folders =
            folders.map(|it| (format!("{} of SSL_CERT_DIR", it.display()), count_all(it)));
        bundle.into_iter().chain(file).chain(folders).collect()
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files: Vec<_> = self.file.iter().cloned().collect();
        for folder in &self.folders {
            match std::fs::read_dir(folder) {
                Err(error) if is_out_of_descriptors(&error) => return Err(error),
                Err(error) => {
                    tracing::warn!(path = %folder.display(), %error, "this folder cannot be read");
                }
                Ok(entries) => {
                    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
                    files.extend(paths.filter(|path| path.is_file()));
                }
            }
        }
        Ok(files)
    }
}

/// By whatever names.
fn is_same(one: &Path, other: &Path) -> bool {
    one == other
        || matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn read(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let certificates: Vec<_> = match CertificateDer::pem_file_iter(path) {
        Ok(certificates) => certificates.filter_map(Result::ok).collect(),
        Err(pem::Error::Io(error)) if is_out_of_descriptors(&error) => return Err(error),
        Err(_) => Vec::new(),
    };
    if certificates.is_empty() {
        tracing::warn!(path = %path.display(), "no certificate could be read from this file");
    }
    Ok(certificates)
}

/// `EMFILE` of the process, `ENFILE` of the machine.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
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
