//! `valetkey lock` and `valetkey unlock`: for a store with a passphrase.

use std::io::{self, IsTerminal};

use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::{ErrorCode, UnlockRequest};

use crate::console::Console;
use crate::failure::{FAILED, Failure};

pub(super) fn lock(client: &Client, everybody: bool, console: &Console) -> Result<(), Failure> {
    let locked = if everybody { client.lock_everybody() } else { client.lock() };
    locked.map_err(|error| match error.is(ErrorCode::BadRequest) {
        true => Failure::from(error).advise(ONLY_A_PASSPHRASE.to_owned()),
        false => error.into(),
    })?;
    confirm(console, true)
}

pub(super) fn unlock(client: &Client, console: &Console) -> Result<(), Failure> {
    let passphrase = match io::stdin().is_terminal().then(|| client.status()).transpose()? {
        // What a user locked among several is opened by that it is the user who asks.
        Some(status) if !status.locked && status.service.is_some_and(|it| it.locked_by_you) => {
            String::new()
        }
        Some(status) if status.key.to_be_chosen => choose_passphrase()?,
        _ => read_passphrase()?,
    };
    client.unlock(&UnlockRequest { passphrase })?;
    confirm(console, false)
}

fn confirm(console: &Console, locked: bool) -> Result<(), Failure> {
    match console.is_json() {
        true => console.print_json(&json!({ "locked": locked })),
        false => console.print(if locked { "Locked.\n" } else { "Unlocked.\n" }),
    }
}

/// Typed twice: what was mistyped once would keep its owner out for good.
fn choose_passphrase() -> Result<String, Failure> {
    let type_twice = || {
        let chosen = rpassword::prompt_password("Choose a passphrase for the new store: ")?;
        Ok((rpassword::prompt_password("Once more: ")? == chosen).then_some(chosen))
    };
    let chosen = type_twice().map_err(unread)?;
    chosen.ok_or_else(|| {
        let text = "the two are not the same; the store is as it was".to_owned();
        Failure::own("no_passphrase", FAILED, text, "run `valetkey unlock` again")
    })
}

/// Typed unseen, or the first line of what comes through a pipe. Never an argument: other users see those.
pub(super) fn read_passphrase() -> Result<String, Failure> {
    type_or_read().map_err(unread)
}

fn unread(error: io::Error) -> Failure {
    Failure::own("no_passphrase", FAILED, format!("read the passphrase: {error}"), "")
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

const ONLY_A_PASSPHRASE: &str = "to be able to, end valetkeyd, move away the store's folder that `valetkey status` names, and begin a \
    new one with `key = \"passphrase\"` under `[vault]` in the configuration";
