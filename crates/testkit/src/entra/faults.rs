//! Scripted faults: what the next requests to an endpoint meet instead of, or on the way to, the true answer.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::message::{Reply, Request};
use super::route::Endpoint;

/// A fault for the next requests to one endpoint. Faults are consumed in the order they were added.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which endpoint.
    pub endpoint: Endpoint,
    /// How many requests it meets.
    #[serde(default = "once")]
    pub times: u32,
    /// Only requests with this `grant_type`.
    #[serde(default)]
    pub grant_type: Option<String>,
    /// The request waits until the gate of this name is opened.
    #[serde(default)]
    pub gate: Option<String>,
    /// What then happens.
    #[serde(default)]
    pub effect: Effect,
}

fn once() -> u32 {
    1
}

/// What a request meets.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// The true answer; of use with a gate.
    #[default]
    Pass,
    /// This answer; the request is not processed.
    Answer {
        /// The HTTP status.
        status: u16,
        /// Such as `Retry-After`.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// A fitting OAuth error when absent.
        #[serde(default)]
        body: Option<String>,
    },
    /// An HTML page, as a proxy or a captive portal sends.
    Html {
        /// The HTTP status.
        status: u16,
    },
    /// Status 200 and a body that is called JSON and is none.
    NonsenseJson,
    /// The true answer with members of its JSON removed and set; `remove = ["access_token"]` breaks RFC 6749.
    EditAnswer {
        /// Members to remove.
        #[serde(default)]
        remove: Vec<String>,
        /// Members to set.
        #[serde(default)]
        set: Map<String, Value>,
    },
    /// The connection is cut and the request was never processed.
    DropRequest,
    /// The request is processed, a refresh token rotates, and then the connection is cut.
    DropAnswer,
    /// The request is processed, a refresh token rotates, and the answer waits until this gate is opened.
    HoldAnswer {
        /// The gate's name.
        gate: String,
    },
}

impl Effect {
    /// An answer with this status and a fitting body.
    pub fn status(status: u16) -> Self {
        Self::Answer { status, headers: BTreeMap::new(), body: None }
    }

    /// The same with `Retry-After` in seconds.
    pub fn retry_after(status: u16, seconds: u64) -> Self {
        let headers = BTreeMap::from([("Retry-After".to_owned(), seconds.to_string())]);
        Self::Answer { status, headers, body: None }
    }

    /// A token answer without `access_token`.
    pub fn without_access_token() -> Self {
        Self::EditAnswer { remove: vec!["access_token".to_owned()], set: Map::new() }
    }
}

impl Fault {
    /// Meets the next request to the endpoint.
    pub fn new(endpoint: Endpoint, effect: Effect) -> Self {
        Self { endpoint, times: 1, grant_type: None, gate: None, effect }
    }

    /// Meets the next `times` requests.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Meets only requests with this `grant_type`.
    #[must_use]
    pub fn for_grant(self, grant_type: &str) -> Self {
        Self { grant_type: Some(grant_type.to_owned()), ..self }
    }

    /// Holds the request at a gate first.
    #[must_use]
    pub fn behind_gate(self, gate: &str) -> Self {
        Self { gate: Some(gate.to_owned()), ..self }
    }

    fn matches(&self, endpoint: Endpoint, request: &Request) -> bool {
        self.endpoint == endpoint
            && self
                .grant_type
                .as_deref()
                .is_none_or(|grant| request.form.get("grant_type") == Some(grant))
    }
}

/// The faults that wait, and the gates.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    waiting: Vec<Fault>,
    gates: HashMap<String, Gate>,
}

/// A gate's state: whether it is open, and how many requests have come to it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GateState {
    pub(crate) open: bool,
    pub(crate) arrivals: usize,
}

pub(crate) type Gate = watch::Sender<GateState>;

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.waiting.push(fault);
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
    }

    /// Consumes one use of the first fault that matches.
    pub(crate) fn take(&mut self, endpoint: Endpoint, request: &Request) -> Option<Fault> {
        self.waiting.retain(|fault| fault.times > 0);
        let fault = self.waiting.iter_mut().find(|fault| fault.matches(endpoint, request))?;
        fault.times -= 1;
        Some(fault.clone())
    }

    /// The gate of this name, made closed when it is first named.
    pub(crate) fn gate(&mut self, name: &str) -> Gate {
        self.gates.entry(name.to_owned()).or_default().clone()
    }
}

/// The answer that an [`Effect::Answer`] describes.
pub(crate) fn scripted_reply(
    status: u16,
    headers: &BTreeMap<String, String>,
    body: Option<&str>,
) -> Reply {
    let fallback = json!({
        "error": if status >= 500 || status == 429 { "temporarily_unavailable" } else { "invalid_request" },
        "error_description": "AADSTS90033: The service is busy; try again later.",
        "error_codes": [90033],
    });
    let mut reply = Reply::json(status, &fallback);
    if let Some(body) = body {
        reply.body = body.to_owned();
    }
    headers.iter().fold(reply, |reply, (name, value)| reply.with_header(name, value.as_str()))
}

/// The answer of a captive portal.
pub(crate) fn portal_page(status: u16) -> Reply {
    Reply::html(
        status,
        "<!doctype html><title>Hotel network</title><h1>Please accept our terms</h1>".to_owned(),
    )
}

/// Removes and sets members when the body is a JSON object.
pub(crate) fn edit_reply(mut reply: Reply, remove: &[String], set: &Map<String, Value>) -> Reply {
    if let Ok(Value::Object(mut members)) = serde_json::from_str::<Value>(&reply.body) {
        members.retain(|name, _| !remove.contains(name));
        members.extend(set.clone());
        reply.body = Value::Object(members).to_string();
    }
    reply
}
