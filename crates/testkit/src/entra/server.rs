//! The HTTP server: reads a request, lets a scripted fault meet it, asks the endpoint, writes the answer.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use super::error::Refusal;
use super::faults::{Effect, Fault, Gate, edit_reply, portal_page, scripted_reply};
use super::message::{Reply, Request};
use super::route::{Endpoint, Route, find_route};
use super::state::State;
use super::tenant::Directory;
use super::{
    authorize, control_api, device, device_page, discovery, federation, managed_identity, pages,
    token, token_use, ws_trust,
};

/// No request to an identity provider is longer.
const MAX_BODY: usize = 1024 * 1024;

/// What the connections, the control and the control's HTTP form share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Changes whenever a request arrives, for those who wait for one.
    pub(crate) arrivals: watch::Sender<()>,
}

impl Shared {
    pub(crate) fn new(state: State) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(state), arrivals: watch::Sender::new(()) })
    }

    /// The state; a panic in a handler must not take the whole emulator along.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks an answer in whose place the connection is cut.
#[derive(Clone)]
struct Cut;

/// Serves until dropped.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let app = control_api::routes().fallback(answer).with_state(shared);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that died in the queue is the client's affair.
                if let Ok((stream, _)) = accepted {
                    connections.spawn(accept(stream, tls.clone(), app.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(stream: TcpStream, tls: Option<TlsAcceptor>, app: Router) {
    match tls {
        None => serve_connection(stream, app).await,
        // A handshake fails when the client does not trust the certificate, which is its affair.
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                serve_connection(stream, app).await;
            }
        }
    }
}

/// hyper and not `axum::serve`: only a service that fails makes hyper close the connection without an answer.
async fn serve_connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    app: Router,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut app = app.clone();
        async move {
            let response: Result<Response, Infallible> = app.call(request).await;
            match response {
                Ok(response) if response.extensions().get::<Cut>().is_some() => {
                    Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
                }
                Ok(response) => Ok(response),
                Err(never) => match never {},
            }
        }
    });
    // An error here is a client that went away or a cut that a test asked for.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Every path but the control's.
async fn answer(
    Extract(shared): Extract<Arc<Shared>>,
    request: axum::extract::Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return write(Reply::json(413, &json!({"error": "invalid_request"}))),
    };
    let request = Request::new(&parts, &body);
    let (route, sequence, fault, gate) = admit(&shared, &request);
    shared.arrivals.send_replace(());
    if let Some(gate) = gate {
        wait_at(&gate).await;
    }
    let effect = fault.map_or(Effect::Pass, |fault| fault.effect);
    let reply = meet(&mut shared.lock(), &route, &request, &effect);
    if let Effect::HoldAnswer { gate } = &effect {
        let gate = shared.lock().faults.gate(gate);
        wait_at(&gate).await;
    }
    match reply {
        Some(reply) => {
            shared.lock().log.record_answer(sequence, reply.status);
            write(reply)
        }
        None => cut(),
    }
}

/// Logs the request and takes the fault that waits for it, in one step so that their order is the same.
fn admit(shared: &Shared, request: &Request) -> (Route, u64, Option<Fault>, Option<Gate>) {
    let mut state = shared.lock();
    let route = find_route(&request.path, state.generic_oidc);
    let now = state.clock.now();
    let sequence = state.log.record_arrival(now, &route, request);
    let fault = state.faults.take(route.endpoint, request);
    let gate =
        fault.as_ref().and_then(|fault| fault.gate.as_deref()).map(|name| state.faults.gate(name));
    (route, sequence, fault, gate)
}

async fn wait_at(gate: &Gate) {
    gate.send_modify(|gate| gate.arrivals += 1);
    // The sender is ours, so the channel cannot close.
    let _ = gate.subscribe().wait_for(|gate| gate.open).await;
}

/// The answer under a fault, or none when the connection is to be cut.
fn meet(state: &mut State, route: &Route, request: &Request, effect: &Effect) -> Option<Reply> {
    match effect {
        Effect::Pass | Effect::HoldAnswer { .. } => Some(ask_endpoint(state, route, request)),
        Effect::Answer { status, headers, body } => {
            Some(scripted_reply(*status, headers, body.as_deref()))
        }
        Effect::Html { status } => Some(portal_page(*status)),
        Effect::NonsenseJson => {
            Some(Reply { body: "{\"access_token\": ".to_owned(), ..Reply::json(200, &json!({})) })
        }
        Effect::EditAnswer { remove, set } => {
            Some(edit_reply(ask_endpoint(state, route, request), remove, set))
        }
        Effect::DropRequest => None,
        Effect::DropAnswer => {
            ask_endpoint(state, route, request);
            None
        }
    }
}

/// The true answer.
fn ask_endpoint(state: &mut State, route: &Route, request: &Request) -> Reply {
    try_endpoint(state, route, request).unwrap_or_else(|refusal| refusal.to_reply(state, request))
}

fn try_endpoint(state: &mut State, route: &Route, request: &Request) -> Result<Reply, Refusal> {
    let find_directory = |state: &State| Directory::find(state, &route.authority_path);
    match route.endpoint {
        Endpoint::InstanceDiscovery => discovery::find_instance(state, request),
        Endpoint::OpenidConfiguration => {
            Ok(discovery::describe_tenant(state, &find_directory(state)?, request))
        }
        Endpoint::Keys => find_directory(state).map(|_| discovery::list_keys(state)),
        Endpoint::Authorize => Ok(authorize::answer(state, &route.authority_path, request)),
        Endpoint::DeviceCode => device::start(state, find_directory(state)?, request),
        Endpoint::DeviceLogin => Ok(device_page::answer(state, request)),
        Endpoint::Token => token::answer(state, &find_directory(state)?, request),
        Endpoint::Logout => Ok(authorize::logout(state, request)),
        Endpoint::Revocation => token_use::revoke_token(state, &find_directory(state)?, request),
        Endpoint::Userinfo => Ok(token_use::describe_user(state, request)),
        Endpoint::UserRealm => Ok(federation::describe_realm(state, request)),
        Endpoint::FederationMetadata => Ok(ws_trust::describe(state, request)),
        Endpoint::WsTrust => Ok(ws_trust::issue(state, request)),
        Endpoint::ManagedIdentity => Ok(managed_identity::answer(state, request)),
        Endpoint::ComputeMetadata => Ok(managed_identity::describe_compute(state, request)),
        Endpoint::Unknown => Ok(pages::not_found()),
    }
}

/// A header that a test scripted wrongly is left out rather than answered with a panic.
pub(crate) fn write(reply: Reply) -> Response {
    let mut response = Response::new(Body::from(reply.body));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn cut() -> Response {
    let mut response = Response::new(Body::empty());
    response.extensions_mut().insert(Cut);
    response
}
