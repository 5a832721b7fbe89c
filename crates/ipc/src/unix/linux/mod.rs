//! The process behind a socket, and its program, from `/proc`.
//!
//! `/proc` knows processes by their numbers. A handle of the kernel's (a pidfd) says whether the number still means the one that
//! connected: it is taken first, and looked at again after `/proc` was read.

mod cgroup;
mod confinement;
mod script;
pub(crate) mod sight;
mod stat;

use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;

use nix::errno::Errno;
use nix::sys::socket::{getsockopt, sockopt};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use valetkey_model::{
    Caller, Confinement, Executable, FileId, Parent, Partition, ProcessId, Program, Unidentified,
};

use self::confinement::confinement_of;
use self::sight::{Sight, file_at, see};
use self::stat::Stat;

/// The process that connected.
pub(crate) enum Process {
    Known(Known),
    /// Why nothing is known of it: it ended before it was looked at, or has no number here.
    Unknown(Unidentified),
}

pub(crate) struct Known {
    id: ProcessId,
    handle: OwnedFd,
    /// What it ran when it connected; `None` when nobody could look.
    ran: Option<(Option<PathBuf>, Option<FileId>)>,
    /// By what it was confined then, which holds for whoever speaks in its place: it has the socket from this process.
    confinement: Confinement,
}

/// The kernel's handle to a process that was not looked at yet, and its number; else why there is none.
pub(crate) struct Handle(Result<(u32, OwnedFd), Unidentified>);

impl Handle {
    /// The one that the socket has kept since it was connected (`SO_PEERPIDFD`, Linux 6.5). Older kernels give one for a
    /// number, which may be another process's by then; that it belongs to the same user, the next look shows.
    pub(crate) fn of_peer(socket: BorrowedFd<'_>, number: Option<i32>) -> Self {
        let Some(pid) = number.and_then(Pid::from_raw) else {
            return Self(Err(Unidentified::Hidden));
        };
        let handle = match getsockopt(&socket, sockopt::PeerPidfd) {
            Err(Errno::ENOPROTOOPT) => pidfd_open(pid, PidfdFlags::empty()).ok(),
            told => told.ok(),
        };
        let number = u32::try_from(pid.as_raw_nonzero().get()).ok();
        Self(number.zip(handle).ok_or(Unidentified::Ended))
    }
}

impl Process {
    /// Looks at the process.
    pub(crate) fn behind(handle: Handle) -> Self {
        match handle.0 {
            Ok((number, handle)) => {
                Self::find(number, handle).map_or(Self::Unknown(Unidentified::Ended), Self::Known)
            }
            Err(why) => Self::Unknown(why),
        }
    }

    fn find(number: u32, handle: OwnedFd) -> Option<Known> {
        let id = ProcessId { number, started: Stat::read(number)?.started };
        let mut sight = see(number);
        let flatpak = sight.as_mut().and_then(|sight| sight.flatpak.take());
        let confinement = confinement_of(number, flatpak);
        let mut known = Known { id, handle, ran: sight.map(executable_in), confinement };
        if !known.is_running() {
            // What was seen may be another process's, which has the number.
            known.confinement = Confinement::Unknown;
        }
        Some(known)
    }

    pub(crate) fn id(&self) -> Option<ProcessId> {
        match self {
            Self::Known(known) => Some(known.id),
            Self::Unknown(_) => None,
        }
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self, Self::Known(known) if known.is_running())
    }

    /// The path by which the process ran its program when it connected, and the file.
    pub(crate) fn executable(&self) -> (Option<PathBuf>, Option<FileId>) {
        match self {
            Self::Known(known) => known.ran.clone().unwrap_or_default(),
            Self::Unknown(_) => (None, None),
        }
    }

    pub(crate) fn describe(&self, caller: &Caller) -> Program {
        let confinement = self.confinement();
        let unidentified =
            |why| Program::unidentified(caller.program.clone(), why, confinement.clone());
        match self {
            Self::Known(known) => {
                let sight = known.ran.as_ref().and_then(|_| see(known.id.number));
                let program = sight.map(|it| known.look(it, caller.program_file));
                match (self.is_running(), program) {
                    (false, _) => unidentified(Unidentified::Ended),
                    (true, None) => unidentified(Unidentified::NotLooked),
                    (true, Some(program)) => blame(program, caller),
                }
            }
            Self::Unknown(why) => unidentified(*why),
        }
    }

    /// A process without a number is outside of our PID namespace, where no process of ours can get: it is not one that hides
    /// from us, but we that are in a container.
    fn confinement(&self) -> Confinement {
        match self {
            Self::Known(known) => known.confinement.clone(),
            Self::Unknown(Unidentified::Hidden) => Confinement::Free,
            Self::Unknown(_) => Confinement::Unknown,
        }
    }

    pub(crate) fn script(&self) -> Option<String> {
        let script = script::script_of(self.id()?.number);
        script.filter(|_| self.is_running())
    }

    pub(crate) fn parents(&self) -> Vec<Parent> {
        let parents = self.id().map(|id| parents_of(id.number)).unwrap_or_default();
        if self.is_running() { parents } else { Vec::new() }
    }
}

impl Known {
    /// A pidfd is readable once its process has ended.
    fn is_running(&self) -> bool {
        let mut handles = [PollFd::new(&self.handle, PollFlags::IN)];
        poll(&mut handles, Some(&Timespec::default())) == Ok(0)
    }

    fn look(&self, sight: Sight, file_when_connected: Option<FileId>) -> Program {
        let cgroup = read_proc(self.id.number, "cgroup").unwrap_or_default();
        Program {
            executable: identify(executable_in(sight), file_when_connected),
            unit: cgroup::unit_of(&cgroup).map(str::to_owned),
            confinement: self.confinement.clone(),
        }
    }
}

/// The kernel shows what a process runs to root and to its own user: nobody else's program has hidden it.
fn blame(mut program: Program, caller: &Caller) -> Program {
    let own = rustix::process::geteuid();
    let is_another_users = !own.is_root() && caller.partition != Partition::of_uid(own.as_raw());
    if let Executable::Unidentified { why: why @ Unidentified::Hidden, .. } =
        &mut program.executable
        && is_another_users
    {
        *why = Unidentified::AnotherUsers;
    }
    program
}

fn executable_in(sight: Sight) -> (Option<PathBuf>, Option<FileId>) {
    (sight.program, sight.program_file)
}

fn identify(
    (path, file): (Option<PathBuf>, Option<FileId>),
    file_when_connected: Option<FileId>,
) -> Executable {
    let why = match (&path, file) {
        (Some(_), Some(_)) if file != file_when_connected => Unidentified::Changed,
        (Some(path), Some(_)) if file != file_at(path) => Unidentified::AnotherFile,
        (Some(path), Some(_)) if crate::interpreter::is_interpreter(path) => {
            Unidentified::Interpreter
        }
        (Some(path), Some(_)) => return Executable::Identified(path.clone()),
        _ => Unidentified::Hidden,
    };
    Executable::Unidentified { path, why }
}

fn parents_of(number: u32) -> Vec<Parent> {
    let mut parents = Vec::new();
    let mut next = Stat::read(number).map(|stat| stat.parent);
    // Zero is outside of what we see. Processes end and are born while we look, so that a chain could come round.
    while let Some(number) = next.filter(|number| *number != 0 && parents.len() < MOST_PARENTS) {
        let Some(stat) = Stat::read(number) else { break };
        let name = match see(number).and_then(|sight| sight.program) {
            Some(path) => path.display().to_string(),
            None => format!("[{}]", stat.name),
        };
        parents.push(Parent { number, name });
        next = Some(stat.parent);
    }
    parents
}

fn read_proc(number: u32, file: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/{number}/{file}")).ok()
}

/// A terminal in an editor in a desktop's session is seven.
const MOST_PARENTS: usize = 16;
