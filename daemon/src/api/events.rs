//! `GET /v1/events`: server-sent events, the calling user's own alone.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::response::IntoResponse;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use valetkey_engine::Event;
use valetkey_model::UnixTime;
use valetkey_proto::v1;

use super::Api;
use crate::session::Session;
use crate::to_wire;

pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
) -> Response<Body> {
    let receiver = api.broker.subscribe(&session);
    let stop = api.stop.clone();
    let events =
        stream::unfold((api, receiver, stop), |(api, mut receiver, mut stop)| async move {
            let event = tokio::select! {
                () = stop.requested() => None,
                event = next(&mut receiver, || api.broker.engine().now()) => event,
            }?;
            Some((Ok::<_, Infallible>(event), (api, receiver, stop)))
        });
    // The comment line tells a reader that the stream is open before anything has happened.
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

async fn next(receiver: &mut Receiver<Event>, now: impl Fn() -> UnixTime) -> Option<SseEvent> {
    let event = match receiver.recv().await {
        Ok(event) => to_wire::event(&event),
        Err(RecvError::Lagged(_)) => v1::Event {
            event: v1::EventKind::Missed,
            at: now().seconds(),
            app: None,
            client_id: None,
            home_account_id: None,
            scope: None,
        },
        Err(RecvError::Closed) => return None,
    };
    let name = serde_json::to_value(event.event).ok()?;
    SseEvent::default().event(name.as_str()?).json_data(&event).ok()
}
