//! The HTTP cache: which answers of providers are given again without asking (`spec/msal-python.md` section 5).
//!
//! Three rules, see `rules.rs`. A throttling answer is repeated until its time is over; an identical request that was refused
//! with 400 is refused again for a minute; a GET's success is good for a day. No token is ever kept here: no success of a
//! request that asks for one fits any of the rules (MSAL keeps one that carries `Retry-After`; we do not). What came by one
//! route is given to nobody who takes another.
//!
//! The cache is a value: it does no I/O and is told the time. What it keeps and drops it tells as changes to save
//! (`stored.rs`), so that a provider that asked to be left alone is left alone after a restart as well.

mod rules;
mod stored;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use http::header::RETRY_AFTER;
use valetkey_cache::Change;
use valetkey_model::UnixTime;
use valetkey_oauth::{HttpRequest, HttpResponse};

use self::rules::{Key, abridge, keys_of, rule_for};
use self::stored::{is_storable, removal_of, to_entry};
use crate::route::Route;

/// How many answers are kept; the soonest to expire goes first.
const CAPACITY: usize = 1024;
/// How large their bodies may be together, in bytes.
const MAX_BODIES: usize = 1024 * 1024;

/// Bytes of an answer that are not its body.
const AROUND: usize = 512;

/// Answers that may be given again.
#[derive(Default)]
pub struct HttpCache {
    answers: HashMap<Key, Kept>,
    by_expiry: BTreeMap<(UnixTime, u64), Key>,
    next: u64,
    body_bytes: usize,
    /// To save, when next something is saved: a look-up drops what is too old, but it never waits for the disk.
    unsaved: Vec<Change>,
}

struct Kept {
    answer: HttpResponse,
    kept_at: UnixTime,
    until: UnixTime,
    order: u64,
    is_stored: bool,
}

/// An answer given again.
#[derive(Debug)]
pub struct Repeated {
    /// The answer as it came the first time.
    pub answer: HttpResponse,
    /// Seconds until the request would be sent again.
    pub seconds_left: i64,
}

impl HttpCache {
    /// The answer to `request` that is still good, if there is one.
    pub fn find(
        &mut self,
        route: Option<&Arc<Route>>,
        request: &HttpRequest,
        now: UnixTime,
    ) -> Option<Repeated> {
        keys_of(route, request).into_iter().find_map(|key| self.find_key(&key, now))
    }

    /// Keeps `answer` if one of the rules says so. What is to be saved then, and what goes for it.
    pub fn keep(
        &mut self,
        route: Option<&Arc<Route>>,
        request: &HttpRequest,
        answer: &HttpResponse,
        now: UnixTime,
    ) -> Vec<Change> {
        let Some((rule, seconds)) = rule_for(request, answer, now) else { return Vec::new() };
        let Some(answer) = abridge(answer) else { return Vec::new() };
        let key = rule(route, request);
        let until = now.plus_seconds(seconds);
        let entry = is_storable(request, &answer).then(|| to_entry(&key, &answer, now, until));
        let entry = entry.flatten();
        self.drop_expired(now);
        self.insert(
            key,
            Kept { answer, kept_at: now, until, order: 0, is_stored: entry.is_some() },
        );
        self.unsaved.extend(entry.map(Change::Put));
        self.take_unsaved()
    }

    /// Forgets the answer to `request`, which turned out to be of no use. What is to be saved then.
    pub fn forget(&mut self, route: Option<&Arc<Route>>, request: &HttpRequest) -> Vec<Change> {
        keys_of(route, request).iter().for_each(|key| self.forget_key(key));
        self.take_unsaved()
    }

    /// About how many bytes of memory it takes up.
    pub fn size(&self) -> usize {
        self.body_bytes + self.answers.len() * AROUND
    }

    /// What has changed and was not saved yet.
    pub fn take_unsaved(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.unsaved)
    }

    fn insert(&mut self, key: Key, mut kept: Kept) {
        self.forget_key(&key);
        let size = kept.answer.body.len();
        while self.answers.len() >= CAPACITY || self.body_bytes + size > MAX_BODIES {
            let Some((_, soonest)) = self.by_expiry.first_key_value() else { break };
            let soonest = *soonest;
            self.forget_key(&soonest);
        }
        kept.order = self.next;
        self.next += 1;
        self.body_bytes += size;
        self.by_expiry.insert((kept.until, kept.order), key);
        self.answers.insert(key, kept);
    }

    fn find_key(&mut self, key: &Key, now: UnixTime) -> Option<Repeated> {
        let kept = self.answers.get(key)?;
        if !kept.is_good_at(now) {
            self.forget_key(key);
            return None;
        }
        Some(Repeated { answer: kept.answer.clone(), seconds_left: kept.until.seconds_since(now) })
    }

    fn forget_key(&mut self, key: &Key) {
        let Some(kept) = self.answers.remove(key) else { return };
        self.by_expiry.remove(&(kept.until, kept.order));
        self.body_bytes -= kept.answer.body.len();
        if kept.is_stored {
            self.unsaved.push(removal_of(key, &kept));
        }
    }

    fn drop_expired(&mut self, now: UnixTime) {
        while let Some((&(until, _), &key)) = self.by_expiry.first_key_value() {
            if until > now {
                break;
            }
            self.forget_key(&key);
        }
    }
}

impl Kept {
    /// A clock that was set back must not freeze a provider out: an answer from the future is no answer.
    fn is_good_at(&self, now: UnixTime) -> bool {
        self.kept_at <= now && now < self.until
    }
}

impl Repeated {
    /// The answer, whose `Retry-After` counts from now.
    pub fn into_answer(mut self) -> HttpResponse {
        if self.answer.headers.contains_key(RETRY_AFTER) {
            self.answer.headers.insert(RETRY_AFTER, self.seconds_left.into());
        }
        self.answer
    }
}

#[cfg(test)]
mod tests;
