//! Locks with the person's session: `[vault] lock_on`.

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
                follow(logind, on, auto).await;
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

async fn follow(mut logind: Logind, on: &[LockOn], auto: &AutoLock) {
    let several = auto.0.broker.serves_several();
    let of_user = |user| match several {
        true => Whose::Users(Partition::of_uid(user)),
        false => Whose::Everybodys,
    };
    let for_sleep = || auto.lock(Cause::Sleep, &Whose::Everybodys);
    let mut has_slept_unlocked = false;
    while let Some(notice) = logind.next().await {
        match notice {
            Notice::ScreenLocked(user) if on.contains(&LockOn::Screen) => {
                auto.lock(Cause::Screen, &of_user(user)).await;
            }
            Notice::ScreenUnlocked(user) => auto.unlock(&Partition::of_uid(user)).await,
            Notice::AboutToSleep(delay) if on.contains(&LockOn::Sleep) => {
                has_slept_unlocked = !for_sleep().await;
                drop(delay);
            }
            Notice::Awake if has_slept_unlocked => {
                has_slept_unlocked = !for_sleep().await;
            }
            Notice::ScreenLocked(_) | Notice::AboutToSleep(_) | Notice::Awake => {}
        }
    }
}

/// How long to leave a bus alone that is not there.
const PAUSE: Duration = Duration::from_secs(30);
