//! Proofs of possession as a server checks them: by the key that stands in them, with another library than the one that signs.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A proof whose signature is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedProof {
    /// What it says of itself.
    pub header: Value,
    /// What it says of the request.
    pub claims: Value,
    /// Which key signed it (RFC 7638).
    pub thumbprint: String,
}

/// Opens a DPoP proof, whose key is in its header (RFC 9449 section 4.2), or a signed HTTP request, whose key is its `cnf`.
/// None when the signature is not that key's.
pub fn open_proof(proof: &str) -> Option<OpenedProof> {
    let (signed, signature) = proof.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let (header, claims) = (read(header)?, read(claims)?);
    let key = match header["typ"].as_str()? {
        "dpop+jwt" => &header["jwk"],
        "pop" => &claims["cnf"]["jwk"],
        _ => return None,
    };
    if header["alg"] != "ES256" || key["kty"] != "EC" || key["crv"] != "P-256" {
        return None;
    }
    let mut point = vec![4];
    for coordinate in ["x", "y"] {
        point.extend(decode(key[coordinate].as_str()?)?);
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &decode(signature)?)
        .ok()?;
    let members = json!({"crv": "P-256", "kty": "EC", "x": key["x"], "y": key["y"]});
    // `serde_json` writes members in the order of their names, as RFC 7638 section 3 demands.
    let thumbprint = encode(Sha256::digest(members.to_string()));
    Some(OpenedProof { header, claims, thumbprint })
}

/// `ath` of a token (RFC 9449 section 4.2).
pub fn token_digest(access_token: &str) -> String {
    encode(Sha256::digest(access_token))
}

fn read(part: &str) -> Option<Value> {
    serde_json::from_slice(&decode(part)?).ok()
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}
