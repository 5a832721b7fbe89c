//! Who got what, and when: for the person whose tokens they are, not for a debugger. No token and no secret is in it.
//!
//! What is noted is written by a thread of its own, so that no request waits for a disk. That the same program got the same
//! token again is no news, which keeps the record short and a cached token as fast as it is. It is kept in clear, in files
//! that only the daemon's user can read: whoever can change these can change what they say.

mod deed;
mod files;
mod writer;

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use valetkey_model::{Partition, UnixTime};
use valetkey_proto::v1::{self, AuditRecord, AuditedProgram};

pub use deed::Deed;
use writer::Writer;

use crate::session::Session;
use crate::to_wire;

/// The record of one daemon.
pub struct Audit {
    folder: PathBuf,
    known: Mutex<HashSet<u64>>,
    writer: Writer,
}

impl Audit {
    /// A record in this folder, which is created when there is something to write.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(folder: PathBuf) -> io::Result<Self> {
        let writer = Writer::start(folder.clone())?;
        Ok(Self { folder, known: Mutex::default(), writer })
    }

    /// Notes what the program at the other end of a connection did, unless that is known.
    pub fn note(&self, session: &Session, deed: &Deed<'_>, now: UnixTime) {
        let digest = digest(session, deed, now);
        if !session.is_news(digest) || self.is_known(digest) {
            return;
        }
        let program = to_wire::program(session.peer());
        self.writer.write(&session.caller().partition, deed.record(now, program), now);
    }

    /// Notes what was said about a program, which itself may have done nothing.
    pub fn note_about(
        &self,
        user: &Partition,
        program: &AuditedProgram,
        deed: &Deed<'_>,
        now: UnixTime,
    ) {
        self.writer.write(user, deed.record(now, program.clone()), now);
    }

    /// Notes what the daemon did by itself, for its own user.
    #[cfg(unix)]
    pub fn note_own(&self, act: v1::AuditAct, why: &str, now: UnixTime) {
        self.note_for(&Partition::of_uid(rustix::process::geteuid().as_raw()), act, why, now);
    }

    /// Notes what the daemon did by itself, for this user.
    pub fn note_for(&self, user: &Partition, act: v1::AuditAct, why: &str, now: UnixTime) {
        let record =
            AuditRecord { detail: Some(why.to_owned()), ..AuditRecord::new(now.seconds(), act) };
        self.writer.write(user, record, now);
    }

    /// The last `limit` records of a user, the newest last. Reads files, and blocks for that long.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(&self, user: &Partition, limit: usize) -> io::Result<Vec<AuditRecord>> {
        self.writer.flush();
        files::read_last(&self.folder, user, limit)
    }

    /// Waits until all that was noted is written.
    pub fn flush(&self) {
        self.writer.flush();
    }

    fn is_known(&self, digest: u64) -> bool {
        // Nothing under this lock can panic half-way.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        !known.insert(digest)
    }
}

/// By the program and not by the process, where that tells: a shell's prompt that runs `valetkey` once a second is the same
/// program each time. It needs not withstand anybody, since who makes two of their own deeds look alike hides what they may do a hundred times anyway.
fn digest(session: &Session, deed: &Deed<'_>, now: UnixTime) -> u64 {
    let caller = session.caller();
    let mut hasher = DefaultHasher::new();
    (&caller.partition, &caller.program, caller.program_file).hash(&mut hasher);
    session.own_process().hash(&mut hasher);
    deed.hash_news(now, &mut hasher);
    hasher.finish()
}

/// Beyond this the same may be noted twice.
const MOST_KNOWN: usize = 16 * 1024;

#[cfg(test)]
mod tests;
