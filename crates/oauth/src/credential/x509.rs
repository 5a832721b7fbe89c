//! Certificates, as far as signing needs them: whose key, until when, and by what digest the provider knows them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use sha2::{Digest, Sha256};
use valetkey_model::UnixTime;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{CertificateValidityError, CredentialError, pem};

#[derive(Clone)]
pub(super) struct Certificate {
    der: Vec<u8>,
    public_key: Vec<u8>,
    not_before: UnixTime,
    not_after: UnixTime,
}

/// Every certificate of a text, which has PEM blocks or is the base64 of one certificate.
pub(super) fn read_certificates(text: &str) -> Result<Vec<Certificate>, CredentialError> {
    let blocks = pem::find_blocks(text);
    let mut ders: Vec<_> = blocks
        .iter()
        .filter(|block| block.label == "CERTIFICATE")
        .map(|block| block.decode())
        .collect();
    if ders.is_empty() {
        if text.contains("PRIVATE KEY") {
            return Err(CredentialError::CertificateIsPrivateKey);
        }
        ders.push(pem::decode_base64(text));
    }
    ders.into_iter()
        .map(|der| Certificate::from_der(der.map(|der| der.to_vec()).unwrap_or_default()))
        .collect()
}

impl Certificate {
    pub(super) fn from_der(der: Vec<u8>) -> Result<Self, CredentialError> {
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|_| CredentialError::UnreadableCertificate)?;
        let public_key = parsed.public_key().subject_public_key.data.to_vec();
        let time = |seconds| UnixTime::from_seconds(seconds);
        let not_before = time(parsed.validity().not_before.timestamp());
        let not_after = time(parsed.validity().not_after.timestamp());
        Ok(Self { der, public_key, not_before, not_after })
    }

    pub(super) fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    pub(super) fn not_after(&self) -> UnixTime {
        self.not_after
    }

    /// RFC 5280 section 4.1.2.5: both ends belong to the period.
    pub(super) fn check_validity(&self, now: UnixTime) -> Result<(), CertificateValidityError> {
        let Self { not_before, not_after, .. } = *self;
        if now < not_before {
            return Err(CertificateValidityError::NotYetValid { not_before });
        }
        if now > not_after {
            return Err(CertificateValidityError::Expired { not_after });
        }
        Ok(())
    }

    /// What `x5t` is made of (RFC 7515 section 4.1.7). Here SHA-1 names a certificate and vouches for nothing.
    pub(super) fn sha1(&self) -> [u8; 20] {
        let mut sha1 = [0; 20];
        sha1.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.der).as_ref());
        sha1
    }

    /// What `x5t#S256` is made of (RFC 7515 section 4.1.8).
    pub(super) fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.der).into()
    }

    /// An element of `x5c`: plain base64, not base64url (RFC 7515 section 4.1.6).
    pub(super) fn to_base64(&self) -> String {
        STANDARD.encode(&self.der)
    }
}
