//! The thread that writes, and how much it is given to write.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use valetkey_model::{Partition, UnixTime};
use valetkey_proto::v1::{AuditAct, AuditRecord};

use super::files::Files;

/// The way to the thread. It ends with the last of these.
pub(super) struct Writer {
    orders: SyncSender<Order>,
    paces: Mutex<HashMap<Partition, Pace>>,
}

enum Order {
    Write(Partition, Box<AuditRecord>),
    /// Answers once all that came before is written.
    Flush(SyncSender<()>),
}

impl Writer {
    pub(super) fn start(folder: PathBuf) -> io::Result<Self> {
        let (orders, given) = sync_channel(MOST_WAITING);
        thread::Builder::new().name("audit".to_owned()).spawn(move || work(&given, folder))?;
        Ok(Self { orders, paces: Mutex::default() })
    }

    /// Hands a record over. One that comes too fast is counted, and the count is recorded later.
    pub(super) fn write(&self, user: &Partition, record: AuditRecord, now: UnixTime) {
        // Nothing under this lock can panic half-way.
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces.entry(user.clone()).or_default();
        let Some(lost) = pace.admit(&record, now) else { return };
        if lost > 0 {
            let _ =
                self.orders.try_send(Order::Write(user.clone(), Box::new(tell_lost(lost, now))));
        }
        if self.orders.try_send(Order::Write(user.clone(), Box::new(record))).is_err() {
            pace.lost += 1;
        }
    }

    /// Waits until all that was handed over is written.
    pub(super) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.orders.send(Order::Flush(done)).is_ok() {
            let _ = wait.recv();
        }
    }
}

/// So that nobody can push out what is recorded by doing much, nor keep what others do from being recorded.
#[derive(Default)]
struct Pace {
    minute: i64,
    everyday: u32,
    grave: HashMap<AuditAct, u32>,
    of_process: HashMap<Option<u32>, u32>,
    lost: u64,
}

impl Pace {
    /// Whether one more may be written; if so, how many could not since the last one.
    fn admit(&mut self, record: &AuditRecord, now: UnixTime) -> Option<u64> {
        let minute = now.seconds() / 60;
        if self.minute != minute {
            *self = Self { minute, lost: self.lost, ..Self::default() };
        }
        if !self.has_room(record) {
            self.lost += 1;
            return None;
        }
        Some(std::mem::take(&mut self.lost))
    }

    fn has_room(&mut self, record: &AuditRecord) -> bool {
        if is_grave(record.act) {
            let alike = self.grave.entry(record.act).or_default();
            *alike += 1;
            return *alike <= MOST_A_MINUTE_OF_GRAVE;
        }
        let process = record.program.as_ref().and_then(|program| program.process);
        let of_process = self.of_process.entry(process).or_default();
        if self.everyday >= MOST_A_MINUTE || *of_process >= MOST_A_MINUTE_OF_PROCESS {
            return false;
        }
        *of_process += 1;
        self.everyday += 1;
        true
    }
}

/// What is done seldom, and changes who may do what, or takes everything along at once.
fn is_grave(act: AuditAct) -> bool {
    match act {
        AuditAct::SignedIn
        | AuditAct::ConsentGiven
        | AuditAct::ConsentRefused
        | AuditAct::GrantRevoked
        | AuditAct::CacheExported
        | AuditAct::CacheImported
        | AuditAct::SecretChanged
        | AuditAct::Locked
        | AuditAct::Unlocked
        | AuditAct::KeysRotated => true,
        AuditAct::TokenGiven
        | AuditAct::ProofSigned
        | AuditAct::SignedOut
        | AuditAct::Denied
        | AuditAct::Lost => false,
    }
}

fn tell_lost(count: u64, now: UnixTime) -> AuditRecord {
    AuditRecord { count: Some(count), ..AuditRecord::new(now.seconds(), AuditAct::Lost) }
}

fn work(orders: &Receiver<Order>, folder: PathBuf) {
    let mut files = Files::new(folder);
    let mut is_told = false;
    while let Ok(order) = orders.recv() {
        match order {
            Order::Write(user, record) => match files.append(&user, &record) {
                Ok(()) => is_told = false,
                // Once, and again after it has worked meanwhile.
                Err(_) if is_told => {}
                Err(error) => {
                    is_told = true;
                    tracing::warn!(%error, "who got what cannot be recorded");
                }
            },
            Order::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

/// Of one user, of what happens every day. Files hold the better part of an hour of this and of all that is grave.
const MOST_A_MINUTE: u32 = 240;
/// Of one user, of each act that is grave: doing one of them over and over pushes out no other.
const MOST_A_MINUTE_OF_GRAVE: u32 = 30;
/// Of one process, of what happens every day.
const MOST_A_MINUTE_OF_PROCESS: u32 = 120;

const MOST_WAITING: usize = 1024;
