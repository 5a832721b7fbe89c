//! The connections that have not brought a redirect yet: when there are too many, the oldest goes.
//!
//! A queue instead would be the attacker's: who fills it first decides when the browser is heard.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

/// All of one port.
#[derive(Debug)]
pub(super) struct Waiting {
    most: usize,
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    taken: BTreeMap<u64, oneshot::Sender<()>>,
}

/// One connection's place; given back by dropping it.
#[derive(Debug)]
pub(super) struct Seat {
    waiting: Arc<Waiting>,
    number: u64,
}

/// Ends with `Ok` when the connection has to go, with `Err` when it no longer has to fear that.
pub(super) type Eviction = oneshot::Receiver<()>;

impl Waiting {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, seats: Mutex::default() })
    }

    /// A seat at once; who waits for longest loses theirs if there is none.
    pub(super) fn enter(self: &Arc<Self>) -> (Seat, Eviction) {
        let (sender, eviction) = oneshot::channel();
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if seats.taken.len() >= self.most
            && let Some((_, oldest)) = seats.taken.pop_first()
        {
            // Its connection may have ended by itself a moment ago.
            let _ = oldest.send(());
        }
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, sender);
        (Seat { waiting: Arc::clone(self), number }, eviction)
    }
}

impl Seat {
    /// The connection has brought what it came for: nobody may push it out any more.
    pub(super) fn leave(&self) {
        let mut seats = self.waiting.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats.taken.remove(&self.number);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn the_oldest_that_still_waits_goes_first() {
        let waiting = Waiting::new(2);
        let (served, mut first) = waiting.enter();
        let (_second, mut second) = waiting.enter();
        served.leave();
        let (_third, mut third) = waiting.enter();
        let (_fourth, mut fourth) = waiting.enter();
        let evicted = |eviction: &mut Eviction| matches!(eviction.now_or_never(), Some(Ok(())));
        let all = [&mut first, &mut second, &mut third, &mut fourth].map(evicted);
        assert_eq!(all, [false, true, false, false]);
    }

    #[test]
    fn a_seat_is_given_back_when_its_connection_ends() {
        let waiting = Waiting::new(1);
        drop(waiting.enter());
        let (_seat, mut eviction) = waiting.enter();
        assert!(eviction.try_recv().is_err());
        assert_eq!(waiting.seats.lock().unwrap().taken.len(), 1);
    }
}
