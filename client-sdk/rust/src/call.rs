//! One request and the type of its answer, as values.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use valetkey_proto::v1::ErrorBody;

use crate::error::{Error, ProtocolError};
use crate::http1::{Answer, write_request};

/// A request that is answered by a `T`; `()` when the answer has no body.
pub(crate) struct Call<T> {
    pub(crate) request: Vec<u8>,
    /// True when asking twice does no harm, and so may follow a connection that died without an answer.
    pub(crate) is_repeatable: bool,
    answer: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Call<T> {
    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path, b"").repeatable()
    }

    pub(crate) fn delete(path: &str) -> Self {
        Self::new("DELETE", path, b"")
    }

    pub(crate) fn post_nothing(path: &str) -> Self {
        Self::new("POST", path, b"")
    }

    pub(crate) fn post(path: &str, body: &impl Serialize) -> Self {
        Self::with_body("POST", path, body)
    }

    pub(crate) fn put(path: &str, body: &impl Serialize) -> Self {
        Self::with_body("PUT", path, body)
    }

    fn with_body(method: &str, path: &str, body: &impl Serialize) -> Self {
        // The wire's types hold strings and numbers alone, which always can be written.
        let body = serde_json::to_vec(body).unwrap_or_default();
        Self::new(method, path, &body)
    }

    fn new(method: &str, path: &str, body: &[u8]) -> Self {
        let request = write_request(method, path, body);
        Self { request, is_repeatable: false, answer: PhantomData }
    }

    pub(crate) fn repeatable(self) -> Self {
        Self { is_repeatable: true, ..self }
    }

    /// What the answer means.
    pub(crate) fn read(answer: Answer<'_>) -> Result<T, Error> {
        // serde_json tells lines and columns; the daemon writes on one line.
        let not_understood = |error: serde_json::Error| ProtocolError::NotUnderstood {
            status: answer.status,
            column: error.column(),
        };
        if answer.status >= 400 {
            let body: ErrorBody = serde_json::from_slice(answer.body).map_err(not_understood)?;
            return Err(Error::refused(answer.status, body));
        }
        let body = if answer.body.is_empty() { b"null" } else { answer.body };
        Ok(serde_json::from_slice(body).map_err(not_understood)?)
    }
}
