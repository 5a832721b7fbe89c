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
        let Some(lost) = pace.admit(now) else { return };
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

/// So that nobody can push out what is recorded by doing much.
#[derive(Default)]
struct Pace {
    minute: i64,
    in_this_minute: u32,
    lost: u64,
}

impl Pace {
    /// Whether one more may be written; if so, how many could not since the last one.
    fn admit(&mut self, now: UnixTime) -> Option<u64> {
        let minute = now.seconds() / 60;
        if self.minute != minute {
            (self.minute, self.in_this_minute) = (minute, 0);
        }
        if self.in_this_minute >= MOST_A_MINUTE {
            self.lost += 1;
            return None;
        }
        self.in_this_minute += 1;
        Some(std::mem::take(&mut self.lost))
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

/// Of one user. Files hold more than two hours of this.
const MOST_A_MINUTE: u32 = 240;

const MOST_WAITING: usize = 1024;
