//! `valetkey lock` and `valetkey unlock`: for a store with a passphrase.

use std::io::{self, IsTerminal};

use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::{ErrorCode, UnlockRequest};

use crate::console::Console;
use crate::failure::{FAILED, Failure};

pub(super) fn lock(client: &Client, console: &Console) -> Result<(), Failure> {
    client.lock().map_err(|error| match error.is(ErrorCode::BadRequest) {
        true => Failure::from(error).advise(ONLY_A_PASSPHRASE.to_owned()),
        false => error.into(),
    })?;
    confirm(console, true)
}

pub(super) fn unlock(client: &Client, console: &Console) -> Result<(), Failure> {
    let passphrase = read_passphrase()?;
    client.unlock(&UnlockRequest { passphrase })?;
    confirm(console, false)
}

fn confirm(console: &Console, locked: bool) -> Result<(), Failure> {
    match console.is_json() {
        true => console.print_json(&json!({ "locked": locked })),
        false => console.print(if locked { "Locked.\n" } else { "Unlocked.\n" }),
    }
}

/// Typed unseen, or the first line of what comes through a pipe. Never an argument: other users see those.
pub(super) fn read_passphrase() -> Result<String, Failure> {
    type_or_read().map_err(|error| {
        Failure::own("no_passphrase", FAILED, format!("read the passphrase: {error}"), "")
    })
}

fn type_or_read() -> io::Result<String> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("Passphrase: ");
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let passphrase = line.strip_suffix('\n').unwrap_or(&line);
    Ok(passphrase.strip_suffix('\r').unwrap_or(passphrase).to_owned())
}

const ONLY_A_PASSPHRASE: &str = "to be able to, begin a new store with `key = \"passphrase\"` under `[vault]` in the configuration";
