//! What systemd-logind tells: that a session's screen was locked or unlocked, and that the machine is about to sleep.
//!
//! Sessions of other users are of no concern to a user's own daemon. Sleep is put off by a delay inhibitor until the keys are
//! dropped; logind waits for it for five seconds, unless it is configured otherwise.

use std::collections::HashMap;

use zbus::Message;
use zbus::connection::Builder;
use zbus::zvariant::{OwnedFd, OwnedObjectPath, OwnedValue, Value};

use crate::bus::Service;

/// What happened.
#[derive(Debug)]
pub enum Notice {
    /// The screen of a session of this user was locked.
    ScreenLocked(u32),
    /// It was unlocked.
    ScreenUnlocked(u32),
    /// The machine will sleep as soon as this is dropped.
    AboutToSleep(Delay),
    /// It has slept.
    Awake,
}

/// Puts off sleep until it is dropped. None where logind did not give one.
#[derive(Debug)]
pub struct Delay(#[expect(dead_code, reason = "held, never looked at")] Option<OwnedFd>);

#[cfg(test)]
impl Delay {
    /// One that a test can see the end of.
    pub fn of(inhibitor: std::os::fd::OwnedFd) -> Self {
        Self(Some(inhibitor.into()))
    }
}

/// What logind tells, from now on.
pub struct Logind {
    service: Service,
    delay: Option<OwnedFd>,
    user: Option<u32>,
}

impl Logind {
    /// Listens to logind on the system's bus, for sessions of this user, or of everybody.
    ///
    /// # Errors
    /// When there is no bus, or no logind on it.
    pub async fn listen(user: Option<u32>) -> zbus::Result<Self> {
        let service = Service::find(Builder::system()?, SERVICE, ROOT).await?;
        let mut logind = Self { service, delay: None, user };
        logind.delay_sleep().await?;
        Ok(logind)
    }

    /// The next notice; `None` when logind is gone.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            let message = self.service.next().await?;
            match self.read(&message).await {
                Ok(Some(notice)) => return Some(notice),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "logind told something odd"),
            }
        }
    }

    async fn read(&mut self, message: &Message) -> zbus::Result<Option<Notice>> {
        let header = message.header();
        let name = |part: Option<&str>| part.unwrap_or_default().to_owned();
        let interface = name(header.interface().map(|name| name.as_str()));
        let member = name(header.member().map(|name| name.as_str()));
        let locks = match (interface.as_str(), member.as_str()) {
            (MANAGER, "PrepareForSleep") => return self.read_sleep(message).await.map(Some),
            (SESSION, "Lock") => Some(true),
            (SESSION, "Unlock") => Some(false),
            (PROPERTIES, "PropertiesChanged") => read_hint(message)?,
            _ => None,
        };
        let (Some(path), Some(locks)) = (header.path(), locks) else { return Ok(None) };
        let (user, _): (u32, OwnedObjectPath) = self.property(path, "User").await?.try_into()?;
        if self.user.is_some_and(|ours| ours != user) {
            return Ok(None);
        }
        // The signal asks a locker to unlock, which is not done yet, and may not be. One that keeps the hint tells when it
        // is, by the hint; of any other this signal is all that there is.
        let is_wish = member == "Unlock" && bool::try_from(self.property(path, HINT).await?)?;
        let notice = if locks { Notice::ScreenLocked(user) } else { Notice::ScreenUnlocked(user) };
        Ok(Some(notice).filter(|_| !is_wish))
    }

    async fn read_sleep(&mut self, message: &Message) -> zbus::Result<Notice> {
        let (starts,): (bool,) = message.body().deserialize()?;
        if starts {
            return Ok(Notice::AboutToSleep(Delay(self.delay.take())));
        }
        self.delay_sleep().await?;
        Ok(Notice::Awake)
    }

    async fn delay_sleep(&mut self) -> zbus::Result<()> {
        let what = ("sleep", "valetkey", "drops its keys before the machine sleeps", "delay");
        let answer = self.service.call(ROOT, MANAGER, "Inhibit", &what).await?;
        self.delay = Some(answer.body().deserialize()?);
        Ok(())
    }

    async fn property(&self, session: &str, name: &str) -> zbus::Result<OwnedValue> {
        let answer = self.service.call(session, PROPERTIES, "Get", &(SESSION, name)).await?;
        answer.body().deserialize()
    }
}

/// Screen lockers set this hint; not all of them are asked to lock by a signal of logind's.
fn read_hint(message: &Message) -> zbus::Result<Option<bool>> {
    let body = message.body();
    let (of, changed, _): (&str, HashMap<&str, Value<'_>>, Vec<&str>) = body.deserialize()?;
    Ok(match changed.get(HINT).filter(|_| of == SESSION) {
        Some(Value::Bool(locked)) => Some(*locked),
        _ => None,
    })
}

const SERVICE: &str = "org.freedesktop.login1";
const ROOT: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const HINT: &str = "LockedHint";
