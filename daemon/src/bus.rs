//! Whoever serves a name on a bus, and their signals alone.
//!
//! A match rule says what the bus passes on of signals to everybody. One that is sent straight to a connection comes without
//! being asked for, from whoever likes, of whatever name and path; on the system's bus that is any user of the machine. So the
//! owner of the name is looked up once, by the unique name that the bus gave them and gives nobody else, and they alone are
//! called and heard. That they have gone is believed of the bus itself alone.

use std::time::Duration;

use futures_util::StreamExt as _;
use zbus::connection::Builder;
use zbus::fdo::DBusProxy;
use zbus::message::Type;
use zbus::names::{OwnedUniqueName, UniqueName, WellKnownName};
use zbus::zvariant::DynamicType;
use zbus::{Connection, MatchRule, Message, MessageStream};

/// Who serves a name, for as long as they do.
pub struct Service {
    connection: Connection,
    owner: OwnedUniqueName,
    /// From the bus, of this name.
    owners: MessageStream,
    signals: MessageStream,
}

impl Service {
    /// Who serves this name now, started if need be, to be heard from on; what they tell below `path` is heard.
    ///
    /// # Errors
    /// When there is no such bus, nobody who serves the name, or no answer in time.
    pub async fn find(
        bus: Builder<'_>,
        name: &'static str,
        path: &'static str,
    ) -> zbus::Result<Self> {
        let in_time = tokio::time::timeout(PATIENCE, Self::look_up(bus, name, path));
        in_time.await.unwrap_or(Err(zbus::fdo::Error::TimedOut(name.to_owned()).into()))
    }

    async fn look_up(
        bus: Builder<'_>,
        name: &'static str,
        path: &'static str,
    ) -> zbus::Result<Self> {
        let connection = bus.method_timeout(PATIENCE).build().await?;
        let name = WellKnownName::try_from(name)?;
        let driver = UniqueName::try_from("org.freedesktop.DBus")?;
        // Before it is looked up, so that no change is missed.
        let rule = MatchRule::builder().msg_type(Type::Signal).sender(driver)?;
        let rule = rule.member("NameOwnerChanged")?.arg(0, name.as_str())?.build();
        let owners = MessageStream::for_match_rule(rule, &connection, None).await?;
        let bus = DBusProxy::new(&connection).await?;
        // What cannot be started may be there already.
        let _ = bus.start_service_by_name(name.clone(), 0).await;
        let owner = bus.get_name_owner(name.into()).await?;
        let rule = MatchRule::builder().msg_type(Type::Signal).sender(owner.clone())?;
        // One stream for all, since their order counts.
        let rule = rule.path_namespace(path)?.build();
        let signals = MessageStream::for_match_rule(rule, &connection, None).await?;
        Ok(Self { connection, owner, owners, signals })
    }

    /// Calls them.
    ///
    /// # Errors
    /// When they refuse, are gone, or do not answer in time.
    pub async fn call<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<Message>
    where
        B: serde::Serialize + DynamicType,
    {
        let owner = self.owner.as_ref();
        self.connection.call_method(Some(owner), path, Some(interface), method, body).await
    }

    /// Their next signal; `None` when they serve the name no more, or the bus is gone.
    pub async fn next(&mut self) -> Option<Message> {
        loop {
            tokio::select! {
                biased;
                signal = self.signals.next() => return signal?.ok(),
                change = self.owners.next() => {
                    let change = change?.ok()?;
                    let body = change.body();
                    let (_, _, owner): (&str, &str, &str) = body.deserialize().ok()?;
                    if owner != self.owner.as_str() {
                        return None;
                    }
                }
            }
        }
    }
}

/// How long whoever serves a name may take for an answer: they answer at once, unless they want to be waited for.
const PATIENCE: Duration = Duration::from_secs(5);
