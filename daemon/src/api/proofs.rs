//! `POST /v1/apps/{app}/proofs`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_proto::v1::{Proof, ProofRequest};

use super::Api;
use super::answer::{failed, json};
use super::guard::{Json, Path};
use crate::session::Session;

pub(super) async fn post(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(app): Path<String>,
    Json(request): Json<ProofRequest>,
) -> Response<Body> {
    let signed = async {
        let opened = api.broker.find_app(&session, &app).await?;
        api.broker.sign_proof(&session, opened, request).await
    };
    match signed.await {
        Ok(proof) => json(StatusCode::OK, &Proof { proof: proof.expose().to_owned() }),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
