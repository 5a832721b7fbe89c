//! Locks with the person's session: `[vault] lock_on`.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::{BoxStream, Fuse, FuturesUnordered, unfold};
use valetkey_engine::ports::Clock;
use valetkey_model::Partition;

use super::{AutoLock, Cause, Watch, Whose};
use crate::config::LockOn;
use crate::logind::{Delay, Logind, Notice};

/// Locks on these occasions, for as long as it is polled.
pub async fn watch(on: &[LockOn], auto: &AutoLock, watch: &Watch, clock: &dyn Clock) {
    let several = auto.0.broker.serves_several();
    let user = (!several).then(|| rustix::process::geteuid().as_raw());
    watch.set(Some("logind has not answered yet".to_owned()));
    loop {
        match Logind::listen(user).await {
            Ok(logind) => {
                watch.set(None);
                tracing::info!("listening to logind");
                let notices =
                    unfold(logind, async |mut logind| Some((logind.next().await?, logind)));
                Session::new(on, several, notices.boxed(), auto, clock).follow().await;
                // It may just be starting anew.
                watch.set(Some("logind is gone".to_owned()));
            }
            Err(error) => {
                tracing::warn!(%error, "logind cannot be listened to");
                watch.set(Some(format!("logind cannot be listened to: {error}")));
                clock.sleep(PAUSE).await;
            }
        }
    }
}

/// What is done about what is told.
trait Locks: Sync {
    /// False when it could not be.
    fn lock(&self, cause: Cause, whose: &Whose) -> impl Future<Output = bool> + Send;
    fn unlock(&self, user: &Partition) -> impl Future<Output = ()> + Send;
}

impl Locks for AutoLock {
    async fn lock(&self, cause: Cause, whose: &Whose) -> bool {
        self.lock(cause, whose).await
    }

    async fn unlock(&self, user: &Partition) {
        self.unlock(user).await;
    }
}

/// A lock that is to be done. One that could not be is owed: the disk takes nothing, and what a provider issued must be saved
/// first. The machine stays awake for it for as long as logind lets it.
struct Lock {
    cause: Cause,
    whose: Whose,
    delay: Option<Delay>,
}

struct Session<'a, L> {
    on: &'a [LockOn],
    several: bool,
    notices: Fuse<BoxStream<'a, Notice>>,
    /// Notices that came while a lock took its time, and wait for their turn.
    heard: VecDeque<Notice>,
    owed: Vec<Lock>,
    locks: &'a L,
    clock: &'a dyn Clock,
}

impl<'a, L: Locks> Session<'a, L> {
    fn new(
        on: &'a [LockOn],
        several: bool,
        notices: BoxStream<'a, Notice>,
        locks: &'a L,
        clock: &'a dyn Clock,
    ) -> Self {
        let notices = notices.fuse();
        Self { on, several, notices, heard: VecDeque::new(), owed: Vec::new(), locks, clock }
    }

    async fn follow(mut self) {
        while let Some(notice) = self.next().await {
            match notice {
                Notice::ScreenLocked(user) if self.on.contains(&LockOn::Screen) => {
                    let whose = self.of_user(user);
                    self.lock(Lock { cause: Cause::Screen, whose, delay: None }).await;
                }
                Notice::AboutToSleep(delay) if self.on.contains(&LockOn::Sleep) => {
                    let whose = Whose::Everybodys;
                    self.lock(Lock { cause: Cause::Sleep, whose, delay: Some(delay) }).await;
                }
                Notice::ScreenUnlocked(user) => {
                    let own = self.of_user(user);
                    self.owed.retain(|it| it.whose != own && it.whose != Whose::Everybodys);
                    self.locks.unlock(&Partition::of_uid(user)).await;
                }
                Notice::Awake => self.owed.iter_mut().for_each(|owed| owed.delay = None),
                Notice::ScreenLocked(_) | Notice::AboutToSleep(_) => {}
            }
        }
    }

    fn of_user(&self, user: u32) -> Whose {
        match self.several {
            true => Whose::Users(Partition::of_uid(user)),
            false => Whose::Everybodys,
        }
    }

    /// The next notice. Until it comes, what is owed is tried again.
    async fn next(&mut self) -> Option<Notice> {
        while self.heard.is_empty() && !self.owed.is_empty() {
            let is_urgent = self.owed.iter().any(|owed| owed.delay.is_some());
            let pause = if is_urgent { TRY_SOON } else { TRY_AGAIN };
            tokio::select! {
                notice = self.notices.next() => return notice,
                () = self.clock.sleep(pause) => {}
            }
            for owed in std::mem::take(&mut self.owed) {
                self.lock(owed).await;
            }
        }
        match self.heard.pop_front() {
            Some(notice) => Some(notice),
            None => self.notices.next().await,
        }
    }

    async fn lock(&mut self, lock: Lock) {
        if !self.lock_and_listen(lock.cause, &lock.whose).await {
            self.owed.retain(|it| (it.cause, &it.whose) != (lock.cause, &lock.whose));
            self.owed.push(lock);
        }
    }

    /// What is told meanwhile waits for its turn, but for a machine that is about to sleep: that does not wait for as long as
    /// another lock may take. Its own lock hurries the one that is under way.
    async fn lock_and_listen(&mut self, cause: Cause, whose: &Whose) -> bool {
        let mut under_way = FuturesUnordered::from_iter([self.locks.lock(cause, whose)]);
        let mut are_done = true;
        loop {
            tokio::select! {
                biased;
                is_done = under_way.next() => match is_done {
                    Some(is_done) => are_done &= is_done,
                    None => return are_done,
                },
                Some(notice) = self.notices.next() => {
                    let is_sleep = matches!(notice, Notice::AboutToSleep(_));
                    if is_sleep && self.on.contains(&LockOn::Sleep) {
                        under_way.push(self.locks.lock(Cause::Sleep, &Whose::Everybodys));
                    }
                    self.heard.push_back(notice);
                }
            }
        }
    }
}

/// How long to leave a disk alone that takes nothing.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The same while the machine is kept awake for it.
const TRY_SOON: Duration = Duration::from_secs(1);

/// How long to leave a bus alone that is not there.
const PAUSE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests;
