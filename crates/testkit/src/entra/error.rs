//! Refusals, and how each personality writes them.

use serde_json::{Value, json};

use super::clock::write_timestamp;
use super::message::{Reply, Request};
use super::state::State;

/// Why a request is refused: an OAuth error with Entra's number and extras.
#[derive(Debug, Clone)]
pub(crate) struct Refusal {
    pub(crate) error: &'static str,
    pub(crate) number: u32,
    pub(crate) text: String,
    pub(crate) status: u16,
    pub(crate) suberror: Option<&'static str>,
    pub(crate) claims: Option<String>,
    pub(crate) additional_info: Option<&'static str>,
    pub(crate) retry_after: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(error: &'static str, number: u32, text: impl Into<String>) -> Self {
        let status = if error == "invalid_client" { 401 } else { 400 };
        let text = text.into();
        Self {
            error,
            number,
            text,
            status,
            suberror: None,
            claims: None,
            additional_info: None,
            retry_after: None,
        }
    }

    pub(crate) fn invalid_grant(number: u32, text: impl Into<String>) -> Self {
        Self::new("invalid_grant", number, text)
    }

    pub(crate) fn missing_parameter(name: &str) -> Self {
        let text = format!("The request lacks the parameter '{name}'.");
        Self::new("invalid_request", 900_144, text)
    }

    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn with_suberror(self, suberror: &'static str) -> Self {
        Self { suberror: Some(suberror), ..self }
    }

    /// Entra's sentence: number, text, and the three identifiers that support asks for.
    fn describe(&self, ids: &AnswerIds) -> String {
        format!(
            "AADSTS{}: {} Trace ID: {} Correlation ID: {} Timestamp: {}",
            self.number, self.text, ids.trace, ids.correlation, ids.timestamp
        )
    }

    /// `error` and `error_description` for a redirect.
    pub(crate) fn to_redirect_params(
        &self,
        state: &mut State,
        request_id: Option<&str>,
    ) -> Vec<(String, String)> {
        let description = if state.generic_oidc {
            self.text.clone()
        } else {
            self.describe(&AnswerIds::new(state, request_id))
        };
        vec![
            ("error".into(), self.error_for(state).into()),
            ("error_description".into(), description),
        ]
    }

    /// The JSON answer of the token and device endpoints.
    pub(crate) fn to_reply(&self, state: &mut State, request: &Request) -> Reply {
        let ids = AnswerIds::new(state, request.header("client-request-id"));
        let mut body = if state.generic_oidc {
            json!({"error": self.error_for(state), "error_description": self.text})
        } else {
            self.to_entra_json(&ids, &state.base_url)
        };
        if let Some(claims) = &self.claims {
            body["claims"] = Value::from(claims.as_str());
        }
        let mut reply = Reply::json(self.status, &body).with_header("x-ms-request-id", ids.trace);
        if let Some(seconds) = self.retry_after {
            reply = reply.with_header("retry-after", seconds.to_string());
        }
        reply
    }

    fn to_entra_json(&self, ids: &AnswerIds, base_url: &str) -> Value {
        let mut body = json!({
            "error": self.error,
            "error_description": self.describe(ids),
            "error_codes": [self.number],
            "timestamp": ids.timestamp,
            "trace_id": ids.trace,
            "correlation_id": ids.correlation,
            "error_uri": format!("{base_url}/error?code={}", self.number),
        });
        if let Some(suberror) = self.suberror {
            body["suberror"] = Value::from(suberror);
        }
        if let Some(info) = self.additional_info {
            body["error_additional_info"] = json!([info]);
        }
        body
    }

    /// RFC 8628 has `access_denied` where Entra says `authorization_declined`, and no word for a foreign device code.
    fn error_for(&self, state: &State) -> &'static str {
        match self.error {
            "authorization_declined" if state.generic_oidc => "access_denied",
            "bad_verification_code" if state.generic_oidc => "invalid_grant",
            error => error,
        }
    }
}

struct AnswerIds {
    trace: String,
    correlation: String,
    timestamp: String,
}

impl AnswerIds {
    /// The correlation id echoes a well-formed `client-request-id`, else it is new.
    fn new(state: &mut State, request_id: Option<&str>) -> Self {
        let correlation = match request_id {
            Some(id) if is_guid(id) => id.to_owned(),
            _ => state.random.next_uuid(),
        };
        let timestamp = write_timestamp(state.clock.now());
        Self { trace: state.random.next_uuid(), correlation, timestamp }
    }
}

/// Whether the text is a GUID with dashes.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}
