//! What a confidential client proves itself with when it has no secret: an RSA key, and the certificate by which the provider
//! knows it (RFC 7523 section 2.2). The forms are MSAL's (`spec/msal-python.md` sections 1.2 and 2.9).
//!
//! A [`ClientCertificate`] is made once, from PEM or from a PFX, and then signs. It is complete: what it needs of the files
//! is in it.

mod assertion;
mod error;
mod pem;
mod pfx;
mod private_key;
mod x509;

use std::fmt;

use valetkey_model::{Secret, UnixTime};

pub use self::assertion::{ClientAssertion, SignedAssertion};
pub use self::error::{CertificateValidityError, CredentialError};
use self::private_key::PrivateKey;
use self::x509::Certificate;

/// The parts of a credential as texts. One of certificate and thumbprint must be there.
#[derive(Clone, Copy, Debug)]
pub struct PemCredential<'a> {
    /// PKCS#8, encrypted or not, or PKCS#1.
    pub private_key: &'a Secret,
    /// Opens the key; empty is the same as none, and a key that is not encrypted needs none.
    pub passphrase: Option<&'a Secret>,
    /// PEM, or the base64 of one certificate. Others after the key's own are its chain.
    pub certificate: Option<&'a str>,
    /// SHA-1 of the certificate in hexadecimal digits, with or without colons. It decides on the older algorithm, see
    /// [`ClientCertificate::sign_client_assertion`].
    pub thumbprint: Option<&'a str>,
    /// Sends the certificate along (`x5c`), for providers that trust its issuer rather than itself.
    pub send_certificate: bool,
}

/// A key that a provider knows by its certificate. Clones share it.
#[derive(Clone)]
pub struct ClientCertificate {
    key: PrivateKey,
    certificate: Option<Certificate>,
    sha1: [u8; 20],
    sha256: Option<[u8; 32]>,
    x5c: Vec<String>,
}

/// An RSA key with what is computed from it, and the one certificate that is its own.
const KEY_SIZE: usize = 16 * 1024;

impl ClientCertificate {
    /// About how many bytes of memory it takes up.
    pub fn size(&self) -> usize {
        KEY_SIZE + self.x5c.iter().map(|text| 2 * text.len()).sum::<usize>()
    }

    /// # Errors
    /// When a part cannot be read, or the parts do not belong together.
    pub fn from_pem(source: &PemCredential<'_>) -> Result<Self, CredentialError> {
        let passphrase = source.passphrase.filter(|passphrase| !passphrase.is_empty());
        let key = PrivateKey::from_pem(source.private_key, passphrase)?;
        let thumbprint = source.thumbprint.filter(|text| !text.is_empty());
        let thumbprint = thumbprint.map(decode_thumbprint).transpose()?;
        let certificates = source.certificate.filter(|text| !text.is_empty());
        let Some(certificates) = certificates.map(x509::read_certificates).transpose()? else {
            let sha1 = thumbprint.ok_or(CredentialError::CertificateMissing)?;
            return Ok(Self { key, certificate: None, sha1, sha256: None, x5c: Vec::new() });
        };
        let mut credential = Self::from_parts(key, certificates)?;
        if let Some(given) = thumbprint {
            if given != credential.sha1 {
                return Err(CredentialError::ThumbprintMismatch);
            }
            credential.sha256 = None;
        } else {
            // As MSAL: who gives a thumbprint gets the chain sent, who gives none the certificate alone.
            credential.x5c.truncate(1);
        }
        Ok(credential.send_certificate(source.send_certificate))
    }

    /// # Errors
    /// When it cannot be opened, or lacks a key or its certificate.
    pub fn from_pfx(
        pfx: &[u8],
        passphrase: Option<&Secret>,
        send_certificate: bool,
    ) -> Result<Self, CredentialError> {
        let passphrase = passphrase.filter(|passphrase| !passphrase.is_empty());
        let (key, certificates) = pfx::open(pfx, passphrase)?;
        let mut credential = Self::from_parts(key, certificates)?;
        credential.x5c.truncate(1);
        Ok(credential.send_certificate(send_certificate))
    }

    /// The same credential, which sends the certificates of this text along in the place of those that it came with.
    ///
    /// # Errors
    /// When the text cannot be read, or none of them is the key's.
    pub fn with_certificates(self, text: &str) -> Result<Self, CredentialError> {
        let other = Self::from_parts(self.key.clone(), x509::read_certificates(text)?)?;
        if other.sha1 != self.sha1 {
            return Err(CredentialError::ThumbprintMismatch);
        }
        Ok(Self { x5c: other.x5c, ..self })
    }

    /// The key's own certificate comes first in `x5c` (RFC 7515 section 4.1.6), wherever it was in the file.
    fn from_parts(
        key: PrivateKey,
        mut certificates: Vec<Certificate>,
    ) -> Result<Self, CredentialError> {
        let own = certificates
            .iter()
            .position(|certificate| certificate.public_key() == key.public_key())
            .ok_or(CredentialError::KeyMismatch)?;
        certificates[..=own].rotate_right(1);
        let x5c = certificates.iter().map(Certificate::to_base64).collect();
        let certificate = certificates.swap_remove(0);
        let (sha1, sha256) = (certificate.sha1(), Some(certificate.sha256()));
        Ok(Self { key, certificate: Some(certificate), sha1, sha256, x5c })
    }

    fn send_certificate(mut self, send: bool) -> Self {
        if !send {
            self.x5c.clear();
        }
        self
    }

    /// SHA-256 of the public key as 64 hexadecimal digits: says which credential it is, and gives nothing away.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The certificate's last second; none when only its thumbprint is known.
    pub fn not_after(&self) -> Option<UnixTime> {
        self.certificate.as_ref().map(Certificate::not_after)
    }

    /// Whether a provider will take the certificate at this time. Signing does not ask: it is the provider's decision.
    ///
    /// # Errors
    /// When it is too early, or too late.
    pub fn check_validity(&self, now: UnixTime) -> Result<(), CertificateValidityError> {
        self.certificate.as_ref().map_or(Ok(()), |certificate| certificate.check_validity(now))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientCertificate({})", self.fingerprint())
    }
}

/// Colons are how OpenSSL prints a thumbprint, and white space (a left-to-right mark too) comes with one that is copied out
/// of Windows.
fn decode_thumbprint(text: &str) -> Result<[u8; 20], CredentialError> {
    let is_ornament = |c: char| c == ':' || c == '\u{200e}' || c.is_whitespace();
    let digits: Option<Vec<u32>> =
        text.chars().filter(|c| !is_ornament(*c)).map(|c| c.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() == 40);
    let digits = digits.ok_or(CredentialError::NotAThumbprint)?;
    let mut bytes = [0; 20];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (pair[0] * 16 + pair[1]) as u8;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
