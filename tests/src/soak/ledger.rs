//! What must hold, and what did not: who is signed in, which refresh tokens were presented, what was found.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use valetkey_testkit::entra::{Control, Endpoint};

use super::{APPS, PEOPLE, person_name};
use crate::connection::Answer;

/// Shared by those who ask and by who lets things go wrong.
pub(super) struct Ledger {
    control: Control,
    people: Mutex<[Standing; PEOPLE]>,
    presented: Mutex<Presented>,
    findings: Mutex<Vec<String>>,
    pub(super) counts: Counts,
}

/// How a person stands. Odd while their sign-in changes, so that what was asked before and answered after is known as such.
type Standing = u64;

#[derive(Default)]
struct Presented {
    /// In which step each refresh token was presented last.
    last: HashMap<String, u64>,
    /// The last step in which an answer may have been lost.
    lossy: u64,
}

/// How much there was.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) asked: AtomicU64,
    pub(super) given: AtomicU64,
    /// Told apart from success with an error that passes.
    pub(super) put_off: AtomicU64,
    /// Refused since somebody had ended the sign-in.
    pub(super) explained: AtomicU64,
    pub(super) hung_up: AtomicU64,
    pub(super) redeemed: AtomicU64,
    pub(super) repeated: AtomicU64,
}

impl Counts {
    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl Ledger {
    pub(super) fn new(control: Control) -> Self {
        Self {
            control,
            people: Mutex::default(),
            presented: Mutex::default(),
            findings: Mutex::default(),
            counts: Counts::default(),
        }
    }

    /// A person's sign-in begins or ends to change.
    pub(super) fn turn(&self, person: usize) {
        lock(&self.people)[person] += 1;
    }

    pub(super) fn standing(&self, person: usize) -> Standing {
        lock(&self.people)[person]
    }

    /// Checks an answer to a request for a token, which was made when the person stood so.
    pub(super) fn check(&self, app: usize, person: usize, before: Standing, answer: &Answer) {
        let (counts, name) = (&self.counts, person_name(person));
        Counts::add(&counts.asked);
        let body = answer.json();
        match answer.status {
            200 => {
                Counts::add(&counts.given);
                self.check_token(app, &name, &body);
            }
            // The store was locked meanwhile: the application is to be opened again.
            404 if body["error"] == "unknown_app" => Counts::add(&counts.put_off),
            // Throttled, put off by the provider or by the disk, or locked.
            423 | 429 | 502 | 503 => Counts::add(&counts.put_off),
            404 | 409 if before % 2 == 1 || before != self.standing(person) => {
                Counts::add(&counts.explained);
            }
            status => self.find(format!("{name} at {}: status {status}: {body}", APPS[app])),
        }
    }

    fn check_token(&self, app: usize, name: &str, body: &Value) {
        let token = body["access_token"].as_str().unwrap_or_default();
        match self.control.verify_access_token(token) {
            Some(claims) if claims["azp"] == APPS[app] && claims["preferred_username"] == name => {}
            claims => self.find(format!("{name} at {} got a token of {claims:?}", APPS[app])),
        }
    }

    /// Takes in what the provider was asked in this step, in which answers may have been lost or not: a refresh token that
    /// is presented again must have an answer that was lost.
    pub(super) fn take_in(&self, step: u64, is_lossy: bool) {
        let mut presented = lock(&self.presented);
        if is_lossy {
            presented.lossy = step;
        }
        let requests = self.control.requests_to(Endpoint::Token);
        // What comes between these two lines goes unseen: a bound on what a long run remembers costs that much.
        self.control.clear_requests();
        for request in &requests {
            let Some(token) = request.field("refresh_token") else { continue };
            Counts::add(&self.counts.redeemed);
            let last = presented.last.insert(token.to_owned(), step);
            let Some(last) = last else { continue };
            Counts::add(&self.counts.repeated);
            if presented.lossy < last {
                self.find(format!("a refresh token of step {last} was presented twice"));
            }
        }
        // Far more than what is in flight.
        presented.last.retain(|_, last| *last + 50 > step);
    }

    pub(super) fn find(&self, finding: String) {
        lock(&self.findings).push(finding);
    }

    /// What was found so far.
    pub(super) fn findings(&self) -> Vec<String> {
        lock(&self.findings).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
