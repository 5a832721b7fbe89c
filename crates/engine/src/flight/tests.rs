//! Single flight: who flies, who joins, and what is left behind.

use std::sync::atomic::AtomicUsize;

use tokio::task::JoinHandle;
use valetkey_testkit::gate::Gate;
use valetkey_testkit::idle::{run, settle};

use super::*;

const NOW: UnixTime = UnixTime::from_seconds(1000);

/// Flights that bring how many flights there were so far, once the gate is open.
#[derive(Clone, Default)]
struct Airport {
    flights: Arc<Flights<&'static str, usize>>,
    runway: Arc<Gate>,
    flown: Arc<AtomicUsize>,
}

impl Airport {
    fn closed() -> Self {
        let airport = Self::default();
        airport.runway.close();
        airport
    }

    async fn join(&self, key: &'static str, now: UnixTime, good_for: i64) -> Option<usize> {
        let (runway, flown) = (Arc::clone(&self.runway), Arc::clone(&self.flown));
        let fly = || async move {
            let outcome = flown.fetch_add(1, Ordering::Relaxed) + 1;
            runway.pass().await;
            Landed { outcome, good_until: (good_for > 0).then(|| now.plus_seconds(good_for)) }
        };
        self.flights.join(key, now, fly).await
    }

    fn spawn_join(&self, key: &'static str) -> JoinHandle<Option<usize>> {
        let this = self.clone();
        tokio::spawn(async move { this.join(key, NOW, 0).await })
    }

    fn flown(&self) -> usize {
        self.flown.load(Ordering::Relaxed)
    }
}

#[test]
fn many_callers_share_one_flight() {
    run(async {
        let airport = Airport::closed();
        let callers: Vec<_> = (0..1000).map(|_| airport.spawn_join("a")).collect();
        let other = airport.spawn_join("b");
        settle().await;
        assert_eq!((airport.flown(), airport.flights.under_way()), (2, 2));
        airport.runway.open();
        for caller in callers {
            assert_eq!(caller.await.unwrap(), Some(1));
        }
        assert_eq!(other.await.unwrap(), Some(2));
        assert_eq!(airport.flights.under_way(), 0);
    });
}

#[test]
fn a_flight_lands_though_its_starter_hung_up() {
    run(async {
        let airport = Airport::closed();
        let starter = airport.spawn_join("a");
        settle().await;
        let joiner = airport.spawn_join("a");
        settle().await;
        starter.abort();
        assert!(starter.await.unwrap_err().is_cancelled());
        airport.runway.open();
        assert_eq!(joiner.await.unwrap(), Some(1));
    });
}

#[test]
fn a_flight_lands_though_nobody_waits() {
    run(async {
        let airport = Airport::closed();
        let starter = airport.spawn_join("a");
        settle().await;
        starter.abort();
        settle().await;
        assert_eq!(airport.flights.under_way(), 1);
        airport.runway.open();
        settle().await;
        assert_eq!((airport.flown(), airport.flights.under_way()), (1, 0));
    });
}

#[test]
fn the_next_caller_flies_anew() {
    run(async {
        let airport = Airport::default();
        for expected in 1..4 {
            assert_eq!(airport.join("a", NOW, 0).await, Some(expected));
        }
    });
}

#[test]
fn an_outcome_that_is_good_for_a_while_serves_those_who_come_later() {
    run(async {
        let airport = Airport::default();
        for (later, expected) in [(0, 1), (99, 1), (100, 2), (150, 2), (199, 2), (200, 3)] {
            let now = NOW.plus_seconds(later);
            assert_eq!(airport.join("a", now, 100).await, Some(expected), "{later} s later");
        }
    });
}

#[test]
fn a_flight_that_died_fails_its_callers_and_nobody_after_them() {
    run(async {
        let airport = Airport::closed();
        let die = || async { panic!("a defect, on purpose") };
        let joiner = airport.flights.join("a", NOW, die);
        assert_eq!(joiner.await, None);
        airport.runway.open();
        assert_eq!(airport.join("a", NOW, 0).await, Some(1));
    });
}

#[test]
fn outcomes_of_long_ago_do_not_pile_up() {
    run(async {
        let flights = Arc::<Flights<usize, usize>>::default();
        for key in 0..10 * MANY {
            let now = NOW.plus_seconds(i64::try_from(key).unwrap());
            let fly =
                || async move { Landed { outcome: key, good_until: Some(now.plus_seconds(5)) } };
            assert_eq!(flights.join(key, now, fly).await, Some(key));
        }
        assert!(flights.lock().len() <= MANY + 1, "{}", flights.lock().len());
    });
}
