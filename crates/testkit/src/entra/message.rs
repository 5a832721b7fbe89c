//! One HTTP request and one answer as values, free of the server's types.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::Refusal;

/// A request as the endpoints see it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// The decoded-as-is path; may hold doubled slashes, which MSAL sends for an authority that ends in one.
    pub(crate) path: String,
    pub(crate) query: Params,
    /// Empty unless the body was declared a form.
    pub(crate) form: Params,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    /// The body when it was not a form.
    pub(crate) body: String,
}

impl Request {
    /// Builds the value; a body whose content type is not a form yields no parameters, as at Entra.
    pub(crate) fn new(parts: &http::request::Parts, body: &[u8]) -> Self {
        let headers: BTreeMap<String, String> = parts
            .headers
            .iter()
            .map(|(name, value)| {
                (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            })
            .collect();
        let media_type = headers.get("content-type").map_or("", String::as_str);
        let is_form = media_type.split(';').next().is_some_and(|name| {
            name.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        Self {
            method: parts.method.as_str().to_owned(),
            path: parts.uri.path().to_owned(),
            query: Params::parse(parts.uri.query().unwrap_or("").as_bytes()),
            form: if is_form { Params::parse(body) } else { Params::default() },
            body: if is_form { String::new() } else { String::from_utf8_lossy(body).into_owned() },
            headers,
        }
    }

    /// A header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The value of a cookie.
    pub(crate) fn cookie(&self, name: &str) -> Option<&str> {
        self.header("cookie")?
            .split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// Refuses any method but POST, as AADSTS900561.
    pub(crate) fn require_post(&self) -> Result<(), Refusal> {
        if self.method == "POST" {
            return Ok(());
        }
        let text = format!("This endpoint takes POST, not {}.", self.method);
        Err(Refusal::new("invalid_request", 900_561, text).with_status(405))
    }
}

/// Decoded parameters in the order they came.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    /// A value; one without content counts as omitted (RFC 6749 section 3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A value, or the refusal that names what is missing.
    pub(crate) fn require(&self, name: &str) -> Result<&str, Refusal> {
        self.get(name).ok_or_else(|| Refusal::missing_parameter(name))
    }

    /// The words of a space-separated value.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        self.get(name).unwrap_or("").split_whitespace().map(str::to_owned).collect()
    }

    /// A parameter must not be sent twice (RFC 6749 section 3.1).
    pub(crate) fn refuse_duplicates(&self) -> Result<(), Refusal> {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                let text = format!("The parameter '{}' was sent twice.", pair[0]);
                Err(Refusal::new("invalid_request", 9_000_411, text))
            }
            None => Ok(()),
        }
    }

    /// For the log: the first value of each name.
    pub(crate) fn to_map(&self) -> BTreeMap<String, String> {
        self.0.iter().rev().cloned().collect()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Reply {
    /// JSON that no cache may keep (RFC 6749 section 5.1).
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string() }
            .with_header("content-type", "application/json; charset=utf-8")
            .with_header("cache-control", "no-store, no-cache")
            .with_header("pragma", "no-cache")
    }

    /// A page.
    pub(crate) fn html(status: u16, body: String) -> Self {
        Self { status, headers: Vec::new(), body }
            .with_header("content-type", "text/html; charset=utf-8")
            .with_header("cache-control", "no-store, no-cache")
            .with_header("referrer-policy", "no-referrer")
            .with_header("x-content-type-options", "nosniff")
    }

    /// A 302 to `location`.
    pub(crate) fn redirect(location: String) -> Self {
        Self { status: 302, headers: Vec::new(), body: String::new() }
            .with_header("location", location)
            .with_header("cache-control", "no-store, no-cache")
    }

    /// Sets a header, in place of one of the same name.
    pub(crate) fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}
