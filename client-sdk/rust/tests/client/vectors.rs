//! Replays `proto/vectors`, the conformance cases that every SDK shares.
use std::path::Path;
use std::sync::{Arc, Mutex};

use crate::support::{Daemon, Reply, Request};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use valetkey_client::Error;
use valetkey_client::blocking::{App, Client};
use valetkey_client::v1::{
    ClientCredential, CompleteFlowRequest, Flow, FlowKind, FlowState, ProofRequest,
    StartFlowRequest,
};
use valetkey_client::v1::{OpenAppRequest, TokenRequest};

const FEATURES: [&str; 12] = [
    "silent",
    "accounts",
    "device_code",
    "auth_code",
    "interactive",
    "client_credentials",
    "client_assertion",
    "on_behalf_of",
    "password",
    "refresh_token",
    "user_federated_credential",
    "authorization_code",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    comment: String,
    requires: Vec<String>,
    app: OpenAppRequest,
    given: Vec<Exchange>,
    steps: Vec<Step>,
}

#[derive(Clone, Deserialize)]
struct Exchange {
    request: Expected,
    response: Response,
}

#[derive(Clone, Deserialize)]
struct Expected {
    method: String,
    path: String,
    query: Option<Map<String, Value>>,
    body: Option<Map<String, Value>>,
}

#[derive(Clone, Deserialize)]
struct Response {
    #[serde(default)]
    status: u16,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    hang_up: bool,
}

#[derive(Deserialize)]
struct Step {
    call: String,
    arguments: Map<String, Value>,
    expect: Map<String, Value>,
    #[serde(default)]
    opened: Vec<String>,
}

#[test]
fn every_vector_comes_out_as_it_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto/vectors");
    let mut replayed = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            replayed += usize::from(replay(&path));
        }
    }
    assert!(replayed >= 45, "{replayed}");
}

/// False for a file that is for a newer replayer.
fn replay(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_stem().unwrap().to_string_lossy();
    let vector = match serde_json::from_str::<Vector>(&text) {
        Ok(vector) if vector.requires.iter().all(|r| FEATURES.contains(&r.as_str())) => vector,
        Ok(Vector { requires, .. }) => return skip(&name, &format!("it requires {requires:?}")),
        Err(error) => return skip(&name, &error.to_string()),
    };
    let complaints = Arc::<Mutex<Vec<String>>>::default();
    let daemon = play(vector.given.clone(), Arc::clone(&complaints));
    let mut replayer =
        Replayer { client: Client::at(daemon.endpoint.clone()), app: None, flow: None };
    for step in &vector.steps {
        replayer.check(&format!("{name}: {}", vector.comment), &vector.app, step);
    }
    assert_eq!(*complaints.lock().unwrap(), [""; 0], "{name}");
    assert_eq!(daemon.requests().len(), vector.given.len(), "{name}");
    true
}

fn skip(name: &str, why: &str) -> bool {
    println!("skipped {name}: {why}");
    false
}

struct Replayer {
    client: Client,
    app: Option<App>,
    /// What the first step returned.
    flow: Option<Flow>,
}

/// What a call returned, in the vectors' words.
type Outcome = Result<(&'static str, Value), Error>;

impl Replayer {
    fn check(&mut self, name: &str, definition: &OpenAppRequest, step: &Step) {
        let mut opened = Vec::new();
        let outcome = self.call(definition, step, &mut opened);
        assert_eq!(opened, step.opened, "{name}");
        let (kind, wanted) = step.expect.iter().next().unwrap();
        match (outcome, kind.as_str()) {
            (Err(error), "error") => check_error(name, &error, wanted),
            (Ok(("flow", value)), "flow") => {
                let wanted = wanted.as_object().unwrap();
                wanted
                    .iter()
                    .for_each(|(member, wanted)| assert_eq!(&value[member], wanted, "{name}"));
            }
            (Ok((told, value)), kind) => {
                let has_value = ["token", "accounts", "proof"].contains(&told);
                let wanted = if has_value { wanted } else { &Value::Null };
                assert_eq!((told, &value), (kind, wanted), "{name}");
            }
            (Err(error), _) => panic!("{name}: {error:?}"),
        }
    }

    fn call(
        &mut self,
        definition: &OpenAppRequest,
        step: &Step,
        opened: &mut Vec<String>,
    ) -> Outcome {
        let app = match self.app.clone() {
            Some(app) => app,
            None => self.app.insert(open(&self.client, definition)?).clone(),
        };
        let arguments = &step.arguments;
        match step.call.as_str() {
            "sign_dpop_proof" => {
                let request: ProofRequest =
                    serde_json::from_value(arguments.clone().into()).unwrap();
                Ok(("proof", json!(app.sign_proof(&request)?.proof)))
            }
            "remove_tokens_for_client" => Ok(("nothing", json!(app.remove_own_tokens()?))),
            call if grant_of(call).is_some() => {
                let request = token_request(grant_of(call), arguments);
                Ok(("token", json!(app.acquire_token(&request)?)))
            }
            "get_accounts" => {
                let username = arguments.get("username").and_then(Value::as_str);
                Ok(("accounts", json!(app.accounts(username)?)))
            }
            "remove_account" => {
                Ok(("nothing", json!(app.remove_account(arguments["account"].as_str().unwrap())?)))
            }
            "initiate_device_flow" => self.start(&app, FlowKind::DeviceCode, arguments),
            "initiate_auth_code_flow" => self.start(&app, FlowKind::AuthCode, arguments),
            "acquire_token_by_device_flow" => self.finish_device_flow(arguments),
            "acquire_token_by_auth_code_flow" => self.complete(arguments),
            "acquire_token_interactive" => self.sign_in(&app, arguments, opened),
            other => panic!("{other}"),
        }
    }

    fn start(&mut self, app: &App, kind: FlowKind, arguments: &Map<String, Value>) -> Outcome {
        let flow = app.start_flow(&flow_request(kind, arguments))?;
        let mut told = flow.device.clone().unwrap_or_default();
        told.extend(json!(flow).as_object().unwrap().clone());
        if let Some(state) = &flow.auth_state {
            told.insert("state".into(), json!(state));
        }
        self.flow = Some(flow);
        Ok(("flow", told.into()))
    }

    fn finish_device_flow(&self, arguments: &Map<String, Value>) -> Outcome {
        let mut flow = self.flow.clone().unwrap();
        if arguments.get("wait") == Some(&json!(false)) {
            flow = self.client.poll_flow(&flow.flow, std::time::Duration::ZERO)?;
            if flow.state == FlowState::Pending {
                return Ok(("pending", Value::Null));
            }
        }
        Ok(("token", json!(self.client.finish_flow(flow)?)))
    }

    fn complete(&self, arguments: &Map<String, Value>) -> Outcome {
        let mut arguments = arguments.clone();
        arguments.remove("flow");
        let request: CompleteFlowRequest = serde_json::from_value(arguments.into()).unwrap();
        let flow = self.client.complete_flow(&self.flow.as_ref().unwrap().flow, &request)?;
        Ok(("token", json!(self.client.finish_flow(flow)?)))
    }

    fn sign_in(
        &self,
        app: &App,
        arguments: &Map<String, Value>,
        opened: &mut Vec<String>,
    ) -> Outcome {
        let flow = app.start_flow(&flow_request(FlowKind::Interactive, arguments))?;
        if !flow.joined {
            opened.extend(flow.auth_uri.clone());
        }
        Ok(("token", json!(self.client.finish_flow(flow)?)))
    }
}

fn open(client: &Client, definition: &OpenAppRequest) -> Result<App, Error> {
    match definition.credential {
        Some(ClientCredential::AssertionCallback) => {
            client.open_app_with_assertions(definition.clone(), |asked| {
                let path = asked.fmi_path.as_deref().unwrap_or_default();
                format!("{}|{}|{path}", asked.client_id, asked.token_endpoint)
            })
        }
        _ => client.open_app(definition.clone()),
    }
}

/// The wire's grant for MSAL's call.
fn grant_of(call: &str) -> Option<&str> {
    Some(match call {
        "acquire_token_silent" => "silent",
        "acquire_token_for_client" => "client_credentials",
        "acquire_token_on_behalf_of" => "on_behalf_of",
        "acquire_token_by_username_password" => "password",
        "acquire_token_by_refresh_token" => "refresh_token",
        "acquire_token_by_user_federated_identity_credential" => "user_federated_credential",
        "acquire_token_by_authorization_code" => "authorization_code",
        _ => return None,
    })
}

fn token_request(grant: Option<&str>, arguments: &Map<String, Value>) -> TokenRequest {
    let mut members = arguments.clone();
    members.insert("grant".into(), json!(grant));
    // The wire says what the assertion is for.
    if let Some(assertion) = members.remove("assertion") {
        members.insert("federated_credential".into(), assertion);
    }
    serde_json::from_value(members.into()).unwrap()
}

fn flow_request(kind: FlowKind, arguments: &Map<String, Value>) -> StartFlowRequest {
    let mut members = arguments.clone();
    members.insert("kind".into(), json!(kind));
    // MSAL has arguments for these; the wire has one member for all of them.
    if let Some(locales) = members.remove("ui_locales") {
        members.insert("params".into(), json!({"ui_locales": locales}));
    }
    serde_json::from_value(members.into()).unwrap()
}

fn check_error(name: &str, error: &Error, wanted: &Value) {
    let kind = wanted["kind"].as_str().unwrap();
    if kind == "broker_unreachable" {
        assert!(
            matches!(error, Error::Protocol(_) | Error::Io(_) | Error::NoDaemon { .. }),
            "{name}"
        );
        return;
    }
    assert_eq!(error.code(), wanted["code"].as_str(), "{name}");
    if kind == "sign_in_needed" {
        assert!(error.is_sign_in_needed(), "{name}");
    }
    let body = json!(error.body().unwrap());
    for (member, wanted) in wanted["body"].as_object().into_iter().flatten() {
        assert_eq!(&body[member], wanted, "{name}: {member}");
    }
    for member in ["classification", "retry_after", "hint"] {
        if let Some(wanted) = wanted.get(member) {
            assert_eq!(&body[member], wanted, "{name}: {member}");
        }
    }
}

/// Answers the requests of a vector in their order, and remembers what did not fit.
fn play(given: Vec<Exchange>, complaints: Arc<Mutex<Vec<String>>>) -> Daemon {
    let mut given = given.into_iter();
    Daemon::start(move |request| {
        let Some(exchange) = given.next() else {
            complaints.lock().unwrap().push(format!("unexpected {}", request.target));
            return Reply::raw("");
        };
        if let Err(complaint) = matches(&exchange.request, request) {
            complaints.lock().unwrap().push(complaint);
        }
        match exchange.response {
            Response { hang_up: true, .. } => Reply::raw(""),
            Response { status, body, .. } => Reply::json(status, &body),
        }
    })
}

fn matches(expected: &Expected, request: &Request) -> Result<(), String> {
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    if (path, &request.method) != (expected.path.as_str(), &expected.method) {
        return Err(format!("{} {path}", request.method));
    }
    if expected.query.as_ref().is_some_and(|wanted| *wanted != decode(query)) {
        return Err(format!("{path}: query {query}"));
    }
    let Some(wanted) = &expected.body else { return Ok(()) };
    let empty = Map::new();
    let sent = request.body.as_ref().and_then(Value::as_object).unwrap_or(&empty);
    let surplus =
        sent.iter().find(|(name, value)| !wanted.contains_key(*name) && !is_default(name, value));
    let differing = wanted.iter().find(|(name, value)| sent.get(*name) != Some(value));
    match surplus.or(differing) {
        None => Ok(()),
        Some((name, _)) => Err(format!("{path}: {name} in {sent:?}")),
    }
}

fn is_default(name: &str, value: &Value) -> bool {
    let empty = [Value::Null, json!(false), json!([]), json!({})];
    empty.contains(value)
        || (name == "kind" && value == "public")
        || (name == "grant" && value == "silent")
}

/// A query's names and values.
fn decode(query: &str) -> Map<String, Value> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), json!(decode_percent(value)))).collect()
}

fn decode_percent(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex: Vec<u8> = if byte == b'%' { rest.by_ref().take(2).collect() } else { Vec::new() };
        let decoded =
            std::str::from_utf8(&hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok());
        bytes.push(decoded.unwrap_or(byte));
    }
    String::from_utf8(bytes).unwrap()
}
