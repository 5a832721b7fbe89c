//! Answers on their way to the disk and back.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{HeaderValue, RETRY_AFTER};
use valetkey_cache::{Answer, Change, Entry};
use valetkey_model::UnixTime;
use valetkey_oauth::{Body, HttpRequest, HttpResponse};

use super::rules::{GET_SECONDS, Key, MAX_BODY};
use super::{HttpCache, Kept};

/// Form members that are secrets, or good for one use.
const SECRET_MEMBERS: [&str; 9] = [
    "refresh_token",
    "code",
    "code_verifier",
    "device_code",
    "password",
    "assertion",
    "client_secret",
    "client_assertion",
    "user_federated_identity_credential",
];

impl HttpCache {
    /// The cache of an earlier run. What is too old by now, or from the future, is dropped: see
    /// [`take_unsaved`](Self::take_unsaved).
    pub fn restore(answers: impl IntoIterator<Item = Arc<Answer>>, now: UnixTime) -> Self {
        let mut cache = Self::default();
        for stored in answers {
            match from_entry(&stored) {
                Some((key, kept)) if kept.is_good_at(now) => cache.insert(key, kept),
                _ => cache.unsaved.push(Change::Remove(Entry::Answer(stored))),
            }
        }
        cache
    }
}

/// Whether the answer may go to the disk. One that repeats a secret of its request may not; nor may a refused password: what
/// people can remember can be guessed at with the request's digest.
pub(super) fn is_storable(request: &HttpRequest, answer: &HttpResponse) -> bool {
    let is_guessable = answer.status == 400 && request.form_value("password").is_some();
    let secrets = SECRET_MEMBERS.iter().filter_map(|name| request.form_value(name));
    let repeats = |secret: &str| {
        !secret.is_empty() && answer.body.windows(secret.len()).any(|it| it == secret.as_bytes())
    };
    // A message may have a password anywhere in it.
    let is_told = matches!(request.body, Body::Text { .. }) && !answer.body.is_empty();
    !is_guessable && !is_told && !secrets.into_iter().any(repeats)
}

/// None for what is no text.
pub(super) fn to_entry(
    key: &Key,
    answer: &HttpResponse,
    kept_at: UnixTime,
    until: UnixTime,
) -> Option<Entry> {
    let retry_after = answer.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Some(Entry::Answer(Arc::new(Answer {
        request: name_of(key),
        kept_at,
        until,
        status: answer.status.to_string().into(),
        retry_after: retry_after.map(Arc::from),
        body: std::str::from_utf8(&answer.body).ok()?.into(),
    })))
}

pub(super) fn removal_of(key: &Key, kept: &Kept) -> Change {
    Change::Remove(Entry::Answer(Arc::new(Answer {
        request: name_of(key),
        kept_at: kept.kept_at,
        until: kept.until,
        status: kept.answer.status.to_string().into(),
        retry_after: None,
        body: Arc::default(),
    })))
}

fn from_entry(stored: &Answer) -> Option<(Key, Kept)> {
    let lifetime = stored.until.seconds_since(stored.kept_at);
    if stored.body.len() > MAX_BODY || lifetime > GET_SECONDS {
        return None;
    }
    let mut answer = HttpResponse {
        status: stored.status.parse().ok()?,
        headers: http::HeaderMap::new(),
        body: Bytes::copy_from_slice(stored.body.as_bytes()),
    };
    if let Some(text) = &stored.retry_after {
        answer.headers.insert(RETRY_AFTER, HeaderValue::from_str(text).ok()?);
    }
    let (kept_at, until) = (stored.kept_at, stored.until);
    Some((key_of(&stored.request)?, Kept { answer, kept_at, until, order: 0, is_stored: true }))
}

fn name_of(key: &Key) -> Arc<str> {
    key.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

fn key_of(name: &str) -> Option<Key> {
    let mut key = Key::default();
    if name.len() != 2 * key.len() || !name.is_ascii() {
        return None;
    }
    for (byte, digits) in key.iter_mut().zip(name.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(key)
}
