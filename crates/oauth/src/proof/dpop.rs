//! Demonstrating proof of possession (RFC 9449).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use valetkey_model::{Secret, UnixTime};

use super::ProofKey;
use super::target::{ProofRequestError, check_nonce, parse_method, parse_url};
use crate::HttpResponse;

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

/// A request to a resource, as a program names it.
#[derive(Clone, Debug)]
pub struct DpopRequest {
    method: Method,
    url: Url,
    nonce: Option<String>,
}

impl DpopRequest {
    /// # Errors
    /// When one of them is not of its kind.
    pub fn new(method: &str, url: &str, nonce: Option<&str>) -> Result<Self, ProofRequestError> {
        nonce.map(check_nonce).transpose()?;
        let (method, url) = (parse_method(method)?, parse_url(url)?);
        Ok(Self { method, url, nonce: nonce.map(str::to_owned) })
    }

    /// Where it goes.
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// What is to be signed, for a request with this token.
    pub fn with_token<'a>(&'a self, access_token: &'a Secret) -> DpopProof<'a> {
        let Self { method, url, nonce } = self;
        DpopProof { method, url, access_token: Some(access_token), nonce: nonce.as_deref() }
    }
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

/// What the server wants to see in the next proof (section 8.2); none when it is no nonce.
pub fn dpop_nonce(answer: &HttpResponse) -> Option<&str> {
    let nonce = answer.headers.get("dpop-nonce")?.to_str().ok()?;
    check_nonce(nonce).is_ok().then_some(nonce)
}

/// True when an authorization server refused nothing but the proof's nonce (section 8).
pub fn wants_dpop_nonce(answer: &HttpResponse) -> bool {
    let error = || serde_json::from_slice::<Value>(&answer.body).ok()?.get("error").cloned();
    matches!(answer.status, 400 | 401) && error().is_some_and(|error| error == "use_dpop_nonce")
}

/// Without query and fragment (section 4.2), and without a name and password, which no request line has either.
fn target_uri(url: &Url) -> String {
    let origin = url.origin().ascii_serialization();
    format!("{origin}{}", url.path())
}
