//! Answers of the engine become the wire's, and every failure its status and body. With `from_wire.rs` the only place that
//! sees both.

mod consent;

use serde_json::{Map, Value};
use valetkey_cache::{Import, Skipped};
use valetkey_engine::ports::StoreError;
use valetkey_engine::{
    CacheContent, Error, Event, Flow, FlowStatus, FoundAccount, Happening, Invitation, TokenAnswer,
    TokenSource,
};
use valetkey_ipc::Peer;
use valetkey_model::{CorrelationId, Executable, Sandbox, Unidentified, UnixTime};
use valetkey_oauth::{
    DiscoveryError, ManagedIdentityError, OAuthError, RedirectError, TokenResponseError,
    UserRealmError, WsTrustError,
};
use valetkey_proto::v1::{self, ErrorBody, ErrorCode};

use crate::failure::Failure;

pub use consent::{grant, prompt, word};

/// What to do about a sign-in that the provider has ended, when it is known why.
const ANSWER_LOST: &str = "An earlier answer of the provider was lost, since the daemon was killed or the connection broke, and \
    it takes the second use of a refresh token for theft. Sign in again. Start a flow: interactive where there is a browser, \
    device code elsewhere.";

/// Members of a provider's answer that the wire has under names of its own.
const NAMED_TOKEN_MEMBERS: [&str; 7] = [
    "access_token",
    "token_type",
    "expires_in",
    "expires_on",
    "scope",
    "id_token",
    "refresh_token",
];

/// A token result with MSAL's keys.
pub fn token(answer: &TokenAnswer, now: UnixTime) -> v1::TokenResponse {
    match answer {
        TokenAnswer::Cached(token) => v1::TokenResponse {
            access_token: token.secret.expose().to_owned(),
            token_type: token.token_type.to_string(),
            expires_in: token.expires_on.seconds_since(now),
            token_source: v1::TokenSource::Cache,
            refresh_on: token.refresh_on.map(UnixTime::seconds),
            scope: Some(token.scopes.target().to_owned()),
            id_token: None,
            id_token_claims: None,
            others: Map::new(),
        },
        TokenAnswer::Issued(token) => v1::TokenResponse {
            access_token: token.access_token.expose().to_owned(),
            token_type: token.token_type.clone(),
            expires_in: token.expires_on.seconds_since(now),
            token_source: match token.source {
                TokenSource::Provider => v1::TokenSource::IdentityProvider,
                TokenSource::CloudShell => v1::TokenSource::Broker,
            },
            refresh_on: token.refresh_on.map(UnixTime::seconds),
            scope: Some(token.scopes.target().to_owned()),
            id_token: token.id_token.as_ref().map(|id_token| id_token.expose().to_owned()),
            id_token_claims: token.id_token_claims.clone(),
            others: without(&token.fields, &NAMED_TOKEN_MEMBERS),
        },
        TokenAnswer::Signed(signed, answer) => v1::TokenResponse {
            access_token: signed.expose().to_owned(),
            token_type: "pop".to_owned(),
            ..token(answer, now)
        },
    }
}

/// An account with MSAL's members.
pub fn account(account: &FoundAccount) -> v1::Account {
    v1::Account {
        home_account_id: account.home_account_id.as_str().to_owned(),
        environment: account.environment.to_string(),
        realm: account.realm.to_string(),
        username: account.username.to_string(),
        authority_type: account.authority_type.to_string(),
        local_account_id: account.local_account_id.as_deref().map(str::to_owned),
        account_source: account.account_source.as_deref().map(str::to_owned),
    }
}

/// What is in a private cache.
///
/// # Errors
/// When it is no JSON, which is a defect.
pub fn cache(content: &CacheContent) -> Result<v1::Cache, Failure> {
    Ok(v1::Cache { version: content.version, cache: sections(&content.json)? })
}

/// What was written as MSAL's unified JSON.
///
/// # Errors
/// When it is none, which is a defect.
pub fn sections(json: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(json)
        .map_err(|_| Error::Bug("a cache was written that cannot be read").into())
}

/// What was taken over of another library's cache, and what was not; `unreadable` of it made no sense.
pub fn cache_import(import: &Import, unreadable: &[Skipped]) -> v1::CacheImport {
    let taken = &import.taken;
    let skipped = import.skipped.iter().chain(unreadable).map(|skipped| v1::SkippedEntries {
        section: skipped.section.to_string(),
        reason: skipped.reason.to_string(),
        count: skipped.count,
    });
    v1::CacheImport {
        taken: v1::CacheCounts {
            accounts: taken.accounts,
            refresh_tokens: taken.refresh_tokens,
            access_tokens: taken.access_tokens,
            id_tokens: taken.id_tokens,
            app_metadata: taken.app_metadata,
        },
        skipped: skipped.collect(),
    }
}

/// A program for the record, as it looks at this moment.
pub fn program(peer: &Peer) -> v1::AuditedProgram {
    let program = peer.describe();
    let unidentified = match &program.executable {
        Executable::Identified(_) => None,
        Executable::Unidentified { why, .. } => Some(why.to_string()),
    };
    let is_interpreter = matches!(
        program.executable,
        Executable::Unidentified { why: Unidentified::Interpreter, .. }
    );
    v1::AuditedProgram {
        process: peer.caller().process.map(|process| process.number),
        path: program.executable.path().map(|path| path.display().to_string()),
        unidentified,
        script: is_interpreter.then(|| peer.script()).flatten(),
        unit: program.unit,
        sandbox: program.confinement.sandbox().map(Sandbox::to_string),
        parents: peer.parents().into_iter().map(|parent| parent.name).collect(),
    }
}

/// A flow as it stands.
pub fn flow(flow: &Flow, status: &FlowStatus, joined: bool, now: UnixTime) -> v1::Flow {
    let (kind, device, visit) = match &flow.invitation {
        Invitation::Device(fields) => (v1::FlowKind::DeviceCode, Some(fields.clone()), None),
        Invitation::AuthCode(visit) => (v1::FlowKind::AuthCode, None, Some(visit)),
        Invitation::Interactive(visit) => (v1::FlowKind::Interactive, None, Some(visit)),
    };
    let (state, result, error) = match status {
        FlowStatus::Pending { .. } => (v1::FlowState::Pending, None, None),
        FlowStatus::Completed(answer) => (v1::FlowState::Completed, Some(token(answer, now)), None),
        FlowStatus::Failed(error) => {
            (v1::FlowState::Failed, None, Some(self::error(error, &flow.correlation_id).1))
        }
    };
    v1::Flow {
        flow: flow.id.clone(),
        kind,
        state,
        joined,
        expires_at: flow.expires_at.seconds(),
        correlation_id: flow.correlation_id.as_str().to_owned(),
        device,
        auth_uri: visit.map(|visit| visit.auth_uri.clone()),
        redirect_uri: visit.and_then(|visit| visit.redirect_uri.clone()),
        // An application that receives the redirect itself must be able to recognise it; nobody else needs the state.
        auth_state: visit
            .filter(|_| kind == v1::FlowKind::AuthCode)
            .map(|visit| visit.state.clone()),
        scope: Some(flow.scopes.target().to_owned()),
        result,
        error,
    }
}

/// An event.
pub fn event(event: &Event) -> v1::Event {
    v1::Event {
        event: match event.happening {
            Happening::SignInNeeded => v1::EventKind::SignInNeeded,
            Happening::SignedIn => v1::EventKind::SignedIn,
            Happening::Refreshed => v1::EventKind::Refreshed,
            Happening::SignedOut => v1::EventKind::SignedOut,
            Happening::CacheImported => v1::EventKind::CacheImported,
            Happening::CacheExported => v1::EventKind::CacheExported,
            Happening::GrantChanged => v1::EventKind::GrantChanged,
            Happening::Locked => v1::EventKind::Locked,
            Happening::Unlocked => v1::EventKind::Unlocked,
        },
        at: event.at.seconds(),
        app: event.app.as_ref().map(|app| app.id.as_str().to_owned()),
        client_id: event.app.as_ref().map(|app| app.client_id.as_str().to_owned()),
        home_account_id: event.account.as_ref().map(|account| account.id.as_str().to_owned()),
        scope: Some(event.scopes.target().to_owned()).filter(|target| !target.is_empty()),
    }
}

/// A failure's status and body.
pub fn failure(failure: &Failure, correlation_id: &CorrelationId) -> (u16, ErrorBody) {
    match failure {
        Failure::Request { code, description } => own(*code, description.clone(), correlation_id),
        Failure::Advised { code, description, hint } => {
            let (status, body) = own(*code, description.clone(), correlation_id);
            (status, ErrorBody { hint: Some((*hint).to_owned()), ..body })
        }
        Failure::Later { description, seconds } => {
            let (status, body) =
                own(ErrorCode::TooManyRequests, description.clone(), correlation_id);
            (status, ErrorBody { retry_after: Some(*seconds), ..body })
        }
        Failure::Denied(denial) => {
            let (status, body) = own(ErrorCode::AccessDenied, denial.to_string(), correlation_id);
            let retry_after = denial.retry_after();
            (status, ErrorBody { hint: denial.hint().or(body.hint), retry_after, ..body })
        }
        Failure::Engine(error) => self::error(error, correlation_id),
    }
}

/// The one map from the engine's errors to the wire's.
fn error(error: &Error, correlation_id: &CorrelationId) -> (u16, ErrorBody) {
    use ErrorCode as Code;
    let code = match error {
        Error::SignInNeeded(_) => Code::SignInNeeded,
        Error::ClientAssertionNeeded { client_id, token_endpoint, fmi_path } => {
            let (status, mut body) =
                own(Code::ClientAssertionNeeded, error.to_string(), correlation_id);
            let context = [
                ("client_id", Some(client_id)),
                ("token_endpoint", Some(token_endpoint)),
                ("fmi_path", fmi_path.as_ref()),
            ];
            let context = context.into_iter().filter_map(|(name, value)| Some((name, value?)));
            body.others
                .extend(context.map(|(name, value)| (name.to_owned(), value.as_str().into())));
            return (status, body);
        }
        Error::AccountAmbiguous { accounts } => return ambiguous(accounts, correlation_id),
        Error::UnknownAccount(_) => Code::UnknownAccount,
        Error::Credential(_) => Code::InvalidCredential,
        Error::ReservedScope(_) => Code::ReservedScope,
        Error::Claims(_)
        | Error::BadValue { .. }
        | Error::NoOwnTokens
        | Error::NotBound(_)
        | Error::NotCompletedByCaller(_)
        | Error::NotOffered(_) => Code::BadRequest,
        Error::CacheNotPrivate | Error::DomainNotAdmitted { .. } => Code::AccessDenied,
        Error::UnknownFlow => Code::UnknownFlow,
        Error::FlowClosed => Code::FlowClosed,
        Error::TooMany { .. } | Error::NoRoom { .. } => Code::TooManyRequests,
        Error::FlowTimedOut => Code::FlowTimedOut,
        Error::FlowCancelled => Code::FlowCancelled,
        Error::Redirect(error) => return redirect(error, correlation_id),
        Error::IdToken(_) => Code::NonceMismatch,
        Error::Discovery(error) => discovery_code(error),
        Error::Token(TokenResponseError::Refused(refusal)) => {
            return refused(refusal, correlation_id);
        }
        Error::AnswerLost(refusal) => {
            let (status, body) = refused(refusal, correlation_id);
            return (status, ErrorBody { hint: Some(ANSWER_LOST.to_owned()), ..body });
        }
        Error::Token(TokenResponseError::Unavailable { retry_after, .. }) => {
            let (status, mut body) =
                own(Code::ProviderUnavailable, error.to_string(), correlation_id);
            body.retry_after = retry_after.and_then(|seconds| u64::try_from(seconds).ok());
            return (status, body);
        }
        Error::Token(TokenResponseError::ServerMisbehaved(_)) => Code::ProviderMisbehaved,
        Error::WsTrust(WsTrustError::Refused(fault)) => {
            let reason = fault.reason.as_deref().unwrap_or("it gave no reason");
            let description = format!("{}: {reason}", fault.code);
            return own(Code::FederationRefused, description, correlation_id);
        }
        Error::UserRealm(UserRealmError::Unavailable { .. })
        | Error::WsTrust(WsTrustError::Unavailable { .. }) => Code::ProviderUnavailable,
        Error::UserRealm(_) | Error::WsTrust(_) => Code::ProviderMisbehaved,
        Error::ManagedIdentity(error) => managed_identity_code(error),
        // The agent lets the members of a group of its own read them.
        Error::KeyFile(_) => Code::AccessDenied,
        Error::Transport(_) => Code::ProviderUnreachable,
        Error::Store(StoreError::Locked(_)) => Code::StoreLocked,
        Error::Store(StoreError::Unavailable(_)) => Code::StoreUnavailable,
        Error::Listen(_) => Code::BadRequest,
        Error::ShuttingDown => Code::ShuttingDown,
        Error::Bug(_) => Code::Internal,
    };
    own(code, error.to_string(), correlation_id)
}

fn managed_identity_code(error: &ManagedIdentityError) -> ErrorCode {
    match error {
        ManagedIdentityError::Variable { .. }
        | ManagedIdentityError::UserAssigned { .. }
        | ManagedIdentityError::ArcPlatform => ErrorCode::BadRequest,
        ManagedIdentityError::Answer(_)
        | ManagedIdentityError::ArcChallenge
        | ManagedIdentityError::ArcKey
        | ManagedIdentityError::OtherIdentity => ErrorCode::ProviderMisbehaved,
    }
}

fn discovery_code(error: &DiscoveryError) -> ErrorCode {
    match error {
        DiscoveryError::Refused { .. }
        | DiscoveryError::InvalidInstance { .. }
        | DiscoveryError::ForeignIssuer { .. }
        | DiscoveryError::ForeignEndpoint { .. }
        | DiscoveryError::InsecureEndpoint { .. }
        | DiscoveryError::NoPkce => ErrorCode::InvalidAuthority,
        DiscoveryError::Unavailable { .. } => ErrorCode::ProviderUnavailable,
        DiscoveryError::ServerMisbehaved(_) => ErrorCode::ProviderMisbehaved,
    }
}

/// An error of our own, with the table's advice as its hint.
pub fn own(
    code: ErrorCode,
    description: String,
    correlation_id: &CorrelationId,
) -> (u16, ErrorBody) {
    let body = ErrorBody {
        error: code.as_str().to_owned(),
        error_description: description,
        correlation_id: correlation_id.as_str().to_owned(),
        hint: Some(code.row().action.to_owned()),
        ..ErrorBody::default()
    };
    (code.status(), body)
}

fn ambiguous(accounts: &[String], correlation_id: &CorrelationId) -> (u16, ErrorBody) {
    let description = format!(
        "several accounts may be meant; name one, by its id if need be: {}",
        accounts.join(", ")
    );
    own(ErrorCode::AccountAmbiguous, description, correlation_id)
}

/// The provider's own words and codes. The status says whether a person is needed (409), or waiting (429), or else that
/// the request was not to the provider's liking (400).
fn refused(refusal: &OAuthError, correlation_id: &CorrelationId) -> (u16, ErrorBody) {
    let named =
        ["error", "error_description", "error_codes", "suberror", "claims", "correlation_id"];
    let status = match () {
        () if refusal.status == 429 => 429,
        () if refusal.needs_interaction() => 409,
        () => 400,
    };
    let body = ErrorBody {
        error: refusal.error.clone(),
        error_description: refusal.error_description.clone().unwrap_or_default(),
        error_codes: refusal.error_codes.clone(),
        suberror: refusal.suberror.clone(),
        classification: refusal.classification().map(str::to_owned),
        claims: refusal.claims.clone(),
        correlation_id: refusal
            .correlation_id
            .clone()
            .unwrap_or_else(|| correlation_id.as_str().to_owned()),
        retry_after: refusal.retry_after.and_then(|seconds| u64::try_from(seconds).ok()),
        hint: refusal.needs_interaction().then(|| ErrorCode::SignInNeeded.row().action.to_owned()),
        others: without(&refusal.fields, &named),
    };
    (status, body)
}

fn redirect(error: &RedirectError, correlation_id: &CorrelationId) -> (u16, ErrorBody) {
    let code = match error {
        RedirectError::StateMissing | RedirectError::StateMismatch => ErrorCode::StateMismatch,
        RedirectError::IssuerMissing | RedirectError::ForeignIssuer => ErrorCode::IssuerMismatch,
        RedirectError::BadErrorCode => ErrorCode::ProviderMisbehaved,
        RedirectError::Empty => ErrorCode::BadRequest,
        RedirectError::Refused { error, error_description, error_uri } => {
            let mut others = Map::new();
            others.extend(
                error_uri.iter().map(|uri| ("error_uri".to_owned(), Value::from(uri.as_str()))),
            );
            let body = ErrorBody {
                error: error.clone(),
                error_description: error_description.clone().unwrap_or_default(),
                correlation_id: correlation_id.as_str().to_owned(),
                others,
                ..ErrorBody::default()
            };
            return (409, body);
        }
    };
    own(code, error.to_string(), correlation_id)
}

fn without(fields: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    fields
        .iter()
        .filter(|(name, _)| !names.contains(&name.as_str()))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect()
}
