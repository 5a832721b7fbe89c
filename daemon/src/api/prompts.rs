//! `GET /v1/prompts` and `POST /v1/prompts/{prompt}`: for those who put the daemon's questions to the person.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_proto::v1::{AnswerPromptRequest, Prompts};

use super::Api;
use super::answer::{empty, failed, json};
use super::flows::Patience;
use super::guard::{Json, Path, Query};
use crate::session::Session;

/// A long poll: answers when there is a prompt, or after `wait` seconds.
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Query(patience): Query<Patience>,
) -> Response<Body> {
    let mut stop = api.stop.clone();
    let listed = tokio::select! {
        listed = api.broker.list_prompts(&session, patience.duration()) => listed,
        () = stop.requested() => Ok(Prompts { prompts: Vec::new() }),
    };
    match listed {
        Ok(prompts) => json(StatusCode::OK, &prompts),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

pub(super) async fn answer(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(prompt): Path<String>,
    Json(request): Json<AnswerPromptRequest>,
) -> Response<Body> {
    match api.broker.answer_prompt(&session, &prompt, &request).await {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
