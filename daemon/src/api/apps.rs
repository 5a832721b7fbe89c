//! `GET` and `POST /v1/apps`, `DELETE /v1/apps/{app}`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_engine::ClientApplication;
use valetkey_model::Caller;
use valetkey_proto::v1::{App, Apps, ClientKind, ErrorCode, OpenAppRequest};

use super::Api;
use super::answer::{empty, failed, json};
use super::guard::{Json, Path};
use crate::broker::Broker;
use crate::failure::Failure;

pub(super) async fn post(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Arc<Caller>>,
    Json(request): Json<OpenAppRequest>,
) -> Response<Body> {
    match api.broker.open_app(&caller, &request).await {
        Ok(opened) => json(StatusCode::OK, &describe(&api.broker, &opened.app)),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

/// The open applications, and those of the configuration, which are as good as open.
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Arc<Caller>>,
) -> Response<Body> {
    let listed = async {
        for name in api.broker.app_names().map(str::to_owned) {
            let request = OpenAppRequest { name: Some(name), ..OpenAppRequest::default() };
            api.broker.open_app(&caller, &request).await?;
        }
        let user = api.broker.user(&caller).await?;
        let mut apps: Vec<_> = user.apps().iter().map(|app| describe(&api.broker, app)).collect();
        apps.sort_by(|one, other| {
            (&one.name, &one.client_id, &one.app).cmp(&(&other.name, &other.client_id, &other.app))
        });
        Ok::<_, Failure>(Apps { apps })
    };
    match listed.await {
        Ok(apps) => json(StatusCode::OK, &apps),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

/// Closes an application. Its tokens stay: signing out is another matter.
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Arc<Caller>>,
    Path(app): Path<String>,
) -> Response<Body> {
    let closed = async {
        let opened = api.broker.find_app(&caller, &app).await?;
        match opened.user.close_app(opened.app.id()) {
            true => Ok(()),
            false => {
                Err(Failure::request(ErrorCode::UnknownApp, format!("no open application {app:?}")))
            }
        }
    };
    match closed.await {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

fn describe(broker: &Broker, app: &ClientApplication) -> App {
    let definition = app.definition();
    App {
        app: app.id().as_str().to_owned(),
        name: broker.named_app(app.id()).map(|(name, _)| name.to_owned()),
        kind: ClientKind::Public,
        client_id: definition.client_id.as_str().to_owned(),
        authority: definition.authority.as_str().to_owned(),
    }
}
