//! `valetkey lock` and `valetkey unlock`.

use std::io::{self, IsTerminal};
use std::thread;
use std::time::Duration;

use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::{ErrorCode, Status, UnlockRequest};

use crate::console::Console;
use crate::failure::{FAILED, Failure};
use crate::spinner::Spinner;

pub(super) fn lock(client: &Client, everybody: bool, console: &Console) -> Result<(), Failure> {
    if everybody { client.lock_everybody() } else { client.lock() }?;
    confirm(console, true)
}

pub(super) fn unlock(client: &Client, console: &Console) -> Result<(), Failure> {
    let passphrase = match io::stdin().is_terminal().then(|| client.status()).transpose()? {
        // What a user locked among several is opened by that it is the user who asks.
        Some(status) if !status.locked && status.service.is_some_and(|it| it.locked_by_you) => {
            String::new()
        }
        // So is a store that has no passphrase.
        Some(status) if status.key.provider != "passphrase" => String::new(),
        Some(status) if status.key.to_be_chosen => {
            choose_passphrase("Choose a passphrase for the new store: ")?
        }
        _ => read_passphrase("Passphrase: ")?,
    };
    if passphrase.is_empty() && waits_for_a_passphrase(&client.status()?) {
        let text = "the store waits for its passphrase, and none was given".to_owned();
        return Err(Failure::own(
            "no_passphrase",
            FAILED,
            text,
            "type it, or hand it in by a pipe",
        ));
    }
    hand_in(client, &UnlockRequest { passphrase }, console)?;
    confirm(console, false)
}

fn waits_for_a_passphrase(Status { locked, key, service, .. }: &Status) -> bool {
    let is_ones_own = service.as_ref().is_some_and(|service| service.locked_by_you);
    *locked && key.provider == "passphrase" && !is_ones_own
}

/// A wrong passphrase, whoever said it, costs the next one a pause, which the right one sits out here.
fn hand_in(client: &Client, request: &UnlockRequest, console: &Console) -> Result<(), Failure> {
    let mut patience = LONGEST_WAIT;
    loop {
        let error = match client.unlock(request) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let pause = error.retry_after().filter(|_| error.is(ErrorCode::TooManyRequests));
        let pause = pause.map(|pause| pause.max(Duration::from_secs(1)));
        let Some(pause) = pause.filter(|pause| *pause <= patience) else {
            return Err(error.into());
        };
        patience -= pause;
        wait(pause, console);
    }
}

fn wait(pause: Duration, console: &Console) {
    if !console.is_json() {
        let seconds = pause.as_secs();
        console.tell(&format!(
            "A wrong passphrase was tried before; this one is handed in after {seconds} s.\n"
        ));
    }
    let _spinner = Spinner::start(console, "waiting");
    thread::sleep(pause);
}

/// In all: a person who waits for longer wants to know why.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

fn confirm(console: &Console, locked: bool) -> Result<(), Failure> {
    match console.is_json() {
        true => console.print_json(&json!({ "locked": locked })),
        false => console.print(if locked { "Locked.\n" } else { "Unlocked.\n" }),
    }
}

/// Typed twice: what was mistyped once would keep its owner out for good.
pub(super) fn choose_passphrase(prompt: &str) -> Result<String, Failure> {
    let type_twice = || {
        let chosen = rpassword::prompt_password(prompt)?;
        Ok((rpassword::prompt_password("Once more: ")? == chosen).then_some(chosen))
    };
    let chosen = type_twice().map_err(unread)?;
    let chosen = chosen.ok_or_else(|| {
        let text = "the two are not the same; the store is as it was".to_owned();
        Failure::own("no_passphrase", FAILED, text, "run the command again")
    })?;
    long_enough(chosen)
}

/// What comes through a pipe is a program's to choose, and an old one is taken as it is.
fn long_enough(passphrase: String) -> Result<String, Failure> {
    if passphrase.chars().count() >= LEAST_CHARACTERS {
        return Ok(passphrase);
    }
    let text = format!(
        "the passphrase has fewer than {LEAST_CHARACTERS} characters; the store is as it was"
    );
    Err(Failure::own(
        "short_passphrase",
        FAILED,
        text,
        "choose a longer one: several words are easy to type",
    ))
}

/// Typed unseen, or the first line of what comes through a pipe. Never an argument: other users see those.
pub(super) fn read_passphrase(prompt: &str) -> Result<String, Failure> {
    type_or_read(prompt).map_err(unread)
}

fn unread(error: io::Error) -> Failure {
    Failure::own("no_passphrase", FAILED, format!("read the passphrase: {error}"), "")
}

fn type_or_read(prompt: &str) -> io::Result<String> {
    if io::stdin().is_terminal() {
        return rpassword::prompt_password(prompt);
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let passphrase = line.strip_suffix('\n').unwrap_or(&line);
    Ok(passphrase.strip_suffix('\r').unwrap_or(passphrase).to_owned())
}

/// Fewer are tried through in no time by whoever has the store's file.
const LEAST_CHARACTERS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_passphrase_of_a_few_letters_is_not_taken() {
        for (passphrase, expected) in [("", false), ("sesame7", false), ("sésamesé", true)] {
            assert_eq!(long_enough(passphrase.to_owned()).is_ok(), expected, "{passphrase}");
        }
        let refused = long_enough("abc".to_owned()).err().map(Failure::into_words);
        let what = "the passphrase has fewer than 8 characters; the store is as it was".to_owned();
        let next = "choose a longer one: several words are easy to type".to_owned();
        assert_eq!(refused, Some((what, next)));
    }
}
