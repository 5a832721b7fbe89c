//! What the process asks of the kernel for itself: no dump of its memory, enough file descriptors, and, once it has what it
//! needs, to be kept from everything that it has no use for.

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod lookout;

use std::path::Path;

use valetkey_proto::v1::Held;

#[cfg(target_os = "linux")]
pub use lookout::Lookout;

/// Other systems have nothing to confine the process with, and so nobody to look for it.
#[cfg(not(target_os = "linux"))]
#[derive(Clone)]
pub enum Lookout {}

#[cfg(not(target_os = "linux"))]
impl Lookout {
    fn answers(&self) -> bool {
        match *self {}
    }
}

/// What keeps the process from what it has no use for.
#[derive(Clone, Default)]
pub struct Confined {
    /// From changing files that are not its own, and from starting programs (Landlock).
    pub files: Held,
    /// From system calls that it never makes (seccomp).
    pub calls: bool,
    /// Looks at callers for it, since it may not.
    lookout: Option<Lookout>,
}

impl Confined {
    /// Whether callers can be looked at, as far as the last one shows.
    pub fn sees_callers(&self) -> bool {
        self.lookout.as_ref().is_none_or(Lookout::answers)
    }
}

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
    #[cfg(target_os = "macos")]
    // SAFETY: takes no memory; the kernel refuses debuggers from here on (ptrace(2)).
    report(
        "forbid debugging",
        match unsafe { libc::ptrace(libc::PT_DENY_ATTACH, 0, std::ptr::null_mut(), 0) } {
            0 => Ok(()),
            _ => Err(rustix::io::Errno::PERM),
        },
    );
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

/// Posts the lookout that a confined process needs: the first thing to do, before there is another thread or a secret.
/// `None` where there is nothing to confine a process with, or it cannot be had, which is logged.
#[cfg(target_os = "linux")]
pub fn post_lookout() -> Option<Lookout> {
    Lookout::post()
        .inspect_err(|error| tracing::warn!(%error, "cannot post a lookout; goes on unconfined"))
        .ok()
}

/// No other system has Landlock or seccomp.
#[cfg(not(target_os = "linux"))]
pub fn post_lookout() -> Option<Lookout> {
    None
}

/// What a confined process goes on to do.
#[derive(Clone, Copy, Debug)]
pub struct Confinement<'a> {
    /// Beneath these folders it makes, writes, moves and removes.
    pub written: &'a [&'a Path],
    /// In these folders it removes files, and no more.
    pub cleared: &'a [&'a Path],
    /// This program its lookout starts, when it is asked to.
    pub prompt: Option<&'a Path>,
}

/// Confines this thread and all that it starts, for good; to be called while there is no other. What the kernel does not offer
/// is said in the log, and goes on without.
#[cfg(target_os = "linux")]
pub fn confine(lookout: &Lookout, confinement: Confinement<'_>) -> Confined {
    let Confinement { written, cleared, prompt } = confinement;
    if let Err(error) = lookout.allow(prompt) {
        tracing::warn!(%error, "cannot tell the lookout what to start");
    }
    let eyes = lookout.clone();
    valetkey_ipc::look_through(move |number| eyes.look(number));
    let files = files::confine(files::Folders { written, cleared });
    let files = files.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot confine the daemon to its own files");
        Held::None
    });
    let calls = calls::confine();
    if let Err(error) = &calls {
        tracing::warn!(%error, "cannot filter system calls");
    }
    if files == Held::None {
        tracing::info!(
            "this kernel has no Landlock: nothing but permissions keeps the daemon to its own files"
        );
    }
    Confined { files, calls: calls.is_ok(), lookout: Some(lookout.clone()) }
}

/// There is no lookout to call this with.
#[cfg(not(target_os = "linux"))]
pub fn confine(lookout: &Lookout, _confinement: Confinement<'_>) -> Confined {
    match *lookout {}
}
