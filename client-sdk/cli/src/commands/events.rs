//! `valetkey events`: a line for each event, until Ctrl-C or the end of the daemon; a lock is an event.
//! Without Ctrl-C there is always more to come, so that the daemon's end is a failure.

use serde_json::Value;
use valetkey_client::blocking::Client;
use valetkey_client::v1::Event;
use valetkey_client::{Error, ProtocolError};

use crate::accounts::Names;
use crate::console::Console;
use crate::failure::{Failure, NO_DAEMON};
use crate::text::{clean, escape_json};
use crate::time::timestamp;

pub(super) fn run(client: &Client, console: &Console) -> Result<(), Failure> {
    let events = client.events()?;
    let mut names = Names::default();
    for event in events {
        let event = match event {
            // Killed, it has no time to end the stream.
            Err(Error::Io(_) | Error::Protocol(ProtocolError::BrokeOff)) => break,
            event => event?,
        };
        let line = match console.is_json() {
            true => escape_json(&serde_json::to_string(&event).unwrap_or_default()),
            false => {
                // Somebody new, perhaps.
                if event.home_account_id.as_ref().is_some_and(|id| !names.knows_account(id)) {
                    names = Names::of(client);
                }
                describe(&event, &names)
            }
        };
        console.print(&(line + "\n"))?;
    }
    let what = "the daemon has ended".to_owned();
    Err(Failure::own("no_daemon", NO_DAEMON, what, "run it again for what happens from then on"))
}

fn describe(event: &Event, names: &Names) -> String {
    let kind = match serde_json::to_value(event.event) {
        Ok(Value::String(kind)) => kind.replace('_', " "),
        _ => String::new(),
    };
    let details = [
        ("app", event.client_id.as_deref().map(|id| names.app(id))),
        ("account", event.home_account_id.as_deref().map(|id| names.account(id))),
        ("scope", event.scope.as_deref()),
    ];
    let details = details.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let details: String =
        details.map(|(name, value)| format!("  {name}={}", clean(value))).collect();
    format!("{}  {kind}{details}", timestamp(event.at))
}
