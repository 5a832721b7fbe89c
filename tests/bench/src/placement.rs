//! On which cores two processes that talk to each other run.
//!
//! Left alone, the scheduler puts one pair on one core and the next on two, and keeps them there; where waking another
//! core is dear, as on most virtual machines, that is worth more than all else. So each comparison is made twice, and
//! both sides of it are placed alike.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Outcome;

/// Where caller and callee run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Both on the same core: what is computed shows.
    OneCore,
    /// Each on its own: waking the other core shows.
    TwoCores,
}

impl Placement {
    pub(crate) const ALL: [Self; 2] = [Self::TwoCores, Self::OneCore];

    /// Starts what `start` starts as callee, then does `work` as the caller. `None` without a second core.
    pub(crate) fn run<S, T>(
        self,
        start: impl FnOnce() -> Outcome<S>,
        work: impl FnOnce(S) -> Outcome<T>,
    ) -> Outcome<Option<T>> {
        let all = sched_getaffinity(None)?;
        let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|cpu| all.is_set(*cpu)).collect();
        let (caller, callee) = match (self, &cores[..]) {
            (Self::OneCore, [.., core]) => (*core, *core),
            (Self::TwoCores, [callee, .., caller]) => (*caller, *callee),
            _ => return Ok(None),
        };
        // A process stays where its parent was when it began.
        move_to(callee)?;
        let started = start();
        move_to(caller)?;
        let outcome = started.and_then(work);
        sched_setaffinity(None, &all)?;
        outcome.map(Some)
    }

    /// For a row's name.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::OneCore => "both processes on one core",
            Self::TwoCores => "each process on its own core",
        }
    }
}

fn move_to(core: usize) -> Outcome {
    let mut set = CpuSet::new();
    set.set(core);
    Ok(sched_setaffinity(None, &set)?)
}
