//! The key: EC P-256, which signs ES256.
//!
//! Entra binds a token to the thumbprint alone and never sees the key, and resources check signed HTTP requests with
//! Microsoft.IdentityModel, which takes RSA and EC; so one kind of key does for both methods. RSA keys, as MSAL makes them,
//! would need a second library to be made, and are slow to make.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use valetkey_model::Secret;
use zeroize::Zeroizing;

use crate::jws::SigningInput;

/// A private key that access tokens are bound to. It never leaves the daemon.
#[derive(Clone)]
pub struct ProofKey {
    key: SigningKey,
    jwk: PublicJwk,
    thumbprint: String,
}

/// The public half (RFC 7518 section 6.2.1). The members stand in the order of RFC 7638 section 3.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PublicJwk {
    crv: &'static str,
    kty: &'static str,
    x: String,
    y: String,
}

/// Why a text that was kept is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("proof key is no PKCS#8 of an EC P-256 key")]
pub struct ProofKeyError;

impl ProofKey {
    /// None for one draw in four thousand million, which is no scalar of the curve: draw again (FIPS 186-5 appendix A.2.2).
    pub fn from_random(bytes: &Zeroizing<[u8; 32]>) -> Option<Self> {
        SigningKey::from_slice(&**bytes).ok().map(Self::new)
    }

    /// A key that was kept.
    ///
    /// # Errors
    /// When it is not what [`ProofKey::to_pkcs8_pem`] wrote.
    pub fn from_pkcs8_pem(pem: &Secret) -> Result<Self, ProofKeyError> {
        SigningKey::from_pkcs8_pem(pem.expose()).map(Self::new).map_err(|_| ProofKeyError)
    }

    /// For keeping, in the vault and nowhere else.
    #[expect(clippy::expect_used, reason = "a scalar and a point of fixed length always fit")]
    pub fn to_pkcs8_pem(&self) -> Secret {
        let mut pem = self.key.to_pkcs8_pem(LineEnding::LF).expect("a P-256 key has a PKCS#8 form");
        Secret::new(std::mem::take(&mut *pem))
    }

    fn new(key: SigningKey) -> Self {
        let point = key.verifying_key().to_encoded_point(false);
        let encode = |coordinate: Option<_>| {
            URL_SAFE_NO_PAD.encode(coordinate.map(Vec::from_iter).unwrap_or_default())
        };
        let jwk = PublicJwk {
            crv: "P-256",
            kty: "EC",
            x: encode(point.x().map(|x| x.iter().copied())),
            y: encode(point.y().map(|y| y.iter().copied())),
        };
        let thumbprint = jwk.thumbprint();
        Self { key, jwk, thumbprint }
    }

    /// The public half.
    pub fn jwk(&self) -> &PublicJwk {
        &self.jwk
    }

    /// DPoP's `jkt` and `dpop_jkt`, Entra's `kid` (RFC 7638).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    pub(super) fn sign(&self, header: &Value, payload: &Value) -> Secret {
        let input = SigningInput::new(header, payload);
        let signature: Signature = self.key.sign(input.as_bytes());
        input.complete(&signature.to_bytes())
    }
}

impl PublicJwk {
    fn thumbprint(&self) -> String {
        let Self { crv, kty, x, y } = self;
        let canonical = format!(r#"{{"crv":"{crv}","kty":"{kty}","x":"{x}","y":"{y}"}}"#);
        URL_SAFE_NO_PAD.encode(Sha256::digest(canonical))
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofKey({})", self.thumbprint)
    }
}
