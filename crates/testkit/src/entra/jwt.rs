//! Signed tokens (ES256) and the key set that verifies them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use p256::ecdsa::{Signature, SigningKey, VerifyingKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::random::Random;

/// A P-256 key; nearly every 32-byte number is one.
pub(crate) fn generate_key(random: &mut Random) -> SigningKey {
    loop {
        if let Ok(key) = SigningKey::from_slice(&random.next_block()) {
            return key;
        }
    }
}

/// The token text for these claims. ECDSA here is deterministic (RFC 6979), so a seed reproduces it.
pub(crate) fn sign(key: &SigningKey, claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "ES256", "kid": key_id(key)});
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature: Signature = key.sign(signed.as_bytes());
    format!("{signed}.{}", encode(signature.to_bytes()))
}

/// The claims of a token that this key signed.
pub(crate) fn verify(key: &SigningKey, token: &str) -> Option<Value> {
    let (signed, signature) = token.rsplit_once('.')?;
    let signature = Signature::from_slice(&decode(signature)?).ok()?;
    VerifyingKey::from(key).verify(signed.as_bytes(), &signature).ok()?;
    serde_json::from_slice(&decode(signed.split('.').nth(1)?)?).ok()
}

/// A token that someone else may have signed, taken apart.
pub(crate) struct Jwt {
    pub(crate) header: Value,
    claims: Value,
    /// What the signature is over.
    pub(crate) signed: String,
    pub(crate) signature: Vec<u8>,
}

impl Jwt {
    pub(crate) fn parse(token: &str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let read = |part: &str| serde_json::from_slice(&decode(part)?).ok();
        Some(Self {
            header: read(header)?,
            claims: read(claims)?,
            signed: signed.to_owned(),
            signature: decode(signature)?,
        })
    }

    pub(crate) fn algorithm(&self) -> &str {
        self.header["alg"].as_str().unwrap_or("")
    }

    /// A claim; empty when it is no text.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.claims[name].as_str().unwrap_or("")
    }

    /// A NumericDate, which may have a fraction (RFC 7519 section 2).
    pub(crate) fn seconds(&self, name: &str) -> Option<i64> {
        let value = &self.claims[name];
        // `as` saturates.
        value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))
    }
}

/// The key set document (RFC 7517).
pub(crate) fn key_set(key: &SigningKey) -> Value {
    let mut jwk = public_members(key);
    jwk["use"] = json!("sig");
    jwk["alg"] = json!("ES256");
    jwk["kid"] = json!(key_id(key));
    json!({"keys": [jwk]})
}

/// `client_info`: the home account's identifiers, encoded as the payload of a token is.
pub(crate) fn client_info(uid: &str, utid: &str) -> String {
    encode(json!({"uid": uid, "utid": utid}).to_string())
}

/// A pairwise subject: the same user is another one to each client.
pub(crate) fn pairwise_subject(object_id: &str, client_id: &str) -> String {
    encode(Sha256::digest(format!("{object_id}|{client_id}")))
}

/// The thumbprint of RFC 7638; `serde_json` writes members in the order of their names, as that demands.
fn key_id(key: &SigningKey) -> String {
    encode(Sha256::digest(public_members(key).to_string()))
}

fn public_members(key: &SigningKey) -> Value {
    let point = VerifyingKey::from(key).to_encoded_point(false);
    let coordinate = |bytes: Option<&p256::FieldBytes>| bytes.map(encode).unwrap_or_default();
    json!({"crv": "P-256", "kty": "EC", "x": coordinate(point.x()), "y": coordinate(point.y())})
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_untouched_token_verifies() {
        let key = generate_key(&mut Random::from_seed(1));
        let token = sign(&key, &json!({"sub": "alice"}));
        assert_eq!(verify(&key, &token), Some(json!({"sub": "alice"})));
        let stranger = generate_key(&mut Random::from_seed(2));
        assert_eq!(verify(&stranger, &token), None);
        let forged = token.replacen('.', ".e30", 1);
        for hostile in [forged.as_str(), "", ".", "..", "a.b.c", "ä.ö.ü"] {
            assert_eq!(verify(&key, hostile), None, "{hostile}");
        }
    }
}
