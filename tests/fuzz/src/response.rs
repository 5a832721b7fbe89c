//! A provider's answer out of a target's input.

use bytes::Bytes;
use http::header::{DATE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue};
use valetkey_oauth::HttpResponse;

use crate::input::Input;

const STATUSES: [u16; 9] = [200, 201, 302, 400, 401, 404, 429, 500, 503];

/// One byte for the status, a line that every header has which is read, and the body.
pub(crate) fn read_response(mut input: Input<'_>) -> HttpResponse {
    let status = input.choose(&STATUSES);
    let mut headers = HeaderMap::new();
    let line = input.line();
    if let Ok(value) = HeaderValue::from_bytes(line)
        && !line.is_empty()
    {
        for name in [DATE, RETRY_AFTER, WWW_AUTHENTICATE] {
            headers.insert(name, value.clone());
        }
    }
    HttpResponse { status, headers, body: Bytes::copy_from_slice(input.rest()) }
}
