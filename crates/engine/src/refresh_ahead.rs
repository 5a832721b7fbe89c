//! When refreshes ahead of need may be tried again: the token at hand is still good, and a provider that is out of order shall
//! not be asked with each request.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use valetkey_model::UnixTime;

use crate::flight_key::FlightKey;

/// After a refresh ahead of need has failed, the next one waits this long: the token at hand is still good.
const AHEAD_PAUSE_SECONDS: i64 = 60;

/// When refreshes ahead of need may be tried again.
#[derive(Default)]
pub(crate) struct RefreshAhead(Mutex<HashMap<FlightKey, UnixTime>>);

impl RefreshAhead {
    /// Whether a refresh ahead of need may start. Callers that come together start one: they join its flight.
    pub(crate) fn may_start(&self, key: &FlightKey, now: UnixTime) -> bool {
        let mut pauses = self.lock();
        pauses.retain(|_, until| now < *until);
        !pauses.contains_key(key)
    }

    pub(crate) fn pause(&self, key: FlightKey, now: UnixTime) {
        self.lock().insert(key, now.plus_seconds(AHEAD_PAUSE_SECONDS));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<FlightKey, UnixTime>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
