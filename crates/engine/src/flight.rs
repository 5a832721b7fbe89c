//! Single flight: one request to the provider for any number of callers who need the same token.
//!
//! A flight runs in a task of its own, so a caller that hangs up takes nothing down with it: the rotated refresh token is
//! still saved, and the others still get their answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use valetkey_model::UnixTime;

/// Flights under way, and those that landed a moment ago, by what they fetch.
pub struct Flights<K, T> {
    flights: Mutex<HashMap<K, Flight<T>>>,
    started: AtomicU64,
}

/// From this many on, starting a flight clears away the ones whose time is over.
const MANY: usize = 64;

struct Flight<T> {
    number: u64,
    landing: watch::Receiver<Option<Landed<T>>>,
}

/// What a flight brought.
#[derive(Clone)]
pub struct Landed<T> {
    /// For every caller alike.
    pub outcome: T,
    /// Until when callers that come later get the same outcome. A provider whose tokens are so short-lived that a new one
    /// counts as expired at once would otherwise see a request for every caller.
    pub good_until: Option<UnixTime>,
}

impl<K, T> Default for Flights<K, T> {
    fn default() -> Self {
        Self { flights: Mutex::new(HashMap::new()), started: AtomicU64::new(0) }
    }
}

impl<K, T> Flights<K, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    T: Clone + Send + Sync + 'static,
{
    /// Joins the flight for `key`, or starts one with `fly`. `None` when the flight's task died, which is a defect.
    pub async fn join<F>(
        self: &Arc<Self>,
        key: K,
        now: UnixTime,
        fly: impl FnOnce() -> F,
    ) -> Option<T>
    where
        F: Future<Output = Landed<T>> + Send + 'static,
    {
        let mut landing = self.find_or_start(key, now, fly);
        let landed = landing.wait_for(Option::is_some).await.ok()?;
        landed.as_ref().map(|landed| landed.outcome.clone())
    }

    /// How many flights there are, for a shutdown that waits for them.
    pub fn under_way(&self) -> usize {
        self.lock().values().filter(|flight| flight.landing.borrow().is_none()).count()
    }

    fn find_or_start<F>(
        self: &Arc<Self>,
        key: K,
        now: UnixTime,
        fly: impl FnOnce() -> F,
    ) -> watch::Receiver<Option<Landed<T>>>
    where
        F: Future<Output = Landed<T>> + Send + 'static,
    {
        let mut flights = self.lock();
        if let Some(flight) = flights.get(&key).filter(|flight| flight.serves(now)) {
            return flight.landing.clone();
        }
        let (sender, landing) = watch::channel(None);
        if flights.len() >= MANY {
            flights.retain(|_, flight| flight.serves(now));
        }
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        flights.insert(key.clone(), Flight { number, landing: landing.clone() });
        drop(flights);
        let (this, flight) = (Arc::clone(self), fly());
        tokio::spawn(async move {
            let landed = flight.await;
            if landed.good_until.is_none() {
                this.remove(&key, number);
            }
            sender.send_replace(Some(landed));
        });
        landing
    }

    fn remove(&self, key: &K, number: u64) {
        let mut flights = self.lock();
        if flights.get(key).is_some_and(|flight| flight.number == number) {
            flights.remove(key);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<K, Flight<T>>> {
        // Nothing under this lock can panic half-way, so what a poisoned lock holds is whole.
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Flight<T> {
    /// Under way, or landed and still good. A flight whose task died serves nobody.
    fn serves(&self, now: UnixTime) -> bool {
        match &*self.landing.borrow() {
            None => self.landing.has_changed().is_ok(),
            Some(landed) => landed.good_until.is_some_and(|until| now < until),
        }
    }
}

#[cfg(test)]
mod tests;
