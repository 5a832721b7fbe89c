//! Locks with the person's session: `[vault] lock_on`.

use std::pin::pin;
use std::time::Duration;

use valetkey_engine::ports::Clock;
use valetkey_model::Partition;

use super::{AutoLock, Cause, Watch, Whose};
use crate::config::LockOn;
use crate::logind::{Logind, Notice};

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
                follow(logind, on, auto, clock).await;
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

async fn follow(mut logind: Logind, on: &[LockOn], auto: &AutoLock, clock: &dyn Clock) {
    let several = auto.0.broker.serves_several();
    let of_user = |user| match several {
        true => Whose::Users(Partition::of_uid(user)),
        false => Whose::Everybodys,
    };
    let mut owed = Vec::new();
    while let Some(notice) = next(&mut logind, &mut owed, auto, clock).await {
        let lock = match &notice {
            Notice::ScreenLocked(user) if on.contains(&LockOn::Screen) => {
                (Cause::Screen, of_user(*user))
            }
            Notice::AboutToSleep(_) if on.contains(&LockOn::Sleep) => {
                (Cause::Sleep, Whose::Everybodys)
            }
            Notice::ScreenUnlocked(user) => {
                let own = of_user(*user);
                owed.retain(|(_, whose)| *whose != own && *whose != Whose::Everybodys);
                auto.unlock(&Partition::of_uid(*user)).await;
                continue;
            }
            Notice::ScreenLocked(_) | Notice::AboutToSleep(_) | Notice::Awake => continue,
        };
        if !auto.lock(lock.0, &lock.1).await && !owed.contains(&lock) {
            owed.push(lock);
        }
    }
}

/// A lock that could not be done: the disk takes nothing, and what a provider issued must be saved first.
type Owed = (Cause, Whose);

/// The next notice. Until it comes, what is owed is tried again.
async fn next(
    logind: &mut Logind,
    owed: &mut Vec<Owed>,
    auto: &AutoLock,
    clock: &dyn Clock,
) -> Option<Notice> {
    let mut notice = pin!(logind.next());
    while !owed.is_empty() {
        tokio::select! {
            notice = &mut notice => return notice,
            () = clock.sleep(TRY_AGAIN) => {}
        }
        for (cause, whose) in std::mem::take(owed) {
            if !auto.lock(cause, &whose).await {
                owed.push((cause, whose));
            }
        }
    }
    notice.await
}

/// How long to leave a disk alone that takes nothing.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// How long to leave a bus alone that is not there.
const PAUSE: Duration = Duration::from_secs(30);
