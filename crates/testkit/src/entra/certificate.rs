//! Certificates that clients register: the key that verifies, and the thumbprints that name it in an assertion.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::digest;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
    UnparsedPublicKey, VerificationAlgorithm,
};
use serde::{Deserialize, Serialize};
use x509_parser::pem::parse_x509_pem;

/// A certificate, written as PEM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Certificate {
    pem: String,
    der: Vec<u8>,
    public_key: Vec<u8>,
}

/// Why a text is no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a certificate: expected one PEM block of type CERTIFICATE")]
pub struct NotACertificate;

impl Certificate {
    /// Reads PEM; of several blocks the first counts.
    pub fn from_pem(pem: &str) -> Result<Self, NotACertificate> {
        let (_, block) = parse_x509_pem(pem.as_bytes()).map_err(|_| NotACertificate)?;
        let certificate = block.parse_x509().map_err(|_| NotACertificate)?;
        let public_key = certificate.public_key().subject_public_key.data.to_vec();
        Ok(Self { pem: pem.to_owned(), der: block.contents, public_key })
    }

    /// The PEM text.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// `x5t`: SHA-1, base64url (RFC 7515 section 4.1.7).
    pub(crate) fn sha1_thumbprint(&self) -> String {
        encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &self.der).as_ref())
    }

    /// `x5t#S256` (RFC 7515 section 4.1.8).
    pub(crate) fn sha256_thumbprint(&self) -> String {
        encode(digest::digest(&digest::SHA256, &self.der).as_ref())
    }

    /// Whether this key made the signature; false also for an algorithm that it cannot be of.
    pub(crate) fn verifies(&self, algorithm: &str, signed: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match algorithm {
            "RS256" => &RSA_PKCS1_2048_8192_SHA256,
            "PS256" => &RSA_PSS_2048_8192_SHA256,
            "ES256" => &ECDSA_P256_SHA256_FIXED,
            _ => return false,
        };
        UnparsedPublicKey::new(algorithm, &self.public_key).verify(signed, signature).is_ok()
    }
}

impl TryFrom<String> for Certificate {
    type Error = NotACertificate;

    fn try_from(pem: String) -> Result<Self, NotACertificate> {
        Self::from_pem(&pem)
    }
}

impl From<Certificate> for String {
    fn from(certificate: Certificate) -> Self {
        certificate.pem
    }
}

fn encode(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}
