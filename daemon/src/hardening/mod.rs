//! What the process asks of the kernel for itself: no dump of its memory, and enough file descriptors.

/// Keeps secrets out of core dumps and away from debuggers of other programs, and lifts the soft limit of descriptors to
/// the hard one, since each client holds one. What the kernel refuses is logged and goes on without.
#[cfg(unix)]
pub fn apply() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let nothing = Rlimit { current: Some(0), maximum: Some(0) };
    report("forbid core dumps", setrlimit(Resource::Core, nothing));
    let files = getrlimit(Resource::Nofile);
    let lifted = Rlimit { current: files.maximum, maximum: files.maximum };
    report("raise the limit of open files", setrlimit(Resource::Nofile, lifted));
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        report("forbid debugging", set_dumpable_behavior(DumpableBehavior::NotDumpable));
    }
}

/// How many files and connections the process may have open; `None` without a limit.
#[cfg(unix)]
pub fn descriptor_limit() -> Option<u64> {
    use rustix::process::{Resource, getrlimit};

    getrlimit(Resource::Nofile).current
}

/// Windows has no such limit.
#[cfg(not(unix))]
pub fn descriptor_limit() -> Option<u64> {
    None
}

/// Windows has neither limit, and protects a process by its own access list.
#[cfg(not(unix))]
pub fn apply() {}

#[cfg(unix)]
fn report(what: &str, outcome: rustix::io::Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(%error, "cannot {what}");
    }
}
