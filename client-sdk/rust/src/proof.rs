//! `POST /v1/apps/{app}/proofs`: proofs of possession for requests to resources (RFC 9449).

use valetkey_proto::v1::paths::route;
use valetkey_proto::v1::{Proof, ProofRequest};

use crate::app::{App, BlockingApp};
use crate::call::Call;
use crate::error::Error;
use crate::http1::fill;

impl App {
    /// Signs the `DPoP` header of one request with a token of this application, which was opened with `dpop`.
    ///
    /// # Errors
    /// When the application has no bound tokens, or the request cannot be.
    pub async fn sign_proof(&self, request: &ProofRequest) -> Result<Proof, Error> {
        self.call(|app| sign(app, request)).await
    }
}

impl BlockingApp {
    /// As [`App::sign_proof`].
    ///
    /// # Errors
    /// When the application has no bound tokens, or the request cannot be.
    pub fn sign_proof(&self, request: &ProofRequest) -> Result<Proof, Error> {
        self.call(|app| sign(app, request))
    }
}

fn sign(app: &str, request: &ProofRequest) -> Call<Proof> {
    Call::post(&fill(route::PROOFS, &[app]), request).repeatable()
}
