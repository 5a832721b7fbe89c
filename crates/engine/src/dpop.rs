//! DPoP (RFC 9449): proofs for the provider's token endpoint, with the nonces that servers hand out, and for the requests
//! that a program makes to resources.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use http::{HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use url::Url;
use valetkey_cache::TokenCache;
use valetkey_model::Secret;
use valetkey_oauth::{
    DpopProof, HttpRequest, HttpResponse, ProofKey, dpop_nonce, wants_dpop_nonce,
};
use valetkey_policy::Authorized;

use crate::application::ClientApplication;
use crate::engine::Engine;
use crate::error::Error;
use crate::possession::{Method, Possession};
use crate::request::ProofRequest;
use crate::route::Route;
use crate::user::User;

/// Of how many servers the nonce is kept.
const MAX_NONCES: usize = 64;

/// The nonces that servers handed out last, by origin and by the route that they came by; the oldest first.
#[derive(Default)]
pub(crate) struct DpopNonces(VecDeque<(Server, String)>);

#[derive(Clone, PartialEq, Eq)]
struct Server {
    origin: String,
    route: Option<Arc<Route>>,
}

impl DpopNonces {
    fn find(&self, server: &Server) -> Option<String> {
        self.0.iter().find(|(known, _)| known == server).map(|(_, nonce)| nonce.clone())
    }

    fn keep(&mut self, server: &Server, nonce: String) {
        self.0.retain(|(known, _)| known != server);
        if self.0.len() == MAX_NONCES {
            self.0.pop_front();
        }
        self.0.push_back((server.clone(), nonce));
    }
}

impl Engine {
    /// Sends a token request, with all that the tokens' binding asks for.
    pub(crate) async fn send_for_token(
        &self,
        user: &User,
        app: &ClientApplication,
        possession: &Possession,
        request: HttpRequest,
    ) -> Result<HttpResponse, Error> {
        let request = possession.bind(request);
        match possession {
            Possession::Dpop(key) => self.send_with_proof(user, app, key, request).await,
            Possession::Bearer | Possession::SignedRequest(_) | Possession::Foreign(_) => {
                self.send(user, app, request).await
            }
        }
    }

    /// A server that wants a nonce says so, and gives it (section 8); it has redeemed nothing then.
    async fn send_with_proof(
        &self,
        user: &User,
        app: &ClientApplication,
        key: &ProofKey,
        request: HttpRequest,
    ) -> Result<HttpResponse, Error> {
        let answer = self.send_proven(user, app, key, request.clone()).await?;
        match wants_dpop_nonce(&answer) && dpop_nonce(&answer).is_some() {
            true => self.send_proven(user, app, key, request).await,
            false => Ok(answer),
        }
    }

    async fn send_proven(
        &self,
        user: &User,
        app: &ClientApplication,
        key: &ProofKey,
        mut request: HttpRequest,
    ) -> Result<HttpResponse, Error> {
        let origin = request.url.origin().ascii_serialization();
        let server = Server { origin, route: app.route().cloned() };
        let nonces = || user.dpop_nonces.lock().unwrap_or_else(PoisonError::into_inner);
        let nonce = nonces().find(&server);
        let proof = DpopProof {
            method: &request.method,
            url: &request.url,
            access_token: None,
            nonce: nonce.as_deref(),
        };
        let proof = key.sign_dpop_proof(&proof, self.now(), self.random());
        let mut header = HeaderValue::from_str(proof.expose())
            .map_err(|_| Error::Bug("a proof is no header's value"))?;
        header.set_sensitive(true);
        request.headers.insert(HeaderName::from_static("dpop"), header);
        let answer = self.send(user, app, request).await?;
        if let Some(nonce) = dpop_nonce(&answer) {
            nonces().keep(&server, nonce.to_owned());
        }
        Ok(answer)
    }

    /// Signs a proof for one request that a program is about to make with a token of the application's.
    ///
    /// # Errors
    /// When the application's tokens are bound to no key, the request is the daemon's to make, or nobody knows whether it is.
    pub async fn sign_dpop_proof(
        self: &Arc<Self>,
        user: &Arc<User>,
        authorized: &Authorized<ProofRequest>,
    ) -> Result<Secret, Error> {
        let ProofRequest { app, request, access_token } = authorized.request();
        if !app.definition().dpop {
            return Err(Error::NotBound("open the application with `dpop`"));
        }
        let key = self.find_proof_key(user, app, Method::Dpop)?;
        let key = key.ok_or(Error::NotBound("it has not got any yet"))?;
        // Whoever came by a refresh token must not be able to redeem it with this application's key. Where that could be is
        // to be known first; definitions that differ in their tenant or timeout have the same key.
        let provider = match self.known_metadata(user, app) {
            Some(provider) => provider,
            None => self.discover(user, app).await?,
        };
        let targets = |endpoint: &Url| is_same_target(endpoint, request.url());
        let of_others = known_token_endpoints(&user.cache()).any(|endpoint| targets(&endpoint));
        if of_others || targets(&provider.token_endpoint) {
            let reason = "the daemon alone speaks to the token endpoint".to_owned();
            return Err(Error::BadValue { member: "url", reason });
        }
        let proof = request.with_token(access_token);
        Ok(key.sign_dpop_proof(&proof, self.now(), self.random()))
    }
}

/// Those of all the documents that were kept.
fn known_token_endpoints(cache: &TokenCache) -> impl Iterator<Item = Url> {
    cache.documents().filter_map(|document| {
        let members: Value = serde_json::from_str(&document.body).ok()?;
        members.get("token_endpoint")?.as_str()?.parse().ok()
    })
}

/// What a proof does not tell apart (section 4.2 leaves query and fragment out), nor a server that takes a path in more than
/// one spelling.
fn is_same_target(one: &Url, other: &Url) -> bool {
    target(one) == target(other)
}

fn target(url: &Url) -> (String, Option<u16>, Vec<String>) {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    let path = percent_decode_str(url.path()).decode_utf8_lossy().to_lowercase();
    let segments = path.split(['/', '\\']).filter_map(|it| it.split(';').next());
    let segments = segments.filter(|it| !it.is_empty()).map(str::to_owned);
    (host, url.port_or_known_default(), segments.collect())
}
