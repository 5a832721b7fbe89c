//! Signed HTTP requests, which stand in the place of the token that they carry: made anew for each caller, whoever shares the
//! token.

use std::sync::Arc;

use valetkey_model::UnixTime;
use valetkey_oauth::{PopRequest, ProofKey};

use crate::answer::TokenAnswer;
use crate::application::ClientApplication;
use crate::engine::Engine;
use crate::error::Error;
use crate::possession::{Method, Possession};
use crate::user::User;

/// What one caller wants signed, and the key that the token will be bound to.
pub(crate) struct Signer {
    key: Arc<ProofKey>,
    request: PopRequest,
}

impl Signer {
    /// None for who wants the token itself.
    pub(crate) fn new(possession: &Possession, request: Option<&PopRequest>) -> Option<Self> {
        match (possession, request) {
            (Possession::SignedRequest(key), Some(request)) => {
                Some(Self { key: Arc::clone(key), request: request.clone() })
            }
            _ => None,
        }
    }

    /// Signs the request with the token in it.
    pub(crate) fn sign(&self, answer: TokenAnswer, now: UnixTime) -> TokenAnswer {
        let signed = self.key.sign_http_request(&self.request, answer.access_token(), now);
        TokenAnswer::Signed(signed, Box::new(answer))
    }
}

impl Engine {
    /// Signs the request that the caller named, if any, with the token that was got for it.
    pub(crate) fn sign_request(
        &self,
        user: &User,
        app: &ClientApplication,
        request: Option<&PopRequest>,
        answer: TokenAnswer,
    ) -> Result<TokenAnswer, Error> {
        let Some(request) = request else { return Ok(answer) };
        let key = self.find_proof_key(user, app, Method::SignedRequest)?;
        let key = key.ok_or(Error::Bug("a bound token has no key"))?;
        Ok(Signer { key, request: request.clone() }.sign(answer, self.now()))
    }
}
