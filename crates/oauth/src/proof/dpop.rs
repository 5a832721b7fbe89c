//! Demonstrating proof of possession (RFC 9449).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::json;
use sha2::{Digest, Sha256};
use url::Url;
use valetkey_model::{Secret, UnixTime};

use super::ProofKey;

/// The request that a proof is for.
#[derive(Clone, Copy, Debug)]
pub struct DpopProof<'a> {
    /// Of the request.
    pub method: &'a Method,
    /// Of the request, http or https. Query and fragment may be in it and are not signed.
    pub url: &'a Url,
    /// The token that goes with the request; none at a token endpoint.
    pub access_token: Option<&'a Secret>,
    /// What this server last sent as `DPoP-Nonce` (section 8).
    pub nonce: Option<&'a str>,
}

impl ProofKey {
    /// The `DPoP` header's value, good for this one request (section 4.2).
    pub fn sign_dpop_proof(&self, proof: &DpopProof<'_>, now: UnixTime, jti: [u8; 16]) -> Secret {
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk()});
        let mut payload = json!({
            "jti": URL_SAFE_NO_PAD.encode(jti),
            "htm": proof.method.as_str(),
            "htu": target_uri(proof.url),
            "iat": now.seconds(),
        });
        if let Some(token) = proof.access_token {
            payload["ath"] = json!(URL_SAFE_NO_PAD.encode(Sha256::digest(token.expose())));
        }
        if let Some(nonce) = proof.nonce {
            payload["nonce"] = json!(nonce);
        }
        self.sign(&header, &payload)
    }
}

/// Without query and fragment (section 4.2), and without a name and password, which no request line has either.
fn target_uri(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    format!("{origin}{}", url.path())
}
