//! `POST /v1/apps/{app}/flows`, `GET` and `DELETE /v1/flows/{flow}`, `POST /v1/flows/{flow}/complete`.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use valetkey_proto::v1::paths::MAX_WAIT_SECONDS;
use valetkey_proto::v1::{CompleteFlowRequest, StartFlowRequest};

use super::Api;
use super::answer::{empty, failed, json};
use super::guard::{Json, Path, Query};
use crate::failure::Failure;
use crate::session::Session;
use crate::{from_wire, to_wire};

pub(super) async fn start(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(app): Path<String>,
    Json(request): Json<StartFlowRequest>,
) -> Response<Body> {
    let fresh = api.broker.engine().new_correlation_id();
    let correlation_id =
        match from_wire::correlation_id(request.correlation_id.as_deref(), fresh.clone()) {
            Ok(id) => id,
            Err(failure) => return failed(&failure, &fresh),
        };
    let started = async {
        let opened = api.broker.find_app(&session, &app).await?;
        api.broker.start_flow(&session, opened, request, correlation_id.clone()).await
    };
    match started.await {
        Ok((flow, joined)) => {
            let (code, now) = (
                if joined { StatusCode::OK } else { StatusCode::CREATED },
                api.broker.engine().now(),
            );
            json(code, &to_wire::flow(&flow, &flow.status(now), joined, now))
        }
        Err(failure) => failed(&failure, &correlation_id),
    }
}

#[derive(Deserialize)]
pub(super) struct Patience {
    #[serde(default)]
    wait: f64,
}

impl Patience {
    pub(super) fn duration(&self) -> Duration {
        #[expect(clippy::cast_precision_loss, reason = "sixty is exact in floating point")]
        let seconds = self.wait.clamp(0.0, MAX_WAIT_SECONDS as f64);
        Duration::try_from_secs_f64(seconds).unwrap_or_default()
    }
}

/// A long poll: answers when the flow has ended, or after `wait` seconds.
pub(super) async fn wait(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(flow): Path<String>,
    Query(patience): Query<Patience>,
) -> Response<Body> {
    let waited = async {
        let (user, flow) = api.broker.find_flow(&session, &flow).await?;
        let mut stop = api.stop.clone();
        let status = tokio::select! {
            status = api.broker.wait_for_flow(&user, &flow, patience.duration()) => status,
            // The client asks again, and finds the next daemon.
            () = stop.requested() => flow.status(api.broker.engine().now()),
        };
        api.broker.settle_flow(&session, (&user, &flow), &status).await?;
        Ok::<_, Failure>((flow, status))
    };
    match waited.await {
        Ok((flow, status)) => {
            json(StatusCode::OK, &to_wire::flow(&flow, &status, false, api.broker.engine().now()))
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

pub(super) async fn complete(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(flow): Path<String>,
    Json(request): Json<CompleteFlowRequest>,
) -> Response<Body> {
    let completed = async {
        let (user, flow) = api.broker.find_flow(&session, &flow).await?;
        let status = api.broker.complete_flow(&session, (&user, &flow), request).await?;
        api.broker.settle_flow(&session, (&user, &flow), &status).await?;
        Ok::<_, Failure>((flow, status))
    };
    match completed.await {
        Ok((flow, status)) => {
            json(StatusCode::OK, &to_wire::flow(&flow, &status, false, api.broker.engine().now()))
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

pub(super) async fn cancel(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(flow): Path<String>,
) -> Response<Body> {
    match api.broker.find_flow(&session, &flow).await {
        Ok((_, flow)) => {
            api.broker.engine().cancel_flow(&flow);
            empty(StatusCode::NO_CONTENT)
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}
