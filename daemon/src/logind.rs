//! What systemd-logind tells: that a session's screen was locked or unlocked, and that the machine is about to sleep.
//!
//! Sessions of other users are of no concern. Sleep is put off by a delay inhibitor until the keys are dropped; logind waits
//! for it for five seconds, unless it is configured otherwise.

use std::collections::HashMap;

use futures_util::StreamExt;
use futures_util::stream::{BoxStream, select_all};
use zbus::message::Type;
use zbus::zvariant::{OwnedFd, OwnedObjectPath, OwnedValue, Value};
use zbus::{Connection, MatchRule, Message, MessageStream};

/// What happened.
#[derive(Debug)]
pub enum Notice {
    /// The screen of a session of this user was locked.
    ScreenLocked,
    /// It was unlocked.
    ScreenUnlocked,
    /// The machine will sleep as soon as this is dropped.
    AboutToSleep(Delay),
    /// It has slept.
    Awake,
}

/// Puts off sleep until it is dropped. None where logind did not give one.
#[derive(Debug)]
pub struct Delay(#[expect(dead_code, reason = "held, never looked at")] Option<OwnedFd>);

/// What logind tells, from now on.
pub struct Logind {
    connection: Connection,
    signals: BoxStream<'static, zbus::Result<Message>>,
    delay: Option<OwnedFd>,
    user: u32,
}

impl Logind {
    /// Listens to logind on the system's bus, for sessions of this user.
    ///
    /// # Errors
    /// When there is no bus, or no logind on it.
    pub async fn listen(user: u32) -> zbus::Result<Self> {
        let connection = Connection::system().await?;
        let mut signals = Vec::new();
        for (interface, member) in [
            (MANAGER, "PrepareForSleep"),
            (SESSION, "Lock"),
            (SESSION, "Unlock"),
            (PROPERTIES, "PropertiesChanged"),
        ] {
            let rule = MatchRule::builder()
                .msg_type(Type::Signal)
                .sender(SERVICE)?
                .interface(interface)?
                .member(member)?;
            let rule = if interface == PROPERTIES { rule.arg(0, SESSION)? } else { rule };
            let stream = MessageStream::for_match_rule(rule.build(), &connection, None).await?;
            signals.push(stream.boxed());
        }
        let mut logind =
            Self { connection, signals: select_all(signals).boxed(), delay: None, user };
        logind.delay_sleep().await?;
        Ok(logind)
    }

    /// The next notice; `None` when the bus is gone.
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            let message = self.signals.next().await?.ok()?;
            match self.read(&message).await {
                Ok(Some(notice)) => return Some(notice),
                Ok(None) => {}
                Err(error) => tracing::debug!(%error, "logind told something odd"),
            }
        }
    }

    async fn read(&mut self, message: &Message) -> zbus::Result<Option<Notice>> {
        let header = message.header();
        let member = header.member().map(|member| member.as_str()).unwrap_or_default();
        if member == "PrepareForSleep" {
            let (starts,): (bool,) = message.body().deserialize()?;
            if starts {
                return Ok(Some(Notice::AboutToSleep(Delay(self.delay.take()))));
            }
            self.delay_sleep().await?;
            return Ok(Some(Notice::Awake));
        }
        let notice = match member {
            "Lock" => Some(Notice::ScreenLocked),
            "Unlock" => Some(Notice::ScreenUnlocked),
            _ => read_hint(message)?,
        };
        let Some(path) = header.path().filter(|_| notice.is_some()) else { return Ok(None) };
        let is_ours = user_of(&self.connection, path.as_str()).await? == self.user;
        Ok(notice.filter(|_| is_ours))
    }

    async fn delay_sleep(&mut self) -> zbus::Result<()> {
        let what = ("sleep", "valetkey", "drops its keys before the machine sleeps", "delay");
        let answer = self
            .connection
            .call_method(Some(SERVICE), "/org/freedesktop/login1", Some(MANAGER), "Inhibit", &what)
            .await?;
        self.delay = Some(answer.body().deserialize()?);
        Ok(())
    }
}

/// Whose session it is.
async fn user_of(connection: &Connection, session: &str) -> zbus::Result<u32> {
    let property = (SESSION, "User");
    let answer =
        connection.call_method(Some(SERVICE), session, Some(PROPERTIES), "Get", &property).await?;
    let value: OwnedValue = answer.body().deserialize()?;
    let (user, _): (u32, OwnedObjectPath) = value.try_into()?;
    Ok(user)
}

/// Screen lockers set this hint; not all of them are asked to lock by a signal of logind's.
fn read_hint(message: &Message) -> zbus::Result<Option<Notice>> {
    let body = message.body();
    let (_, changed, _): (&str, HashMap<&str, Value<'_>>, Vec<&str>) = body.deserialize()?;
    Ok(match changed.get("LockedHint") {
        Some(Value::Bool(true)) => Some(Notice::ScreenLocked),
        Some(Value::Bool(false)) => Some(Notice::ScreenUnlocked),
        _ => None,
    })
}

const SERVICE: &str = "org.freedesktop.login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
