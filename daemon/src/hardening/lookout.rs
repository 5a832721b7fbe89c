//! A second process, which does the two things that a confined one may not: it looks at who calls, and it starts the one
//! program that may ask the person.
//!
//! It is forked off before anything secret is in memory, knows nothing but `/proc`, and speaks with the daemon alone, in
//! messages of the shape below over a socket pair. It ends when the daemon's end of that closes, however the daemon ended. Its
//! memory is the daemon's of that moment, but for some hundred KiB.
//!
//! One that does not answer is waited for once, for two seconds; until it has answered that question, whoever asks is told at
//! once that nobody can look. One that is gone cannot be had anew: what would be forked off by then has secrets in its memory,
//! and threads' locks as they were. A daemon that knows nobody would let no program through a rule and ask the person about
//! none, for as long as it runs; so it ends in order ([`Lookout::gone`]), and whoever starts daemons starts one that has a
//! lookout. Who can end the lookout can end the daemon, so that nobody is given more by that.
//!
//! ```text
//! question = number: u32 || what: u32 || rest          what: a process's number, or ALLOW, or PROMPT
//! answer   = number: u32 || errno: u32 || rest          of PROMPT: with a descriptor
//! ```

mod socket;
mod wire;

use std::fs;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use valetkey_ipc::Sight;

use self::socket::{Patience, Socket};
use crate::shutdown::HeldSignals;

/// The daemon's end.
#[derive(Clone)]
pub struct Lookout {
    asking: Arc<Mutex<Asking>>,
    gone: Arc<Notify>,
}

struct Asking {
    socket: Socket,
    /// Numbers the questions, so that an answer that came too late is told from the next one.
    asked: u32,
    /// The last question has waited in vain, and its answer may come yet.
    is_late: bool,
    is_gone: bool,
}

impl Lookout {
    /// Forks it off.
    ///
    /// # Errors
    /// When this process has other threads already, whose locks the child would have as they are, or there is no room.
    pub fn post() -> io::Result<Self> {
        if fs::read_dir("/proc/self/task")?.count() != 1 {
            return Err(io::Error::other("there are other threads already"));
        }
        let (ours, theirs) = socket::pair(LONGEST_WAIT)?;
        // SAFETY: with one thread, the child's memory is whole.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => {
                drop(ours);
                keep_watch(theirs)
            }
            _ => Ok(Self::at_the_end_of(ours)),
        }
    }

    fn at_the_end_of(socket: Socket) -> Self {
        let asking = Asking { socket, asked: 0, is_late: false, is_gone: false };
        Self { asking: Arc::new(Mutex::new(asking)), gone: Arc::default() }
    }

    /// Names the program that [`Self::prompt`] starts. It can be named once, so that whoever takes over the daemon later on
    /// cannot choose another.
    ///
    /// # Errors
    /// `PermissionDenied` when one was named, or none was to be.
    pub fn allow(&self, prompt: Option<&Path>) -> io::Result<()> {
        let path = prompt.map(|path| path.as_os_str().as_bytes()).unwrap_or_default();
        self.ask(wire::ALLOW, path).map(drop)
    }

    /// Starts the program that was named, without arguments, with the environment that the daemon was started with, and with
    /// its standard input and output at the other end of what is answered. It should end when that closes.
    ///
    /// # Errors
    /// `NotFound` when none was named; else why it does not start.
    pub fn prompt(&self) -> io::Result<UnixStream> {
        let (_, stream) = self.ask(wire::PROMPT, &[])?;
        stream.map(UnixStream::from).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// What there is to see of a process; `None` when the answer does not come.
    pub fn look(&self, number: u32) -> Option<Sight> {
        let (answer, _) = self.ask(number, &[]).ok()?;
        wire::read_sight(&answer)
    }

    /// Whether it has answered the last question.
    pub fn answers(&self) -> bool {
        let asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        !asking.is_late && !asking.is_gone
    }

    /// Resolves once somebody has asked and the process was gone.
    pub async fn gone(&self) {
        self.gone.notified().await;
    }

    fn ask(&self, what: u32, rest: &[u8]) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
        let mut asking = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
        let (errno, answer) = asking.ask(what, rest).inspect_err(|_| {
            if asking.is_gone {
                self.gone.notify_one();
            }
        })?;
        match errno.cast_signed() {
            0 => Ok(answer),
            errno => Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

impl Asking {
    /// What was answered, and with which error. Errors of this function are of the asking.
    fn ask(&mut self, what: u32, rest: &[u8]) -> io::Result<(u32, Answer)> {
        if self.is_gone {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.is_late {
            self.hear(Patience::None)?;
        }
        self.asked = self.asked.wrapping_add(1);
        let sent = self.socket.send(&wire::message(self.asked, what, rest), None);
        sent.map_err(|error| self.fail(error))?;
        self.hear(Patience::Some)
    }

    /// The answer to the last question.
    fn hear(&mut self, patience: Patience) -> io::Result<(u32, Answer)> {
        loop {
            let (answer, descriptor) =
                self.socket.receive(patience).map_err(|error| self.fail(error))?;
            let (answered, errno, rest) = wire::parts(&answer)?;
            if answered == self.asked {
                self.is_late = false;
                return Ok((errno, (rest.to_vec(), descriptor)));
            }
        }
    }

    /// Takes note, and tells of it once.
    fn fail(&mut self, error: io::Error) -> io::Error {
        match error.kind() {
            io::ErrorKind::WouldBlock if self.is_late => {}
            io::ErrorKind::WouldBlock => {
                self.is_late = true;
                tracing::warn!("cannot see who calls: the process that looks does not answer");
            }
            _ => {
                self.is_gone = true;
                tracing::error!(%error, "cannot see who calls any more: the process that looks is gone");
            }
        }
        error
    }
}

/// The child's whole life.
fn keep_watch(socket: Socket) -> ! {
    close_all_but(&socket);
    name_process(c"valetkeyd-look");
    // What ends the daemon and its group is not for us; the daemon finishes what is under way, and then we end with it.
    for signal in [libc::SIGTERM, libc::SIGINT, libc::SIGHUP, libc::SIGQUIT] {
        // SAFETY: the handler does nothing, which a handler may. Unlike an ignored signal it is the default again in what is
        // started.
        unsafe { libc::signal(signal, unmoved as *const () as libc::sighandler_t) };
    }
    // It was forked off by a thread that holds them back, and so would be what it starts.
    HeldSignals::release();
    let mut watch = Watch { prompt: None, started: Vec::new() };
    while let Ok((question, _)) = socket.receive(Patience::Some) {
        let Ok((number, what, rest)) = wire::parts(&question) else { break };
        let (errno, rest, descriptor) = match watch.answer(what, rest) {
            Ok((rest, descriptor)) => (0, rest, descriptor),
            Err(error) => (error.raw_os_error().unwrap_or(libc::EIO), Vec::new(), None),
        };
        let answer = wire::message(number, errno.cast_unsigned(), &rest);
        if socket.send(&answer, descriptor).is_err() {
            break;
        }
    }
    // SAFETY: ends the process without the handlers that the daemon's libraries registered.
    unsafe { libc::_exit(0) }
}

extern "C" fn unmoved(_signal: libc::c_int) {}

struct Watch {
    /// The outer `None` until it is said whether there is one.
    prompt: Option<Option<PathBuf>>,
    started: Vec<Child>,
}

type Answer = (Vec<u8>, Option<OwnedFd>);

impl Watch {
    fn answer(&mut self, what: u32, rest: &[u8]) -> io::Result<Answer> {
        match what {
            wire::ALLOW => self.allow(rest).map(|()| (Vec::new(), None)),
            wire::PROMPT => self.start_prompt().map(|stream| (Vec::new(), Some(stream))),
            number => Ok((wire::write_sight(&Sight::of(number)), None)),
        }
    }

    fn allow(&mut self, path: &[u8]) -> io::Result<()> {
        if self.prompt.is_some() {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        let path = PathBuf::from(std::ffi::OsString::from_vec(path.to_vec()));
        self.prompt = Some(Some(path).filter(|path| path.is_absolute()));
        Ok(())
    }

    fn start_prompt(&mut self) -> io::Result<OwnedFd> {
        // Those that have ended are let go of.
        self.started.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        let Some(Some(prompt)) = &self.prompt else {
            return Err(io::Error::from_raw_os_error(libc::ENOENT));
        };
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = Command::new(prompt);
        command.stdin(OwnedFd::from(theirs.try_clone()?)).stdout(OwnedFd::from(theirs));
        self.started.push(command.stderr(Stdio::null()).spawn()?);
        Ok(ours.into())
    }
}

/// The daemon's socket would stay open in a child that has it, too.
fn close_all_but(socket: &Socket) {
    let kept = socket.as_raw_fd().cast_unsigned();
    for (first, last) in [(3, kept.saturating_sub(1)), (kept + 1, u32::MAX)] {
        if first <= last {
            // SAFETY: nothing in this process uses another descriptor from here on. Kernels before 5.9 keep them open.
            unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) };
        }
    }
}

fn name_process(name: &std::ffi::CStr) {
    // SAFETY: reads a text that ends with a zero.
    unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr()) };
}

/// To look at a process takes microseconds, unless its program is on a file system that hangs; or nobody gets a processor.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
