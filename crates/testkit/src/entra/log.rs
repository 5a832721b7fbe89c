//! What was asked and what was answered, in order.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::message::Request;
use super::origin::region_of;
use super::route::{Endpoint, Route};

/// Older entries make room: a benchmark must not fill the memory.
const MAX_ENTRIES: usize = 50_000;

/// One request and the status of its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedRequest {
    /// Counts from 1 and goes on after the log was cleared.
    pub sequence: u64,
    /// The emulator's clock, in seconds since 1970.
    pub at: i64,
    /// What the path names.
    pub endpoint: Endpoint,
    /// The tenant in the path, empty where there is none.
    pub tenant: String,
    /// The region whose host was asked, as in `westus2.localhost`.
    #[serde(default)]
    pub region: Option<String>,
    /// `GET`, `POST`, …
    pub method: String,
    /// As sent.
    pub path: String,
    /// Decoded; the first value of each name.
    pub query: BTreeMap<String, String>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Decoded; the first value of each name.
    pub form: BTreeMap<String, String>,
    /// The body when it was not a form.
    pub body: String,
    /// Absent while the request waits at a gate, and when the connection was cut.
    pub status: Option<u16>,
}

impl LoggedRequest {
    /// A form field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.form.get(name).map(String::as_str)
    }
}

/// The newest requests.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<LoggedRequest>,
    last_sequence: u64,
}

impl Log {
    /// Records a request when it arrives; returns its number.
    pub(crate) fn record_arrival(&mut self, at: i64, route: &Route, request: &Request) -> u64 {
        self.last_sequence += 1;
        if self.entries.len() == MAX_ENTRIES {
            self.entries.pop_front();
        }
        self.entries.push_back(LoggedRequest {
            sequence: self.last_sequence,
            at,
            endpoint: route.endpoint,
            tenant: route.authority_path.clone(),
            region: region_of(request).map(str::to_owned),
            method: request.method.clone(),
            path: request.path.clone(),
            query: request.query.to_map(),
            headers: request.headers.clone(),
            form: request.form.to_map(),
            body: request.body.clone(),
            status: None,
        });
        self.last_sequence
    }

    pub(crate) fn record_answer(&mut self, sequence: u64, status: u16) {
        if let Some(entry) = self.entries.iter_mut().rev().find(|entry| entry.sequence == sequence)
        {
            entry.status = Some(status);
        }
    }

    pub(crate) fn entries(&self) -> Vec<LoggedRequest> {
        self.entries.iter().cloned().collect()
    }

    pub(crate) fn count(&self, endpoint: Endpoint) -> usize {
        self.entries.iter().filter(|entry| entry.endpoint == endpoint).count()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
