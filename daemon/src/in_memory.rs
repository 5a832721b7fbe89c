//! The parts of users' partitions that are nowhere but in memory, and whether anybody uses them. A program that died closes
//! nothing: what no connection has used for ten minutes is forgotten.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use valetkey_model::{Partition, UnixTime};
use valetkey_proto::v1::ErrorCode;

use crate::failure::Failure;

/// Those that there are.
#[derive(Default)]
pub struct InMemory(Mutex<HashMap<Partition, Part>>);

struct Part {
    /// Whose it is.
    user: Partition,
    /// A copy is with each connection that uses it.
    in_use: Arc<()>,
    /// When it was first seen that nobody does.
    unused_since: Option<UnixTime>,
}

/// Held by a connection for as long as it may use a part.
#[derive(Clone, Debug)]
pub struct Use(#[expect(dead_code, reason = "that it is held is what it says")] Arc<()>);

impl Part {
    fn is_used(&self) -> bool {
        Arc::strong_count(&self.in_use) > 1
    }
}

impl InMemory {
    /// Takes a part of `user`'s into use. Where there are too many, one that nobody uses makes room, which is to be forgotten.
    ///
    /// # Errors
    /// When all of them are in use.
    pub fn enter(
        &self,
        user: &Partition,
        part: &Partition,
    ) -> Result<(Use, Option<Partition>), Failure> {
        let mut parts = self.parts();
        if let Some(known) = parts.get_mut(part) {
            known.unused_since = None;
            return Ok((Use(Arc::clone(&known.in_use)), None));
        }
        let of_user = parts.iter().filter(|(_, part)| part.user == *user);
        let replaced = match of_user.clone().count() {
            0..MAX_PARTS => None,
            _ => Some(longest_unused(of_user).ok_or_else(too_many)?),
        };
        if let Some(replaced) = &replaced {
            parts.remove(replaced);
        }
        let in_use = Arc::new(());
        let holder = Use(Arc::clone(&in_use));
        parts.insert(part.clone(), Part { user: user.clone(), in_use, unused_since: None });
        Ok((holder, replaced))
    }

    /// A part was closed by its program, whoever else still holds it.
    pub fn close(&self, part: &Partition) {
        self.parts().remove(part);
    }

    /// What nobody has used for long enough by now: it is to be forgotten. To be called every now and then.
    pub fn sweep(&self, now: UnixTime) -> Vec<Partition> {
        let mut parts = self.parts();
        for part in parts.values_mut() {
            let since = part.unused_since.unwrap_or(now);
            part.unused_since = (!part.is_used()).then_some(since);
        }
        let is_over = |part: &Part| {
            part.unused_since.is_some_and(|since| now.seconds_since(since) >= UNUSED_SECONDS)
        };
        parts.extract_if(|_, part| is_over(part)).map(|(partition, _)| partition).collect()
    }

    fn parts(&self) -> MutexGuard<'_, HashMap<Partition, Part>> {
        // Nothing under this lock can panic half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that no sweep has seen yet have been unused for the shortest time.
fn longest_unused<'a>(parts: impl Iterator<Item = (&'a Partition, &'a Part)>) -> Option<Partition> {
    let unused = parts.filter(|(_, part)| !part.is_used());
    let oldest = unused.min_by_key(|(_, part)| (part.unused_since.is_none(), part.unused_since));
    oldest.map(|(partition, _)| partition.clone())
}

fn too_many() -> Failure {
    let text = format!(
        "{MAX_PARTS} private caches and applications with assertions of their own are in use by this user's programs, and \
         that is the limit; close one with DELETE /v1/apps/{{app}}"
    );
    Failure::request(ErrorCode::TooManyRequests, text)
}

/// How many one user may have in use at once. Each may be as large as a body.
const MAX_PARTS: usize = 256;

/// How long one that nobody uses is kept: connections are closed after two minutes without a request, and their programs
/// come back.
const UNUSED_SECONDS: i64 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> Partition {
        Partition::of_uid(1000)
    }

    fn part(number: usize) -> Partition {
        user().private(&number.to_string())
    }

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    #[test]
    fn what_nobody_uses_is_forgotten_after_ten_minutes_and_not_before() {
        let parts = InMemory::default();
        let (held, _) = parts.enter(&user(), &part(0)).unwrap();
        drop(parts.enter(&user(), &part(1)).unwrap());
        for (seconds, forgotten) in
            [(0, vec![]), (599, vec![]), (600, vec![part(1)]), (9000, vec![])]
        {
            assert_eq!(parts.sweep(at(seconds)), forgotten, "{seconds}");
        }
        drop(held);
        assert_eq!(parts.sweep(at(9001)), []);
        assert_eq!(parts.sweep(at(9601)), [part(0)]);
    }

    #[test]
    fn who_comes_back_in_time_finds_it_and_has_another_ten_minutes() {
        let parts = InMemory::default();
        drop(parts.enter(&user(), &part(0)).unwrap());
        assert_eq!(parts.sweep(at(0)), []);
        drop(parts.enter(&user(), &part(0)).unwrap());
        assert_eq!(parts.sweep(at(700)), []);
        assert_eq!(parts.sweep(at(1299)), []);
        assert_eq!(parts.sweep(at(1300)), [part(0)]);
    }

    #[test]
    fn it_is_in_use_until_the_last_connection_lets_go() {
        let parts = InMemory::default();
        let (first, _) = parts.enter(&user(), &part(0)).unwrap();
        let (second, _) = parts.enter(&user(), &part(0)).unwrap();
        drop(first);
        assert_eq!(parts.sweep(at(0)), []);
        assert_eq!(parts.sweep(at(10_000)), []);
        drop(second);
        assert_eq!(parts.sweep(at(20_000)), []);
        assert_eq!(parts.sweep(at(20_600)), [part(0)]);
    }

    #[test]
    fn too_many_of_one_user_are_refused_unless_one_is_unused() {
        let parts = InMemory::default();
        let mut held: Vec<_> =
            (0..MAX_PARTS).map(|number| parts.enter(&user(), &part(number)).unwrap().0).collect();
        let refused = parts.enter(&user(), &part(MAX_PARTS)).unwrap_err().to_string();
        assert!(refused.contains("256 private caches"), "{refused}");
        assert!(parts.enter(&user(), &part(0)).is_ok(), "one that is there needs no room");
        let other = Partition::of_uid(1001);
        assert!(parts.enter(&other, &other.private("0")).is_ok());
        drop(held.remove(7));
        parts.sweep(at(0));
        drop(held.remove(7));
        let (_held, replaced) = parts.enter(&user(), &part(MAX_PARTS)).unwrap();
        assert_eq!(replaced, Some(part(7)), "the one that was unused for the longest time");
    }

    #[test]
    fn one_that_was_closed_is_begun_anew_by_whoever_still_holds_it() {
        let parts = InMemory::default();
        let (held, _) = parts.enter(&user(), &part(0)).unwrap();
        parts.close(&part(0));
        drop(parts.enter(&user(), &part(0)).unwrap());
        drop(held);
        assert_eq!(parts.sweep(at(0)), []);
        assert_eq!(parts.sweep(at(600)), [part(0)]);
    }
}
