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
    let listener = Listener { api, session, receiver };
    let events = stream::unfold((listener, stop), |(mut listener, mut stop)| async move {
        let event = tokio::select! {
            () = stop.requested() => None,
            event = listener.next() => event,
        }?;
        Some((Ok::<_, Infallible>(event), (listener, stop)))
    });
    // The comment line tells a reader that the stream is open before anything has happened.
    Sse::new(events).keep_alive(KeepAlive::default()).into_response()
}

struct Listener {
    api: Arc<Api>,
    session: Arc<Session>,
    receiver: Receiver<Event>,
}

impl Listener {
    /// What the program hears of next; `None` at the end.
    async fn next(&mut self) -> Option<SseEvent> {
        let broker = &self.api.broker;
        let event = loop {
            match self.receiver.recv().await {
                Ok(event) if !broker.may_hear_of(&self.session, &event).await => {}
                Ok(event) => break to_wire::event(&event),
                Err(RecvError::Lagged(_)) => break missed(broker.engine().now()),
                Err(RecvError::Closed) => return None,
            }
        };
        let name = serde_json::to_value(event.event).ok()?;
        SseEvent::default().event(name.as_str()?).json_data(&event).ok()
    }
}

fn missed(now: UnixTime) -> v1::Event {
    v1::Event {
        event: v1::EventKind::Missed,
        at: now.seconds(),
        app: None,
        client_id: None,
        home_account_id: None,
        scope: None,
    }
}
