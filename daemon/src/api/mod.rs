//! The HTTP API under `/v1`: one file for each endpoint, each handler short because the logic is behind it.

mod accounts;
mod answer;
mod apps;
mod audit;
mod brake;
mod cache;
mod diagnosis;
mod door;
mod entry;
mod events;
mod flows;
mod grants;
pub mod guard;
mod keys;
mod lock;
mod prompts;
mod proofs;
mod secrets;
mod shared_cache;
mod status;
mod token;
mod tokens;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Method, Response, Uri, header};
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use axum::routing::{delete, get, post, put};
use valetkey_proto::v1::ErrorCode;
use valetkey_proto::v1::paths::route;

use crate::broker::Broker;
use crate::failure::Failure;
use crate::locking::{Locking, Watch, Whose};
use crate::session::Session;
use crate::shutdown::ShutdownSignal;
use crate::store::VaultStore;

/// What the handlers work with.
pub struct Api {
    /// Decides and does.
    pub broker: Broker,
    /// For `status`, `lock`, `unlock` and the keys.
    pub store: Arc<VaultStore>,
    /// For locking by itself.
    pub locking: Locking,
    /// Whether the person's session is watched for that.
    pub session_watch: Watch,
    /// What `status` tells about this process.
    pub process: status::Process,
    /// Ends what waits.
    pub stop: ShutdownSignal,
}

impl Api {
    /// What is locked by itself when this connection's user is idle.
    fn whose(&self, session: &Session) -> Whose {
        match self.broker.serves_several() {
            true => Whose::Users(session.caller().partition.clone()),
            false => Whose::Everybodys,
        }
    }
}

pub use door::door;
pub use status::Process;

/// The routes of `/v1`.
pub fn router(api: Arc<Api>) -> Router {
    let (with, without) = (entry::with_an_application, entry::without_one);
    // Whoever may have nothing is still told of whom, and how to speak to it.
    Router::new()
        .route(route::STATUS, get(status::get))
        .route(route::OPENAPI, get(openapi))
        .merge(of_applications().route_layer(from_fn_with_state(Arc::clone(&api), with)))
        .merge(of_the_user().route_layer(from_fn_with_state(Arc::clone(&api), without)))
        .fallback(not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .with_state(api)
}

fn of_applications() -> Router<Arc<Api>> {
    Router::new()
        .route(route::APPS, get(apps::get).post(apps::post))
        .route(route::APP, delete(apps::delete))
        .route(route::ACCOUNTS, get(accounts::get))
        .route(route::ACCOUNT, delete(accounts::delete))
        .route(route::TOKEN, post(token::post))
        .route(route::PROOFS, post(proofs::post))
        .route(route::TOKENS, delete(tokens::delete))
        .route(route::CACHE, get(cache::get).put(cache::put))
        .route(route::FLOWS, post(flows::start))
        .route(route::FLOW, get(flows::wait).delete(flows::cancel))
        .route(route::COMPLETE, post(flows::complete))
}

fn of_the_user() -> Router<Arc<Api>> {
    Router::new()
        .route(route::EVENTS, get(events::get))
        .route(route::DIAGNOSIS, get(diagnosis::get))
        .route(route::AUDIT, get(audit::get))
        .route(route::GRANTS, get(grants::get).delete(grants::delete_all))
        .route(route::GRANT, delete(grants::delete))
        .route(route::PROMPTS, get(prompts::get))
        .route(route::PROMPT, post(prompts::answer))
        .route(route::CACHE_IMPORT, post(shared_cache::import))
        .route(route::CACHE_EXPORT, post(shared_cache::export))
        .route(route::LOCK, post(lock::lock))
        .route(route::UNLOCK, post(lock::unlock))
        .route(route::KEYS_ROTATE, post(keys::rotate))
        .route(route::SECRET, put(secrets::put).delete(secrets::delete))
}

async fn openapi() -> Response<Body> {
    const DOCUMENT: &str = include_str!("../../../proto/openapi.json");
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

async fn not_found(State(api): State<Arc<Api>>, uri: Uri) -> Response<Body> {
    let failure = Failure::request(ErrorCode::NotFound, format!("no path {:?} here", uri.path()));
    answer::failed(&failure, &api.broker.engine().new_correlation_id())
}

async fn method_not_allowed(
    State(api): State<Arc<Api>>,
    method: Method,
    uri: Uri,
) -> Response<Body> {
    let description = format!("{method} is not for {:?}", uri.path());
    let failure = Failure::request(ErrorCode::MethodNotAllowed, description);
    answer::failed(&failure, &api.broker.engine().new_correlation_id())
}
