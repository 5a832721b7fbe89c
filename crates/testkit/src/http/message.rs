//! Which requests are meant, and what is answered.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use valetkey_engine::ports::TransportError;
use valetkey_oauth::{HttpRequest, HttpResponse};

/// Which requests are meant: all that have these parts.
#[derive(Clone, Debug, Default)]
pub struct On {
    method: Option<Method>,
    url: String,
    form: Vec<(&'static str, String)>,
}

impl On {
    /// Every request.
    pub fn any() -> Self {
        Self::default()
    }

    /// Those whose URL has `part` in it.
    pub fn url(part: &str) -> Self {
        Self { url: part.to_owned(), ..Self::default() }
    }

    /// Requests for a provider's metadata.
    pub fn discovery() -> Self {
        Self::url("/.well-known/openid-configuration")
    }

    /// Requests for tokens, by RFC 6749's `grant_type`.
    pub fn grant(grant_type: &str) -> Self {
        Self { method: Some(Method::POST), ..Self::default() }.with("grant_type", grant_type)
    }

    /// Redemptions of refresh tokens.
    pub fn refresh() -> Self {
        Self::grant("refresh_token")
    }

    /// Polls of device flows.
    pub fn device_poll() -> Self {
        Self::grant("urn:ietf:params:oauth:grant-type:device_code")
    }

    /// Of those, the ones whose form has this value.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.form.push((name, value.to_owned()));
        self
    }

    pub(super) fn is_met_by(&self, request: &HttpRequest) -> bool {
        self.method.as_ref().is_none_or(|method| *method == request.method)
            && request.url.as_str().contains(&self.url)
            && self.form.iter().all(|(name, value)| request.form_value(name) == Some(value))
    }
}

/// What is answered.
#[derive(Clone, Debug)]
pub enum Reply {
    /// An answer.
    Answer(HttpResponse),
    /// None, and the host never saw the request.
    Fails(TransportError),
    /// None, although the host did what it was asked for.
    Lost,
}

impl Reply {
    /// Nobody can be reached.
    pub fn offline() -> Self {
        let (host, reason) = ("the network".to_owned(), "is down".to_owned());
        Self::Fails(TransportError::Connect { host, reason })
    }

    /// A failure as of RFC 6749 section 5.2.
    pub fn refusal(error: &str) -> Self {
        json(400, &serde_json::json!({ "error": error }))
    }

    /// The same answer with one more header. Anything else stays as it is.
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let (Self::Answer(answer), Ok(value)) = (&mut self, value.parse()) {
            answer.headers.insert(name, value);
        }
        self
    }
}

/// A JSON answer.
pub fn json(status: u16, body: &Value) -> Reply {
    Reply::Answer(json_answer(status, body))
}

/// A page where JSON belongs, as of a hotel's network.
pub fn html() -> Reply {
    Reply::Answer(answer(200, "<html><body>Welcome to our hotel</body></html>".to_owned()))
}

/// A text that is no JSON.
pub fn text(status: u16, body: &str) -> Reply {
    Reply::Answer(answer(status, body.to_owned()))
}

/// An answer without a body.
pub fn status(status: u16) -> Reply {
    Reply::Answer(answer(status, String::new()))
}

pub(super) fn json_answer(status: u16, body: &Value) -> HttpResponse {
    answer(status, body.to_string())
}

pub(super) fn answer(status: u16, body: String) -> HttpResponse {
    HttpResponse { status, headers: HeaderMap::new(), body: Bytes::from(body) }
}
