//! RSA keys: out of PEM, out of their encryption, and signing.
//!
//! Blinding and the salt of PSS are random; `ring` takes both from the system and lets nobody else choose them.

use std::sync::Arc;

use pkcs8::PrivateKeyInfoRef;
use pkcs8::der::asn1::{AnyRef, BitStringRef, OctetStringRef, UintRef};
use pkcs8::der::oid::ObjectIdentifier;
use pkcs8::der::{Decode, Encode, SliceReader};
use pkcs8::pkcs5::{self, EncryptionScheme, pbes2::Kdf};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RsaEncoding, RsaKeyPair};
use sha2::{Digest, Sha256};
use valetkey_model::Secret;
use zeroize::Zeroizing;

use super::CredentialError;
use super::pem::{self, Block};

#[derive(Clone)]
pub(super) struct PrivateKey {
    pair: Arc<RsaKeyPair>,
    fingerprint: [u8; 32],
}

impl PrivateKey {
    /// The first private key of the text, in whatever form.
    pub(super) fn from_pem(
        text: &Secret,
        passphrase: Option<&Secret>,
    ) -> Result<Self, CredentialError> {
        let blocks = pem::find_blocks(text.expose());
        if blocks.is_empty() {
            return Err(CredentialError::NotPem);
        }
        let block = blocks
            .iter()
            .find(|block| block.label.ends_with("PRIVATE KEY"))
            .ok_or(CredentialError::NoPrivateKey)?;
        match block.label {
            "OPENSSH PRIVATE KEY" => Err(CredentialError::OpensshKey),
            _ if block.has_legacy_encryption() => Err(CredentialError::LegacyEncryption),
            "PRIVATE KEY" => Self::from_pkcs8(&decode(block)?),
            "RSA PRIVATE KEY" => Self::from_pkcs1(&decode(block)?),
            "ENCRYPTED PRIVATE KEY" => Self::from_encrypted_pkcs8(&decode(block)?, passphrase),
            _ => Err(CredentialError::NotRsa),
        }
    }

    /// RFC 5958.
    pub(super) fn from_pkcs8(der: &[u8]) -> Result<Self, CredentialError> {
        let info = PrivateKeyInfoRef::try_from(der).map_err(|_| CredentialError::DamagedKey)?;
        if info.algorithm.oid != RSA_ENCRYPTION {
            return Err(CredentialError::NotRsa);
        }
        Self::from_pkcs1(info.private_key.as_bytes())
    }

    fn from_encrypted_pkcs8(
        der: &[u8],
        passphrase: Option<&Secret>,
    ) -> Result<Self, CredentialError> {
        let (algorithm, encrypted) =
            read_encrypted_pkcs8(der).map_err(|_| CredentialError::DamagedKey)?;
        let passphrase = passphrase.ok_or(CredentialError::PassphraseMissing)?;
        let scheme = EncryptionScheme::try_from(algorithm)
            .map_err(|_| CredentialError::UnsupportedEncryption)?;
        if !is_affordable(&scheme) {
            return Err(CredentialError::TooMuchWork);
        }
        // Padding that happens to look right under a wrong passphrase leaves bytes that are no DER.
        let decrypted =
            scheme.decrypt(passphrase.expose(), encrypted).map_err(|error| match error {
                pkcs5::Error::NoPbes1CryptSupport | pkcs5::Error::UnsupportedAlgorithm { .. } => {
                    CredentialError::UnsupportedEncryption
                }
                _ => CredentialError::WrongPassphrase,
            })?;
        Self::from_pkcs8(&Zeroizing::new(decrypted)).map_err(|error| match error {
            CredentialError::DamagedKey => CredentialError::WrongPassphrase,
            error => error,
        })
    }

    /// RFC 8017 appendix A.1.2.
    fn from_pkcs1(der: &[u8]) -> Result<Self, CredentialError> {
        let bits = count_modulus_bits(der).map_err(|_| CredentialError::DamagedKey)?;
        if bits < 2048 {
            return Err(CredentialError::KeyTooSmall { bits });
        }
        let pair = RsaKeyPair::from_der(der).map_err(|_| CredentialError::KeyRejected)?;
        let fingerprint =
            fingerprint(pair.public_key().as_ref()).map_err(|_| CredentialError::KeyRejected)?;
        Ok(Self { pair: Arc::new(pair), fingerprint })
    }

    /// `RSAPublicKey` (RFC 8017 appendix A.1.1), as a certificate's bit string has it.
    pub(super) fn public_key(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    pub(super) fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    pub(super) fn sign(
        &self,
        encoding: &'static dyn RsaEncoding,
        message: &[u8],
    ) -> Result<Vec<u8>, CredentialError> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(encoding, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| CredentialError::SigningFailed)?;
        Ok(signature)
    }
}

fn decode(block: &Block<'_>) -> Result<Zeroizing<Vec<u8>>, CredentialError> {
    block.decode().ok_or(CredentialError::DamagedKey)
}

/// `EncryptedPrivateKeyInfo` (RFC 5958 section 3). The algorithm is read by itself, so that one which nobody here knows is
/// not taken for damage.
fn read_encrypted_pkcs8(
    der: &[u8],
) -> Result<(AlgorithmIdentifierRef<'_>, &[u8]), pkcs8::der::Error> {
    let mut members = SliceReader::new(AnyRef::from_der(der)?.value())?;
    let algorithm = AlgorithmIdentifierRef::decode(&mut members)?;
    Ok((algorithm, <&OctetStringRef>::decode(&mut members)?.as_bytes()))
}

/// The text says how much work its derivation is, and whoever hands it in should not hold a core for long.
fn is_affordable(scheme: &EncryptionScheme) -> bool {
    match scheme.pbes2().map(|parameters| &parameters.kdf) {
        Some(Kdf::Pbkdf2(pbkdf2)) => pbkdf2.iteration_count <= MAX_ITERATIONS,
        Some(Kdf::Scrypt(scrypt)) => {
            let memory = u128::from(scrypt.cost_parameter) * u128::from(scrypt.block_size) * 128;
            memory * u128::from(scrypt.parallelization) <= u128::from(MAX_SCRYPT_MIB) << 20
        }
        _ => true,
    }
}

fn count_modulus_bits(pkcs1: &[u8]) -> Result<usize, pkcs8::der::Error> {
    let mut members = SliceReader::new(AnyRef::from_der(pkcs1)?.value())?;
    let _version = u8::decode(&mut members)?;
    Ok(UintRef::decode(&mut members)?.as_bytes().len() * 8)
}

/// SHA-256 of the `SubjectPublicKeyInfo`, which `openssl pkey -pubout -outform DER | sha256sum` yields too.
fn fingerprint(public_key: &[u8]) -> Result<[u8; 32], pkcs8::der::Error> {
    let algorithm = AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
    let subject_public_key = BitStringRef::from_bytes(public_key)?;
    let info = SubjectPublicKeyInfoRef { algorithm, subject_public_key };
    Ok(Sha256::digest(info.to_der()?).into())
}

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The most that OWASP asks for, with HMAC-SHA-1; with SHA-256 it is 600 000. OpenSSL does 2048 unless told otherwise.
pub(super) const MAX_ITERATIONS: u32 = 1_300_000;
/// What scrypt may fill, all lanes together: what OWASP asks for. OpenSSL fills 16 MiB.
pub(super) const MAX_SCRYPT_MIB: u32 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_may_be_stretched_as_much_as_anybody_asks_for_and_no_more() {
        for (iterations, expected) in
            [(2048, true), (600_000, true), (MAX_ITERATIONS, true), (MAX_ITERATIONS + 1, false)]
        {
            let scheme = pkcs5::pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(
                iterations,
                b"saltsalt",
                [0; 16],
            );
            assert_eq!(is_affordable(&scheme.unwrap().into()), expected, "{iterations}");
        }
    }
}
