//! Signed HTTP requests (draft-ietf-oauth-signed-http-request-03), which is what Entra's `token_type=pop` means.
//!
//! The token request carries [`ProofKey::req_cnf`]. The token that comes of it is not sent as it is but inside of what
//! [`ProofKey::sign_http_request`] returns, after `Authorization: PoP`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;
use valetkey_model::{Secret, UnixTime};

use super::ProofKey;
use super::target::{ProofRequestError, check_nonce, parse_url};
use crate::HttpRequest;
use crate::grant::push;
use crate::http::Body;

/// The request that a token is bound to. Host, path, method and nonce always are; query, headers and body if wanted.
#[derive(Clone, Debug)]
pub struct PopRequest {
    claims: Map<String, Value>,
    url: Url,
}

impl PopRequest {
    /// # Errors
    /// When one of them is missing or not of its kind.
    pub fn new(method: &str, url: &str, nonce: &str) -> Result<Self, ProofRequestError> {
        if !METHODS.contains(&method) {
            return Err(ProofRequestError::UnknownMethod);
        }
        let url = parse_url(url)?;
        check_nonce(nonce)?;
        let mut claims = Map::new();
        claims.insert("m".to_owned(), json!(method));
        claims.insert("u".to_owned(), json!(host_and_port(&url)));
        claims.insert("p".to_owned(), json!(url.path()));
        claims.insert("nonce".to_owned(), json!(nonce));
        Ok(Self { claims, url })
    }

    /// Binds the query too (`q`, section 3.1 of the draft), as it stands in the URL.
    pub fn with_query(mut self) -> Self {
        let query = self.url.query().unwrap_or_default();
        let names: Vec<_> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
            .collect();
        let claim = json!([names, hash(query.as_bytes())]);
        self.claims.insert("q".to_owned(), claim);
        self
    }

    /// Binds these headers too (`h`, section 3.2 of the draft), in this order. The lines are joined by a line feed, as the
    /// draft's words and Microsoft's verifier have it; the draft's example was made with carriage returns as well.
    pub fn with_headers(mut self, headers: &[(&str, &str)]) -> Self {
        let names: Vec<_> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
        let lines: Vec<_> = names
            .iter()
            .zip(headers)
            .map(|(name, (_, value))| format!("{name}: {value}"))
            .collect();
        let claim = json!([names, hash(lines.join("\n").as_bytes())]);
        self.claims.insert("h".to_owned(), claim);
        self
    }

    /// Binds the body too (`b`).
    pub fn with_body(mut self, body: &[u8]) -> Self {
        self.claims.insert("b".to_owned(), json!(hash(body)));
        self
    }
}

impl ProofKey {
    /// The token request's `req_cnf`, beside `token_type=pop`: to which key the token shall be bound. Of the forms of
    /// RFC 7800 Entra takes this one.
    pub fn req_cnf(&self) -> String {
        URL_SAFE_NO_PAD.encode(json!({"kid": self.thumbprint()}).to_string())
    }

    /// What follows `Authorization: PoP `. A secret, since the access token is in it.
    pub fn sign_http_request(
        &self,
        request: &PopRequest,
        access_token: &Secret,
        now: UnixTime,
    ) -> Secret {
        let header = json!({"typ": "pop", "alg": "ES256", "kid": self.thumbprint()});
        let mut payload = Value::Object(request.claims.clone());
        payload["at"] = json!(access_token.expose());
        payload["ts"] = json!(now.seconds());
        payload["cnf"] = json!({"jwk": self.jwk()});
        self.sign(&header, &payload)
    }
}

impl HttpRequest {
    /// The same token request, for a token that is bound to `key`.
    #[must_use]
    pub fn bound_to(mut self, key: &ProofKey) -> Self {
        if let Body::Form(form) = &mut self.body {
            push(form, "token_type", "pop");
            push(form, "req_cnf", &key.req_cnf());
        }
        self
    }
}

/// The port only where it is not the scheme's own, as in a request's `Host`.
fn host_and_port(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];
