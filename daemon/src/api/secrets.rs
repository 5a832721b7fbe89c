//! `PUT` and `DELETE /v1/secrets/{name}`: for the credentials of applications that the configuration declares. There is no
//! `GET`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use valetkey_engine::Error;
use valetkey_proto::v1::{ErrorCode, PutSecretRequest};
use zeroize::Zeroizing;

use super::Api;
use super::answer::{empty, failed};
use super::guard::{Json, Path};
use crate::config::{NAME_RULE, is_name};
use crate::failure::Failure;
use crate::secrets::LIMIT;
use crate::session::Session;

pub(super) async fn put(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(name): Path<String>,
    Json(request): Json<PutSecretRequest>,
) -> Response<Body> {
    let kept = async { keep(&api, session, name, Some(content(request)?)).await };
    answer(&api, kept.await)
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(name): Path<String>,
) -> Response<Body> {
    answer(&api, keep(&api, session, name, None).await)
}

async fn keep(
    api: &Arc<Api>,
    session: Arc<Session>,
    name: String,
    secret: Option<Zeroizing<Vec<u8>>>,
) -> Result<(), Failure> {
    api.broker.decide_on_shared_administration(&session).await?;
    if !is_name(&name) {
        let text = format!("a secret cannot be called {name:?}: {NAME_RULE}");
        return Err(Failure::request(ErrorCode::BadRequest, text));
    }
    let keeping = Arc::clone(api);
    // A task of its own: when the caller hangs up, what is open must not go on with the old one.
    let task =
        tokio::spawn(async move { keeping.broker.keep_secret(&session, &name, secret).await });
    task.await.unwrap_or_else(|_| Err(Error::Bug("keeping a secret died").into()))
}

fn content(request: PutSecretRequest) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let content = match (request.secret, request.base64) {
        (Some(text), None) => Zeroizing::new(text.0.into_bytes()),
        (None, Some(text)) => STANDARD
            .decode(text.0)
            .map(Zeroizing::new)
            .map_err(|_| Failure::bad_member("base64", "is none"))?,
        _ => return Err(Failure::bad_member("secret", "give either it or base64")),
    };
    match content.len() {
        1..=LIMIT => Ok(content),
        _ => Err(Failure::bad_member("secret", format!("must be 1 to {LIMIT} bytes"))),
    }
}

fn answer(api: &Api, kept: Result<(), Failure>) -> Response<Body> {
    match kept {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
