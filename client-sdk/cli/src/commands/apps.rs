//! `valetkey apps`: the applications that are open or configured, and the secrets that the configuration refers to.

use std::io::{self, IsTerminal, Read};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::{PutSecretRequest, SecretText};

use crate::args::{AppsArgs, AppsCommand};
use crate::console::Console;
use crate::failure::{FAILED, Failure};
use crate::table::Column::{Path, Whole};
use crate::table::Table;
use crate::text::clean;

pub(super) fn run(client: &Client, arguments: &AppsArgs, console: &Console) -> Result<(), Failure> {
    match &arguments.command {
        None => list(client, console),
        Some(AppsCommand::Secret { name, remove: false }) => set_secret(client, name, console),
        Some(AppsCommand::Secret { name, remove: true }) => {
            client.delete_secret(name)?;
            confirm(console, name, false)
        }
    }
}

fn list(client: &Client, console: &Console) -> Result<(), Failure> {
    let apps = client.apps()?;
    if console.is_json() {
        return console.print_json(&json!({ "apps": apps }));
    }
    if apps.is_empty() {
        let path = client.status()?.configuration;
        let path = path.path.or(path.expected_at).unwrap_or_else(|| "the configuration".to_owned());
        console.tell(&format!(
            "No application is open, and none is configured.\n\
             To declare one, write `[apps.NAME]` with its `client_id` and `authority` into {}\n",
            clean(&path)
        ));
        return Ok(());
    }
    let mut table = Table::new([Whole("NAME"), Whole("CLIENT ID"), Path("AUTHORITY")]);
    for app in &apps {
        table.add([app.name.as_deref().unwrap_or("-"), &app.client_id, &app.authority]);
    }
    console.print(&table.render(console))
}

fn set_secret(client: &Client, name: &str, console: &Console) -> Result<(), Failure> {
    let secret = read_secret().map_err(|error| {
        Failure::own("no_secret", FAILED, format!("read the secret: {error}"), "")
    })?;
    let request = match String::from_utf8(secret) {
        Ok(text) => PutSecretRequest { secret: Some(SecretText(text)), base64: None },
        Err(other) => {
            let base64 = Some(SecretText(STANDARD.encode(other.as_bytes())));
            PutSecretRequest { secret: None, base64 }
        }
    };
    client.put_secret(name, &request)?;
    confirm(console, name, true)
}

fn confirm(console: &Console, name: &str, is_kept: bool) -> Result<(), Failure> {
    match (console.is_json(), is_kept) {
        (true, _) => console.print_json(&json!({ "secret": name, "kept": is_kept })),
        (false, true) => console.print("Kept.\n"),
        (false, false) => console.print("Forgotten.\n"),
    }
}

/// Typed unseen, or all that comes through a pipe: a key has many lines. Never an argument: other users see those.
fn read_secret() -> io::Result<Vec<u8>> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("Secret: ").map(String::into_bytes);
    }
    let mut secret = Vec::new();
    io::stdin().read_to_end(&mut secret)?;
    Ok(secret)
}
