//! PFX files (PKCS#12, RFC 7292): the key, and the certificates beside it.

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;
use valetkey_model::Secret;

use super::CredentialError;
use super::private_key::PrivateKey;
use super::x509::Certificate;

pub(super) fn open(
    pfx: &[u8],
    passphrase: Option<&Secret>,
) -> Result<(PrivateKey, Vec<Certificate>), CredentialError> {
    let text = passphrase.map_or("", Secret::expose);
    let archive = Pkcs12Archive::from_pkcs12(pfx, text).map_err(|error| match error {
        Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError if passphrase.is_none() => {
            CredentialError::PassphraseMissing
        }
        Error::MacError(_) | Error::Pkcs5Error(_) | Error::UnpadError => {
            CredentialError::WrongPassphrase
        }
        Error::UnsupportedEncryptionScheme
        | Error::UnsupportedMacAlgorithm
        | Error::InvalidParameters => CredentialError::UnsupportedEncryption,
        _ => CredentialError::NotPfx,
    })?;
    let key = archive.keys.first().ok_or(CredentialError::PfxWithoutKey)?;
    let key = PrivateKey::from_pkcs8(key.key.as_der())?;
    if archive.certs.is_empty() {
        return Err(CredentialError::PfxWithoutCertificate);
    }
    let certificates =
        archive.certs.iter().map(|bag| Certificate::from_der(bag.cert.as_der().to_vec()));
    Ok((key, certificates.collect::<Result<_, _>>()?))
}
