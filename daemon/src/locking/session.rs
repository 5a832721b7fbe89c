//! Locks with the person's session: `[vault] lock_on`.

use std::time::Duration;

use valetkey_engine::ports::Clock;

use super::{AutoLock, Cause, Watch};
use crate::config::LockOn;
use crate::logind::{Logind, Notice};

/// Locks on these occasions, for as long as it is polled.
pub async fn watch(on: &[LockOn], auto: &AutoLock, watch: &Watch, clock: &dyn Clock) {
    let user = rustix::process::geteuid().as_raw();
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
    let mut has_slept_unlocked = false;
    while let Some(notice) = logind.next().await {
        match notice {
            Notice::ScreenLocked if on.contains(&LockOn::Screen) => {
                auto.lock(Cause::Screen).await;
            }
            Notice::ScreenUnlocked => auto.unlock().await,
            Notice::AboutToSleep(delay) if on.contains(&LockOn::Sleep) => {
                has_slept_unlocked = !auto.lock(Cause::Sleep).await;
                drop(delay);
            }
            Notice::Awake if has_slept_unlocked => {
                has_slept_unlocked = !auto.lock(Cause::Sleep).await;
            }
            Notice::ScreenLocked | Notice::AboutToSleep(_) | Notice::Awake => {}
        }
    }
}

/// How long to leave a bus alone that is not there.
const PAUSE: Duration = Duration::from_secs(30);
