//! The parts of users' partitions that are in memory, and whether anybody uses them. A program that died closes nothing: what no
//! connection has used for ten minutes leaves memory. Some of it is nowhere else, and is forgotten by that. What a user's
//! programs share is such a part where several users are served: who is not there any more takes up nothing. A single user's
//! stays, so that who comes back waits for nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use valetkey_model::{Caller, Partition, ProcessId, UnixTime};
use valetkey_proto::v1::ErrorCode;

use crate::failure::Failure;

/// Those that there are.
pub struct InMemory {
    parts: Mutex<HashMap<Partition, Part>>,
    /// By how much each user's limits are smaller than those of a user alone.
    divisor: usize,
}

impl Default for InMemory {
    fn default() -> Self {
        Self { parts: Mutex::default(), divisor: 1 }
    }
}

struct Part {
    /// Whose it is.
    user: Partition,
    /// Who was the first to use it, where the platform tells.
    process: Option<ProcessId>,
    /// A copy is with each connection that uses it.
    in_use: Arc<()>,
    /// When it was first seen that nobody does.
    unused_since: Option<UnixTime>,
}

/// Held by a connection for as long as it may use a part.
#[derive(Clone, Debug)]
pub struct Use(#[expect(dead_code, reason = "that it is held is what it says")] Arc<()>);

impl Part {
    fn unused(user: &Partition) -> Self {
        Self { user: user.clone(), process: None, in_use: Arc::default(), unused_since: None }
    }

    fn is_used(&self) -> bool {
        Arc::strong_count(&self.in_use) > 1
    }
}

impl InMemory {
    /// For a daemon that has many users' in its memory.
    pub fn among_several() -> Self {
        Self { divisor: 8, ..Self::default() }
    }

    /// Takes a part of the caller's into use. Where there are too many, one that nobody uses makes room, which is to leave memory.
    ///
    /// # Errors
    /// When all of them are in use.
    pub fn enter(
        &self,
        caller: &Caller,
        part: &Partition,
    ) -> Result<(Use, Option<Partition>), Failure> {
        let mut parts = self.parts();
        if let Some(known) = parts.get_mut(part) {
            known.unused_since = None;
            return Ok((Use(Arc::clone(&known.in_use)), None));
        }
        let limit = Limit::of(part);
        let (of_user, of_process) =
            (limit.of_user() / self.divisor, limit.of_process() / self.divisor);
        let user = &caller.partition;
        let alike = parts.iter().filter(|(other, known)| {
            known.user == *user && *other != user && Limit::of(other) == limit
        });
        let of_this_process = alike.clone().filter(|(_, known)| {
            known.is_used() && known.process.is_some() && known.process == caller.process
        });
        if of_this_process.count() >= of_process {
            return Err(limit.refuse("this process", of_process));
        }
        let replaced = match alike.clone().count() < of_user {
            true => None,
            false => {
                let full = || limit.refuse("this user's programs", of_user);
                Some(longest_unused(alike).ok_or_else(full)?)
            }
        };
        if let Some(replaced) = &replaced {
            parts.remove(replaced);
        }
        let in_use = Arc::new(());
        let holder = Use(Arc::clone(&in_use));
        let (user, process) = (user.clone(), caller.process);
        parts.insert(part.clone(), Part { user, process, in_use, unused_since: None });
        Ok((holder, replaced))
    }

    /// Takes what a user's programs share into use; there is one for each user, and so no limit.
    pub fn stay(&self, user: &Partition) -> Use {
        let mut parts = self.parts();
        let part = parts.entry(user.clone()).or_insert_with(|| Part::unused(user));
        part.unused_since = None;
        Use(Arc::clone(&part.in_use))
    }

    /// A part that was to leave memory could not yet.
    pub fn put_back(&self, user: &Partition, part: Partition) {
        self.parts().entry(part).or_insert_with(|| Part::unused(user));
    }

    /// A part was closed by its program, whoever else still holds it.
    pub fn close(&self, part: &Partition) {
        self.parts().remove(part);
    }

    /// What nobody has used for long enough by now, and whose it is: it is to leave memory. To be called every now and then.
    pub fn sweep(&self, now: UnixTime) -> Vec<(Partition, Partition)> {
        let mut parts = self.parts();
        for part in parts.values_mut() {
            let since = part.unused_since.unwrap_or(now);
            part.unused_since = (!part.is_used()).then_some(since);
        }
        let is_over = |part: &Part| {
            part.unused_since.is_some_and(|since| now.seconds_since(since) >= UNUSED_SECONDS)
        };
        parts.extract_if(|_, part| is_over(part)).map(|(place, part)| (part.user, place)).collect()
    }

    fn parts(&self) -> MutexGuard<'_, HashMap<Partition, Part>> {
        // Nothing under this lock can panic half-way.
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Those that no sweep has seen yet have been unused for the shortest time.
fn longest_unused<'a>(parts: impl Iterator<Item = (&'a Partition, &'a Part)>) -> Option<Partition> {
    let unused = parts.filter(|(_, part)| !part.is_used());
    let oldest = unused.min_by_key(|(_, part)| (part.unused_since.is_none(), part.unused_since));
    oldest.map(|(partition, _)| partition.clone())
}

/// How many parts of a kind there may be at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Limit {
    /// Each may be as large as a body, and can be nowhere else.
    InMemory,
    /// The store has them as well.
    Stored,
}

impl Limit {
    fn of(part: &Partition) -> Self {
        if part.is_in_memory() { Self::InMemory } else { Self::Stored }
    }

    fn of_user(self) -> usize {
        match self {
            Self::InMemory => 256,
            Self::Stored => 512,
        }
    }

    /// So that one program that opens without end leaves something to the others.
    fn of_process(self) -> usize {
        self.of_user() / 4 * 3
    }

    fn refuse(self, who: &str, limit: usize) -> Failure {
        let what = match self {
            Self::InMemory => "private caches and applications with assertions of their own",
            Self::Stored => "credentials and managed identities",
        };
        let text = format!(
            "{limit} {what} are in use by {who}, and that is the limit; close one with DELETE /v1/apps/{{app}}"
        );
        Failure::request(ErrorCode::TooManyRequests, text)
    }
}

/// How long one that nobody uses is kept: connections are closed after two minutes without a request, and their programs
/// come back.
const UNUSED_SECONDS: i64 = 600;

#[cfg(test)]
mod tests {
    use super::*;

    /// A process of a user's.
    fn caller(uid: u32, process: u32) -> Caller {
        Caller {
            partition: Partition::of_uid(uid),
            process: Some(ProcessId { number: process, started: 0 }),
            program: None,
            program_file: None,
            groups: Vec::new(),
        }
    }

    fn user() -> Caller {
        caller(1000, 1)
    }

    fn part(number: usize) -> Partition {
        user().partition.private(&number.to_string())
    }

    fn swept(parts: &InMemory, now: UnixTime) -> Vec<Partition> {
        parts.sweep(now).into_iter().map(|(_, part)| part).collect()
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
            assert_eq!(swept(&parts, at(seconds)), forgotten, "{seconds}");
        }
        drop(held);
        assert_eq!(swept(&parts, at(9001)), []);
        assert_eq!(swept(&parts, at(9601)), [part(0)]);
    }

    #[test]
    fn who_comes_back_in_time_finds_it_and_has_another_ten_minutes() {
        let parts = InMemory::default();
        drop(parts.enter(&user(), &part(0)).unwrap());
        assert_eq!(swept(&parts, at(0)), []);
        drop(parts.enter(&user(), &part(0)).unwrap());
        assert_eq!(swept(&parts, at(700)), []);
        assert_eq!(swept(&parts, at(1299)), []);
        assert_eq!(swept(&parts, at(1300)), [part(0)]);
    }

    #[test]
    fn it_is_in_use_until_the_last_connection_lets_go() {
        let parts = InMemory::default();
        let (first, _) = parts.enter(&user(), &part(0)).unwrap();
        let (second, _) = parts.enter(&user(), &part(0)).unwrap();
        drop(first);
        assert_eq!(swept(&parts, at(0)), []);
        assert_eq!(swept(&parts, at(10_000)), []);
        drop(second);
        assert_eq!(swept(&parts, at(20_000)), []);
        assert_eq!(swept(&parts, at(20_600)), [part(0)]);
    }

    /// What `process` holds after it has opened as many of its own as it may.
    fn fill(parts: &InMemory, process: u32, make: impl Fn(usize) -> Partition) -> Vec<Use> {
        let open =
            |number| parts.enter(&caller(1000, process), &make(number)).map(|(held, _)| held);
        (process as usize * 1000..).map(open).map_while(Result::ok).collect()
    }

    #[test]
    fn too_many_of_one_user_are_refused_unless_one_is_unused() {
        let stored = |number: usize| user().partition.of_application(&number.to_string());
        for (make, limit, what) in [
            (&part as &dyn Fn(usize) -> Partition, 256, "private caches"),
            (&stored, 512, "credentials"),
        ] {
            let parts = InMemory::default();
            let (mut held, rest) = (fill(&parts, 1, make), fill(&parts, 2, make));
            assert_eq!(
                (held.len(), rest.len()),
                (limit / 4 * 3, limit / 4),
                "no process has them all"
            );
            for (process, words) in [(1, "this process"), (3, "this user's programs")] {
                let refused =
                    parts.enter(&caller(1000, process), &make(9)).unwrap_err().to_string();
                assert!(refused.contains(words) && refused.contains(what), "{refused}");
            }
            assert!(parts.enter(&user(), &make(1000)).is_ok(), "one that is there needs no room");
            assert!(parts.enter(&caller(1001, 1), &make(8)).is_ok());
            drop(held.remove(7));
            parts.sweep(at(0));
            drop(held.remove(7));
            let (_held, replaced) = parts.enter(&caller(1000, 3), &make(9)).unwrap();
            assert_eq!(replaced, Some(make(1007)), "the one that was unused for the longest time");
        }
    }

    #[test]
    fn among_several_users_each_has_less() {
        let parts = InMemory::among_several();
        let held = fill(&parts, 1, part);
        let refused = parts.enter(&user(), &part(1)).unwrap_err().to_string();
        assert!(held.len() == 24 && refused.starts_with("24 private caches"), "{refused}");
        assert!(parts.enter(&caller(1001, 1), &Partition::of_uid(1001).private("x")).is_ok());
    }

    #[test]
    fn what_a_users_programs_share_stays_as_long_as_one_of_them_and_takes_no_others_place() {
        let parts = InMemory::among_several();
        let home = user().partition;
        let (first, second) = (parts.stay(&home), parts.stay(&home));
        let stored = |number: usize| home.of_application(&number.to_string());
        assert_eq!(fill(&parts, 1, stored).len() + fill(&parts, 2, stored).len(), 64);
        assert_eq!(swept(&parts, at(0)).len(), 0);
        drop(first);
        assert_eq!(swept(&parts, at(600)).len(), 64);
        drop(second);
        assert_eq!(swept(&parts, at(700)), []);
        drop(parts.stay(&home));
        assert_eq!(swept(&parts, at(1299)), []);
        assert_eq!(swept(&parts, at(1899)), [home]);
    }

    #[test]
    fn what_nobody_holds_any_more_is_counted_down_to_nothing() {
        let parts = InMemory::default();
        let stored = |number: usize| user().partition.of_application(&number.to_string());
        let held = fill(&parts, 1, stored);
        let count = held.len();
        drop(held);
        assert_eq!(parts.sweep(at(0)), []);
        let gone = parts.sweep(at(600));
        assert_eq!((gone.len(), parts.parts().len()), (count, 0));
        parts.put_back(&user().partition, stored(7));
        assert_eq!(swept(&parts, at(601)), []);
        assert_eq!(swept(&parts, at(1201)), [stored(7)], "it is tried again");
    }

    #[test]
    fn one_that_was_closed_is_begun_anew_by_whoever_still_holds_it() {
        let parts = InMemory::default();
        let (held, _) = parts.enter(&user(), &part(0)).unwrap();
        parts.close(&part(0));
        drop(parts.enter(&user(), &part(0)).unwrap());
        drop(held);
        assert_eq!(swept(&parts, at(0)), []);
        assert_eq!(swept(&parts, at(600)), [part(0)]);
    }
}
