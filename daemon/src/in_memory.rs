//! The parts of users' partitions that are in memory, and whether anybody uses them. A program that died closes nothing: what no
//! connection has used for ten minutes leaves memory. Some of it is nowhere else, and is forgotten by that. What a user's
//! programs share is such a part where several users are served: who is not there any more takes up nothing. A single user's
//! stays, so that who comes back waits for nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use valetkey_engine::AppId;
use valetkey_model::{Caller, FileId, Partition, ProcessId, UnixTime};
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
    /// Which processes have opened which applications of it, the latest at the end.
    openings: VecDeque<Opening>,
    /// When it was first seen that nobody does.
    unused_since: Option<UnixTime>,
}

/// That a process has opened an application, on whichever connection. Another program that takes the process over by exec
/// has not.
struct Opening {
    process: ProcessId,
    program: Option<FileId>,
    app: AppId,
    /// By its name in the configuration, when not by its credential.
    name: Option<String>,
}

impl Opening {
    /// Where the platform does not tell the process, a connection answers for itself alone.
    fn is_of(&self, caller: &Caller) -> bool {
        (Some(self.process), self.program) == (caller.process, caller.program_file)
    }
}

/// Held by a connection for as long as it may use a part.
#[derive(Clone, Debug)]
pub struct Use(#[expect(dead_code, reason = "that it is held is what it says")] Arc<()>);

impl Part {
    fn unused(user: &Partition) -> Self {
        Self {
            user: user.clone(),
            process: None,
            in_use: Arc::default(),
            openings: VecDeque::new(),
            unused_since: None,
        }
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
        let fresh = Part { process: caller.process, ..Part::unused(user) };
        let holder = Use(Arc::clone(&fresh.in_use));
        parts.insert(part.clone(), fresh);
        Ok((holder, replaced))
    }

    /// Remembers that the caller's process has opened an application of a part: its other connections may use it as well.
    pub fn note_opening(&self, caller: &Caller, part: &Partition, app: &AppId, name: Option<&str>) {
        let mut parts = self.parts();
        let Some((known, process)) = parts.get_mut(part).zip(caller.process) else { return };
        known.openings.retain(|other| other.app != *app || !other.is_of(caller));
        if known.openings.len() == MOST_OPENINGS {
            known.openings.pop_front();
        }
        let (program, name) = (caller.program_file, name.map(str::to_owned));
        known.openings.push_back(Opening { process, program, app: app.clone(), name });
    }

    /// The part of an application that the caller's process has opened, and by which name in the configuration, if by one.
    pub fn find_opening(
        &self,
        caller: &Caller,
        app: &AppId,
    ) -> Option<(Partition, Option<String>)> {
        let parts = self.parts();
        parts.iter().filter(|(_, known)| known.user == caller.partition).find_map(
            |(part, known)| {
                let mut openings = known.openings.iter();
                let found =
                    openings.find(|opening| opening.app == *app && opening.is_of(caller))?;
                Some((part.clone(), found.name.clone()))
            },
        )
    }

    /// All that the caller's process has opened.
    pub fn openings_of(&self, caller: &Caller) -> Vec<AppId> {
        let parts = self.parts();
        let of_user = parts.values().filter(|known| known.user == caller.partition);
        let openings = of_user.flat_map(|known| &known.openings);
        openings
            .filter(|opening| opening.is_of(caller))
            .map(|opening| opening.app.clone())
            .collect()
    }

    /// The caller's process has closed an application.
    pub fn forget_opening(&self, caller: &Caller, app: &AppId) {
        for known in self.parts().values_mut().filter(|known| known.user == caller.partition) {
            known.openings.retain(|opening| opening.app != *app || !opening.is_of(caller));
        }
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

/// Of how many openings of one part is known whose they are. A process more opens it again.
const MOST_OPENINGS: usize = 64;

/// How long one that nobody uses is kept: connections are closed after two minutes without a request, and their programs
/// come back.
const UNUSED_SECONDS: i64 = 600;

#[cfg(test)]
mod tests;
