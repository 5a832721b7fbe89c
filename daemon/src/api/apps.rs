//! `GET` and `POST /v1/apps`, `DELETE /v1/apps/{app}`.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_engine::{ClientApplication, ClientType, ManagedIdentityApplication};
use valetkey_proto::v1::{App, Apps, ClientKind, OpenAppRequest};

use super::Api;
use super::answer::{empty, failed, json};
use super::guard::{Json, Path};
use crate::broker::{Broker, describe_unopened};
use crate::config::{AppConfig, AppKind};
use crate::failure::Failure;
use crate::session::Session;

pub(super) async fn post(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Json(request): Json<OpenAppRequest>,
) -> Response<Body> {
    let opened = async {
        if request.kind == ClientKind::ManagedIdentity {
            let opened = api.broker.open_managed_identity(&session, &request).await?;
            return Ok(describe_identity(&opened.app));
        }
        let opened = api.broker.open_app(&session, &request).await?;
        Ok::<_, Failure>(describe(&api.broker, &session, &opened.app))
    };
    match opened.await {
        Ok(app) => json(StatusCode::OK, &app),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

/// The open applications, and those of the configuration, which are as good as open.
pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response<Body> {
    let listed = async {
        let in_force = api.broker.configuration().look(api.broker.engine().now()).await;
        api.broker.open_public_apps(&session, &in_force).await?;
        let user = api.broker.user(&session).await?;
        let mut open = api.broker.open_apps(&user);
        api.broker.recall_all(&session).await;
        for (id, partition) in session.apps() {
            let user = api.broker.engine().find_user(&partition);
            open.extend(user.and_then(|user| user.find_app(&id)));
        }
        let describe = |app: &Arc<_>| describe(&api.broker, &session, app);
        let mut apps: Vec<_> = open.iter().map(describe).collect();
        let listed: HashSet<_> = apps.iter().filter_map(|app| app.name.as_deref()).collect();
        // Those may be for others, and listing them is no use of their credentials.
        let is_other = |name: &str, app: &AppConfig| {
            app.kind == AppKind::Confidential && !listed.contains(name)
        };
        let known = api.broker.apps_known_to(&session, &in_force).await?;
        let others = known.into_iter().filter(|(name, app)| is_other(name, app));
        let others: Vec<_> = others.map(|(name, app)| describe_unopened(name, app)).collect();
        apps.extend(others);
        let ids = session.apps().into_iter().map(|(id, _)| id);
        let identities = ids.filter_map(|id| api.broker.opened_identity(&session, &id));
        apps.extend(identities.map(|opened| describe_identity(&opened.app)));
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

/// Closes an application for its program. Its tokens stay: signing out is another matter. What other programs of the user may
/// have open as well stays open for them, and leaves memory when nobody has used it for long.
pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(app): Path<String>,
) -> Response<Body> {
    let closed = async {
        if let Some(opened) = api.broker.find_managed_identity(&session, &app).await? {
            let place = &opened.app.definition().partition;
            api.broker.close(&session, opened.app.id(), Some(place));
            return Ok(());
        }
        let opened = api.broker.find_app(&session, &app).await?;
        let place = opened.app.definition().partition.as_ref();
        api.broker.close(&session, opened.app.id(), place);
        Ok::<_, Failure>(())
    };
    match closed.await {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

fn describe_identity(app: &ManagedIdentityApplication) -> App {
    let definition = app.definition();
    App {
        app: app.id().as_str().to_owned(),
        name: None,
        kind: ClientKind::ManagedIdentity,
        client_id: definition.client_id.as_str().to_owned(),
        authority: definition.source.endpoint().to_string(),
    }
}

fn describe(broker: &Broker, session: &Session, app: &ClientApplication) -> App {
    let definition = app.definition();
    App {
        app: app.id().as_str().to_owned(),
        name: broker.name_of(session, app.id()),
        kind: match definition.client_type {
            ClientType::Confidential => ClientKind::Confidential,
            ClientType::Public => ClientKind::Public,
        },
        client_id: definition.client_id.as_str().to_owned(),
        authority: definition.authority.as_str().to_owned(),
    }
}
