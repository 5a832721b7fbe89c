//! The control over HTTP, for tests in other processes and other languages: JSON under `/_emulator/`.
//!
//! A request with an `Origin` header is refused: no web page shall drive the emulator on someone's desk.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Json, Path, Query, State as Extract};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Router, extract};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::authorize::Redirect;
use super::client::Client;
use super::confirmation::SignedRequest;
use super::control::{Browser, Control, ControlError, Person};
use super::faults::Fault;
use super::federation::FederatedDomain;
use super::log::LoggedRequest;
use super::managed_identity::Machine;
use super::options::{NewUser, Settings};
use super::route::Endpoint;
use super::scenario::Scenario;
use super::server::Shared;
use super::state::{GrantCount, IssuedSecret, Revocation, User};

/// The routes; the caller adds the emulator's own as fallback.
pub(crate) fn routes() -> Router<Arc<Shared>> {
    Router::new()
        .route("/_emulator/log", get(list_requests).delete(clear_requests))
        .route("/_emulator/faults", post(add_fault).delete(clear_faults))
        .route("/_emulator/gates/{name}/open", post(open_gate))
        .route("/_emulator/gates/{name}/wait", get(wait_at_gate))
        .route("/_emulator/authorize", post(authorize))
        .route("/_emulator/device", post(decide_device))
        .route("/_emulator/users", get(list_users).post(create_user))
        .route("/_emulator/users/{name}/revoke", post(revoke_user))
        .route("/_emulator/users/{name}/scenario", post(set_user_scenario))
        .route("/_emulator/scopes/scenario", post(set_scope_scenario))
        .route("/_emulator/clients", get(list_clients).post(register_client))
        .route("/_emulator/assertions", post(sign_assertion))
        .route("/_emulator/federated-domains", get(list_federated_domains).post(federate_domain))
        .route("/_emulator/signed-requests", post(open_signed_request))
        .route("/_emulator/machine", get(get_machine).put(put_machine))
        .route("/_emulator/settings", get(get_settings).put(put_settings).patch(patch_settings))
        .route("/_emulator/clock", get(get_clock))
        .route("/_emulator/clock/advance", post(advance_clock))
        .route("/_emulator/secrets", get(list_secrets))
        .route("/_emulator/counters", get(list_counters))
        .route("/_emulator/revocations", get(list_revocations))
        .layer(from_fn(refuse_web_pages))
}

async fn refuse_web_pages(request: extract::Request, next: Next) -> Response {
    if request.headers().contains_key(header::ORIGIN) {
        return StatusCode::FORBIDDEN.into_response();
    }
    next.run(request).await
}

type Context = Extract<Arc<Shared>>;

fn control(shared: Arc<Shared>) -> Control {
    Control::new(shared)
}

/// `?endpoint=token` filters; with `at_least=3` the answer waits for that many.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogQuery {
    endpoint: Option<Endpoint>,
    at_least: Option<usize>,
}

async fn list_requests(
    Extract(shared): Context,
    Query(query): Query<LogQuery>,
) -> Json<Vec<LoggedRequest>> {
    let control = control(shared);
    let Some(endpoint) = query.endpoint else { return Json(control.requests()) };
    if let Some(count) = query.at_least {
        control.wait_for_requests(endpoint, count).await;
    }
    Json(control.requests_to(endpoint))
}

async fn clear_requests(Extract(shared): Context) -> StatusCode {
    control(shared).clear_requests();
    StatusCode::NO_CONTENT
}

async fn add_fault(Extract(shared): Context, Json(fault): Json<Fault>) -> StatusCode {
    control(shared).add_fault(fault);
    StatusCode::NO_CONTENT
}

async fn clear_faults(Extract(shared): Context) -> StatusCode {
    control(shared).clear_faults();
    StatusCode::NO_CONTENT
}

async fn open_gate(Extract(shared): Context, Path(name): Path<String>) -> StatusCode {
    control(shared).open_gate(&name);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
struct GateQuery {
    count: usize,
}

async fn wait_at_gate(
    Extract(shared): Context,
    Path(name): Path<String>,
    Query(query): Query<GateQuery>,
) -> StatusCode {
    control(shared).wait_at_gate(&name, query.count).await;
    StatusCode::NO_CONTENT
}

/// `browser` names a session that later calls share; without it each call is a fresh browser.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorizeBody {
    url: String,
    #[serde(default)]
    user: String,
    #[serde(default)]
    person: Person,
    browser: Option<String>,
}

/// The redirect, and it written out as a URL and a form body so that a script can deliver it as it is.
#[derive(Serialize)]
struct RedirectBody {
    redirect_uri: String,
    response_mode: super::ResponseMode,
    params: BTreeMap<String, String>,
    url: String,
    form_body: String,
}

async fn authorize(
    Extract(shared): Context,
    Json(body): Json<AuthorizeBody>,
) -> Result<Json<RedirectBody>, ControlError> {
    let browser = body.browser.as_deref().map_or_else(Browser::default, Browser::named);
    let redirect: Redirect =
        control(shared).authorize(&body.url, &body.user, body.person, &browser)?;
    Ok(Json(RedirectBody {
        url: redirect.url(),
        form_body: redirect.form_body(),
        redirect_uri: redirect.redirect_uri,
        response_mode: redirect.response_mode,
        params: redirect.params.into_iter().collect(),
    }))
}

/// A user approves; without a user the device is declined.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceBody {
    user_code: String,
    user: Option<String>,
}

async fn decide_device(
    Extract(shared): Context,
    Json(body): Json<DeviceBody>,
) -> Result<StatusCode, ControlError> {
    let control = control(shared);
    match body.user {
        Some(user) => control.approve_device(&body.user_code, &user)?,
        None => control.decline_device(&body.user_code)?,
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn list_users(Extract(shared): Context) -> Json<Vec<User>> {
    Json(control(shared).users())
}

async fn create_user(Extract(shared): Context, Json(user): Json<NewUser>) -> Json<User> {
    Json(control(shared).create_user(user))
}

async fn revoke_user(Extract(shared): Context, Path(name): Path<String>) -> Json<Value> {
    Json(json!({"revoked": control(shared).revoke_user(&name)}))
}

async fn set_user_scenario(
    Extract(shared): Context,
    Path(name): Path<String>,
    Json(scenario): Json<Option<Scenario>>,
) -> StatusCode {
    control(shared).set_user_scenario(&name, scenario);
    StatusCode::NO_CONTENT
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeScenario {
    scope: String,
    scenario: Option<Scenario>,
}

async fn set_scope_scenario(
    Extract(shared): Context,
    Json(body): Json<ScopeScenario>,
) -> StatusCode {
    control(shared).set_scope_scenario(&body.scope, body.scenario);
    StatusCode::NO_CONTENT
}

async fn list_clients(Extract(shared): Context) -> Json<Vec<Client>> {
    Json(control(shared).clients())
}

/// The body is the claims.
async fn sign_assertion(
    Extract(shared): Context,
    Json(claims): Json<serde_json::Map<String, Value>>,
) -> Json<Value> {
    Json(json!({"assertion": control(shared).sign_assertion(claims)}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignedRequestBody {
    signed: String,
}

/// What a resource makes of what stood after `Authorization: PoP`.
async fn open_signed_request(
    Extract(shared): Context,
    Json(body): Json<SignedRequestBody>,
) -> Result<Json<SignedRequest>, ControlError> {
    control(shared).open_signed_request(&body.signed).map(Json)
}

async fn register_client(Extract(shared): Context, Json(client): Json<Client>) -> StatusCode {
    control(shared).register_client(client);
    StatusCode::NO_CONTENT
}

async fn list_federated_domains(Extract(shared): Context) -> Json<Vec<FederatedDomain>> {
    Json(control(shared).federated_domains())
}

async fn federate_domain(
    Extract(shared): Context,
    Json(domain): Json<FederatedDomain>,
) -> StatusCode {
    control(shared).federate_domain(domain);
    StatusCode::NO_CONTENT
}

/// The machine, and by source the environment variables for a program that is to believe it runs there.
async fn get_machine(Extract(shared): Context) -> Json<Value> {
    let control = control(shared);
    Json(json!({"machine": control.machine(), "environments": control.machine_environments()}))
}

async fn put_machine(Extract(shared): Context, Json(machine): Json<Machine>) -> StatusCode {
    control(shared).set_machine(machine);
    StatusCode::NO_CONTENT
}

async fn get_settings(Extract(shared): Context) -> Json<Settings> {
    Json(control(shared).settings())
}

async fn put_settings(Extract(shared): Context, Json(settings): Json<Settings>) -> Json<Settings> {
    control(shared).set_settings(settings.clone());
    Json(settings)
}

/// Changes the members that are named and keeps the others.
async fn patch_settings(
    Extract(shared): Context,
    Json(changes): Json<serde_json::Map<String, Value>>,
) -> Response {
    let control = control(shared);
    let mut merged = json!(control.settings());
    for (name, value) in changes {
        merged[name] = value;
    }
    match serde_json::from_value::<Settings>(merged) {
        Ok(settings) => {
            control.set_settings(settings.clone());
            Json(settings).into_response()
        }
        Err(error) => (StatusCode::UNPROCESSABLE_ENTITY, error.to_string()).into_response(),
    }
}

async fn get_clock(Extract(shared): Context) -> Json<Value> {
    Json(json!({"now": control(shared).now()}))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

async fn advance_clock(Extract(shared): Context, Json(body): Json<Advance>) -> Json<Value> {
    let control = control(shared);
    control.advance_clock(body.seconds);
    Json(json!({"now": control.now()}))
}

async fn list_secrets(Extract(shared): Context) -> Json<Vec<IssuedSecret>> {
    Json(control(shared).secrets())
}

async fn list_counters(Extract(shared): Context) -> Json<BTreeMap<String, GrantCount>> {
    Json(control(shared).counters())
}

async fn list_revocations(Extract(shared): Context) -> Json<Vec<Revocation>> {
    Json(control(shared).revocations())
}

impl IntoResponse for ControlError {
    fn into_response(self) -> Response {
        let body = json!({"error": self.error, "error_description": self.description});
        (StatusCode::BAD_REQUEST, Json(body)).into_response()
    }
}
