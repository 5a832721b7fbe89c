//! What programs ask of the daemon: a body becomes a request of the wire, and that the engine's. What is taken keeps to its
//! limits and is written as it was; what is refused tells no secret.

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::body::Body;
use axum::extract::FromRequest;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use valetkey_engine::{ClientApplication, ClientType, Definition, ManagedIdentityApplication};
use valetkey_model::{Authority, AuthorityOptions, ClientId, CorrelationId, Partition, ScopeSet};
use valetkey_proto::v1;
use valetkey_proto::v1::paths::route;
use valetkeyd::api::guard::Json;
use valetkeyd::failure::Failure;
use valetkeyd::{from_wire, to_wire};

use crate::input::{Input, assert_silent, is_only_in_secrets};
use crate::wait;

/// How much text the scopes of one list may be, in bytes.
const MAX_SCOPES: usize = 16 * 1024;

/// One byte for the verb, then the body.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let verb = input.choose(&[
        open_app,
        acquire_token,
        acquire_resource_token,
        start_flow,
        complete_flow,
        sign_proof,
        replace_cache,
        import_cache,
        export_cache,
        put_secret,
        answer_prompt,
        unlock,
    ]);
    verb(&Asked::new(input.rest()));
}

/// A body, and whether the canary is in nothing of it but secrets.
struct Asked<'a> {
    body: &'a [u8],
    hides_canary: bool,
}

impl<'a> Asked<'a> {
    fn new(body: &'a [u8]) -> Self {
        let value = serde_json::from_slice::<Value>(body);
        Self { body, hides_canary: value.is_ok_and(|it| is_only_in_secrets(&it, &is_secret)) }
    }

    /// The request of the wire, as the daemon reads it.
    fn read<T: DeserializeOwned + Serialize + PartialEq + Send + 'static>(
        &self,
        path: &str,
    ) -> Option<T> {
        let mut request = Request::new(Body::from(self.body.to_vec()));
        *request.method_mut() = if path.ends_with("/cache") { Method::PUT } else { Method::POST };
        *request.uri_mut() = path.parse().expect("a constant");
        match wait(Json::<T>::from_request(request, &())) {
            Ok(Json(request)) => {
                let written = serde_json::to_vec(&request).expect("a request can be written");
                let again: T = serde_json::from_slice(&written).expect("and read again");
                assert!(again == request, "{path}: another when it is written and read again");
                Some(request)
            }
            Err(refusal) => {
                assert!(refusal.status().is_client_error());
                let said = wait(refusal.into_body().collect()).expect("a body").to_bytes();
                self.check_said(String::from_utf8_lossy(&said));
                None
            }
        }
    }

    /// What became of a request; a refusal is checked.
    fn taken<T>(&self, outcome: Result<T, Failure>) -> Option<T> {
        outcome
            .inspect_err(|failure| {
                let (status, body) = to_wire::failure(failure, &correlation_id());
                assert!((400..500).contains(&status), "{failure}: the request is at fault");
                let body = serde_json::to_string(&body).expect("an answer can be written");
                self.check_said(&body);
                self.check_said(format!("{failure:?}"));
            })
            .ok()
    }

    fn check_said(&self, said: impl AsRef<str>) {
        if self.hides_canary {
            assert_silent(said);
        }
    }

    /// The request has secrets, and its `Debug` is what ends up in logs.
    fn check_debug(&self, request: &impl fmt::Debug) {
        self.check_said(format!("{request:?}"));
    }
}

/// Members whose values are nobody's business but the daemon's and the provider's.
fn is_secret(name: &str) -> bool {
    [
        "access_token",
        "assertion",
        "base64",
        "client_assertion",
        "code",
        "federated_credential",
        "header",
        "passphrase",
        "password",
        "pfx",
        "private_key",
        "refresh_token",
        "secret",
        "session_key",
        "user_assertion",
    ]
    .contains(&name)
}

fn open_app(asked: &Asked<'_>) {
    let Some(request) = asked.read::<v1::OpenAppRequest>(route::APPS) else { return };
    asked.check_debug(&request);
    let identity = from_wire::managed_identity(&request, Partition::of_uid(1000));
    if let Some(identity) = asked.taken(identity) {
        assert_eq!(request.kind, v1::ClientKind::ManagedIdentity);
        assert_eq!(identity.app_id(), identity.clone().app_id());
    }
    if let Some(definition) = asked.taken(from_wire::definition(&request)) {
        check_definition(&request, &definition);
    }
    // The others may be made to take a second each, which `credentials` sees to.
    if let Some(credential @ v1::ClientCredential::Secret { .. }) = &request.credential {
        asked.taken(from_wire::credential(credential));
    }
}

fn check_definition(request: &v1::OpenAppRequest, definition: &Definition) {
    let url = definition.authority.url();
    assert!(url.scheme() == "https" || definition.authority.is_plain_http());
    let is_confidential = definition.client_type == ClientType::Confidential;
    assert_eq!(is_confidential, request.kind == v1::ClientKind::Confidential);
    assert!(definition.capabilities.len() <= 64);
    assert!(definition.exclude_scopes.target().len() <= MAX_SCOPES);
    let names = [&definition.app_name, &definition.app_version];
    for name in names.into_iter().flatten() {
        assert!(name.len() <= 256 && name.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }
    assert_eq!(definition.app_id(), definition.clone().app_id());
}

fn acquire_token(asked: &Asked<'_>) {
    let Some(request) = asked.read::<v1::TokenRequest>("/v1/apps/a/token") else { return };
    asked.check_debug(&request);
    let id = from_wire::correlation_id(request.correlation_id.as_deref(), correlation_id());
    let Some(id) = asked.taken(id) else { return };
    assert!(id.as_str().len() <= 512 && !id.as_str().contains(char::is_control));
    for app in apps() {
        let outcome = from_wire::token_request(Arc::clone(app), request.clone(), id.clone());
        let scopes = match asked.taken(outcome) {
            Some(from_wire::TokenRequest::Silent(request)) => request.scopes,
            Some(from_wire::TokenRequest::ByGrant(request)) => request.scopes,
            None => continue,
        };
        check_scopes(&scopes);
    }
}

fn check_scopes(scopes: &ScopeSet) {
    assert!(scopes.target().len() <= MAX_SCOPES);
    assert!(
        scopes
            .iter()
            .all(|scope| !scope.is_empty() && scope.bytes().all(|it| it.is_ascii_graphic()))
    );
}

fn acquire_resource_token(asked: &Asked<'_>) {
    let Some(request) = asked.read::<v1::TokenRequest>("/v1/apps/a/token") else { return };
    let app = Arc::clone(managed_identity());
    let outcome = from_wire::resource_token_request(app, request, correlation_id());
    if let Some(request) = asked.taken(outcome) {
        assert!(!request.resource.is_empty() && !request.resource.contains(char::is_whitespace));
    }
}

fn start_flow(asked: &Asked<'_>) {
    let Some(request) = asked.read::<v1::StartFlowRequest>("/v1/apps/a/flows") else { return };
    for app in apps() {
        let outcome = from_wire::flow_request(Arc::clone(app), request.clone(), correlation_id());
        if let Some(flow) = asked.taken(outcome) {
            check_scopes(&flow.scopes);
            let hints = [&flow.hints.prompt, &flow.hints.login_hint, &flow.hints.domain_hint];
            let others = flow.hints.others.values();
            let mut texts = hints.into_iter().flatten().chain(others);
            assert!(texts.all(|text| text.len() <= 4096));
        }
    }
}

fn complete_flow(asked: &Asked<'_>) {
    let Some(request) = asked.read::<v1::CompleteFlowRequest>("/v1/flows/f/complete") else {
        return;
    };
    for app in apps() {
        asked.taken(from_wire::completion(app, request.clone()));
    }
}

fn sign_proof(asked: &Asked<'_>) {
    let Some(request) = asked.read::<v1::ProofRequest>("/v1/apps/a/proofs") else { return };
    asked.check_debug(&request);
    for app in apps() {
        if let Some(proof) = asked.taken(from_wire::proof_request(Arc::clone(app), request.clone()))
        {
            assert!(proof.access_token.expose().bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}

fn replace_cache(asked: &Asked<'_>) {
    let Some(request) = asked.read::<v1::ReplaceCacheRequest>("/v1/apps/a/cache") else { return };
    asked.taken(from_wire::cache_entries(request));
}

fn import_cache(asked: &Asked<'_>) {
    let Some(request) = asked.read::<v1::ImportCacheRequest>(route::CACHE_IMPORT) else { return };
    asked.taken(from_wire::foreign_cache(request));
}

fn export_cache(asked: &Asked<'_>) {
    if let Some(request) = asked.read::<v1::ExportCacheRequest>(route::CACHE_EXPORT) {
        asked.check_debug(&request);
    }
}

fn put_secret(asked: &Asked<'_>) {
    if let Some(request) = asked.read::<v1::PutSecretRequest>("/v1/secrets/name") {
        asked.check_debug(&request);
    }
}

fn answer_prompt(asked: &Asked<'_>) {
    let Some(request) = asked.read::<v1::AnswerPromptRequest>("/v1/prompts/p") else { return };
    if let Some(answer) = asked.taken(from_wire::prompt_answer(&request)) {
        assert!(answer.seconds.is_none_or(|seconds| (1..=8760 * 3600).contains(&seconds)));
    }
}

fn unlock(asked: &Asked<'_>) {
    asked.read::<v1::UnlockRequest>(route::UNLOCK);
}

fn correlation_id() -> CorrelationId {
    CorrelationId::from_random([0; 16])
}

/// A public application, one whose tokens are bound, and a confidential one.
fn apps() -> &'static [Arc<ClientApplication>; 3] {
    static APPS: OnceLock<[Arc<ClientApplication>; 3]> = OnceLock::new();
    APPS.get_or_init(|| {
        let open = |client_type, dpop| {
            let client_id = ClientId::new("client").expect("a constant");
            let authority = Authority::parse(Authority::DEFAULT, AuthorityOptions::default());
            let usual = Definition::new(client_id, authority.expect("a constant"));
            Arc::new(ClientApplication::open(Definition { client_type, dpop, ..usual }))
        };
        [
            open(ClientType::Public, false),
            open(ClientType::Public, true),
            open(ClientType::Confidential, false),
        ]
    })
}

fn managed_identity() -> &'static Arc<ManagedIdentityApplication> {
    static IDENTITY: OnceLock<Arc<ManagedIdentityApplication>> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let text = r#"{"kind":"managed_identity","managed_identity":{"source":{"type":"imds"}}}"#;
        let request: v1::OpenAppRequest = serde_json::from_str(text).expect("a constant");
        let definition = from_wire::managed_identity(&request, Partition::of_uid(1000));
        Arc::new(ManagedIdentityApplication::open(definition.expect("a constant")))
    })
}
