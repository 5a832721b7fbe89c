//! What one user of the daemon may use up at once, whatever their programs do: connections, request bodies that are on their
//! way, and threads for what takes long. Others have a share of their own.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use valetkey_model::Partition;

/// One user's, held by each of the user's connections.
#[derive(Debug)]
pub struct Share {
    bodies: Arc<Semaphore>,
    long_work: Arc<Semaphore>,
    door: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

/// A part of a share that is in use; given back by dropping it.
#[derive(Debug)]
pub struct Taken(
    #[expect(dead_code, reason = "that it is held is what it says")] OwnedSemaphorePermit,
);

impl Default for Share {
    fn default() -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self {
            bodies: semaphore(BODY_BYTES),
            long_work: semaphore(THREADS),
            door: semaphore(1),
            refusals: semaphore(REFUSALS_PER_USER),
        }
    }
}

impl Share {
    /// Room for a body of so many bytes, as soon as the user's others leave it.
    pub async fn take_room_for_body(&self, bytes: usize) -> Option<Taken> {
        let bytes = u32::try_from(bytes.min(BODY_BYTES)).ok()?;
        Arc::clone(&self.bodies).acquire_many_owned(bytes).await.ok().map(Taken)
    }

    /// A turn at what takes long, as soon as the user's others leave one.
    pub async fn take_turn(&self) -> Option<Taken> {
        Arc::clone(&self.long_work).acquire_owned().await.ok().map(Taken)
    }

    /// A turn at being looked at, which the user's connections have one after the other, as they came.
    pub async fn take_turn_at_the_door(&self) -> Option<Taken> {
        Arc::clone(&self.door).acquire_owned().await.ok().map(Taken)
    }
}

/// The shares of those who have a connection.
pub struct Shares {
    of: HashMap<Partition, Arc<Share>>,
    places: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

/// A user has enough connections.
pub struct TooMany {
    /// How many they may have, since others have theirs.
    pub limit: usize,
    /// A place to be told so, if there is one.
    pub seat: Option<RefusalSeat>,
}

/// One of the few connections beyond all limits, for as long as it takes to say that they are.
pub struct RefusalSeat {
    _of_user: Taken,
    _of_all: Taken,
}

impl Shares {
    /// For so many connections of all users together.
    pub fn new(connections: usize) -> Self {
        let places = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
        Self { of: HashMap::new(), places, refusals: Arc::new(Semaphore::new(REFUSALS)) }
    }

    /// The user's share for one connection more, and the place of that among all. Nobody has more than there are left, so that
    /// whoever comes finds one, however many users somebody has made up.
    ///
    /// # Errors
    /// When the user has enough of them.
    pub fn admit(
        &mut self,
        user: &Partition,
        limit: usize,
    ) -> Result<(Arc<Share>, Taken), TooMany> {
        if self.of.len() >= MANY && !self.of.contains_key(user) {
            self.of.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let share = self.of.entry(user.clone()).or_default();
        let limit = limit.min(self.places.available_permits());
        match take(&self.places) {
            Some(place) if Arc::strong_count(share) <= limit => Ok((Arc::clone(share), place)),
            _ => Err(TooMany { limit, seat: RefusalSeat::take(share, &self.refusals) }),
        }
    }
}

impl RefusalSeat {
    fn take(share: &Share, refusals: &Arc<Semaphore>) -> Option<Self> {
        Some(Self { _of_user: take(&share.refusals)?, _of_all: take(refusals)? })
    }
}

fn take(semaphore: &Arc<Semaphore>) -> Option<Taken> {
    Arc::clone(semaphore).try_acquire_owned().ok().map(Taken)
}

/// Connections of one user that are being told that they are too many, and those of all. The next ones are closed without a
/// word: a flood of them must not be more than a flood of others.
const REFUSALS_PER_USER: usize = 4;
const REFUSALS: usize = 16;

/// Many of the largest bodies, and little of this machine's memory.
const BODY_BYTES: usize = 16 * 1024 * 1024;

/// Others of the runtime's several hundred threads are always free.
const THREADS: usize = 4;

/// Users, before those are forgotten who have left.
const MANY: usize = 256;

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_one_user_has_taken_is_missing_to_nobody_else() {
        let mut shares = Shares::new(usize::MAX);
        let mut enter = |uid| Some(shares.admit(&Partition::of_uid(uid), 2).ok()?.0);
        let (first, other) = (enter(1000).unwrap(), enter(1001).unwrap());
        let second = enter(1000).unwrap();
        assert!(enter(1000).is_none());
        let half = BODY_BYTES / 2;
        let held = [&first, &second].map(|share| share.take_room_for_body(half).now_or_never());
        assert!(held.iter().flatten().flatten().count() == 2);
        assert!(first.take_room_for_body(1).now_or_never().is_none(), "it waits");
        assert!(other.take_room_for_body(usize::MAX).now_or_never().flatten().is_some());
        drop(held);
        assert!(first.take_room_for_body(1).now_or_never().flatten().is_some());
        let turns: Vec<_> = (0..THREADS).map(|_| first.take_turn().now_or_never()).collect();
        assert!(turns.iter().flatten().flatten().count() == THREADS);
        assert!(second.take_turn().now_or_never().is_none(), "it waits");
        assert!(other.take_turn().now_or_never().flatten().is_some());
        drop((first, second));
        assert!(shares.admit(&Partition::of_uid(1000), 2).is_ok());
    }

    #[test]
    fn nobody_has_more_connections_than_are_left_for_the_others() {
        let mut shares = Shares::new(1024);
        let mut held = Vec::new();
        let mut enter_all = |shares: &mut Shares, uid, most| {
            let entered: Vec<_> =
                (0..most).map_while(|_| shares.admit(&Partition::of_uid(uid), 600).ok()).collect();
            let count = entered.len();
            held.push(entered);
            count
        };
        assert_eq!(enter_all(&mut shares, 1000, 1024), 512, "half of all");
        assert_eq!(enter_all(&mut shares, 1001, 1024), 256, "half of the rest");
        for uid in 1002..1010 {
            assert!(enter_all(&mut shares, uid, 1024) > 0, "{uid}");
        }
        held.clear();
        assert!(shares.admit(&Partition::of_uid(1000), 600).is_ok());
    }

    #[test]
    fn few_at_once_are_told_that_they_are_too_many_and_others_are_told_as_well() {
        let mut shares = Shares::new(usize::MAX);
        let mut seat = |uid| shares.admit(&Partition::of_uid(uid), 0).err()?.seat;
        let told: Vec<_> = (0..2 * REFUSALS_PER_USER).map_while(|_| seat(1000)).collect();
        assert_eq!(told.len(), REFUSALS_PER_USER);
        let others: Vec<_> = (1001..2000).map_while(&mut seat).collect();
        assert_eq!(others.len(), REFUSALS - REFUSALS_PER_USER);
        drop(told);
        assert!(seat(1000).is_some());
    }

    #[test]
    fn who_has_left_is_forgotten() {
        let mut shares = Shares::new(usize::MAX);
        let stayed = shares.admit(&Partition::of_uid(0), 1);
        for uid in 1..10_000 {
            assert!(shares.admit(&Partition::of_uid(uid), 1).is_ok());
        }
        assert!(stayed.is_ok() && shares.of.len() <= MANY);
        assert!(shares.admit(&Partition::of_uid(0), 1).is_err());
    }
}
