//! `valetkey key` and `valetkey key rotate`: where the key is that protects the store, and another one in its place.

use std::io::{self, IsTerminal};

use serde_json::json;
use valetkey_client::Error;
use valetkey_client::blocking::Client;
use valetkey_client::v1::{AutoLock, KeyStatus, RotateKeysRequest, Status};

use super::lock::{choose_passphrase, read_passphrase};
use crate::args::{KeyCommand, KeyRotateArgs};
use crate::console::Console;
use crate::failure::{FAILED, Failure, is_about};
use crate::next_step::particular_hint;
use crate::protection::lines_of;
use crate::text::{clean, wrap};
use crate::time::timestamp;

pub(super) fn run(
    client: &Client,
    command: Option<&KeyCommand>,
    console: &Console,
) -> Result<(), Failure> {
    match command {
        None => show(client, console),
        Some(KeyCommand::Rotate(arguments)) => rotate(client, arguments, console),
    }
}

fn show(client: &Client, console: &Console) -> Result<(), Failure> {
    let Status { key, auto_lock, locked, service, .. } = client.status()?;
    let locked_by_you = service.is_some_and(|it| it.locked_by_you);
    if console.is_json() {
        let locked = locked || locked_by_you;
        return console
            .print_json(&json!({ "locked": locked, "key": key, "auto_lock": auto_lock }));
    }
    let columns = console.width.unwrap_or(COLUMNS).saturating_sub(MARGIN);
    let mut lines = describe(&key, &auto_lock, locked);
    if locked_by_you && !locked {
        lines.push(("locked", "what is yours, by yourself: run `valetkey unlock`".to_owned()));
    }
    let mut text = String::new();
    for (name, value) in lines {
        let names = std::iter::once(name).chain(std::iter::repeat(""));
        for (name, line) in names.zip(wrap(&clean(&value), columns)) {
            text += &format!("{}  {line}\n", console.bold(&format!("{name:<7}")));
        }
    }
    console.print(&text)
}

fn describe(key: &KeyStatus, auto: &AutoLock, locked: bool) -> Vec<(&'static str, String)> {
    let protection = lines_of(&format!("{}: {}", key.provider, key.protection));
    let mut lines: Vec<_> =
        ["key"].into_iter().chain(std::iter::repeat("")).zip(protection).collect();
    let made = |at: Option<i64>| at.map_or_else(|| UNKNOWN.to_owned(), timestamp);
    if !locked {
        lines.push(("made", made(key.made_at)));
        let records = key.records.map(|records| format!("{records}; ")).unwrap_or_default();
        let sealing = if key.sealing_anew { "; being sealed anew" } else { "" };
        let oldest = match key.data_made_at {
            // Data keys are made with the first record of each user.
            None if key.records == Some(0) => "none yet".to_owned(),
            at => made(at),
        };
        lines.push(("records", format!("{records}oldest data key: {oldest}{sealing}")));
    }
    lines.push(("locks", describe_auto_lock(auto)));
    if locked {
        lines.push(("locked", "run `valetkey unlock`".to_owned()));
    }
    lines
}

/// When the store is locked by itself.
pub(super) fn describe_auto_lock(auto: &AutoLock) -> String {
    let mut when: Vec<String> = auto.on.iter().map(|on| format!("on {on}")).collect();
    when.extend(auto.after_idle.map(|seconds| format!("after {seconds} s without a token")));
    match (when.is_empty(), &auto.problem) {
        (true, _) => {
            "never by itself; see `lock_after_idle` and `lock_on` under `[vault]`".to_owned()
        }
        (_, None) => when.join(", "),
        (_, Some(problem)) => format!("{}; but {problem}", when.join(", ")),
    }
}

fn rotate(client: &Client, arguments: &KeyRotateArgs, console: &Console) -> Result<(), Failure> {
    let Status { key, .. } = client.status()?;
    let provider = arguments.provider.map(|provider| provider.name().to_owned());
    let wrapping = !arguments.data || provider.is_some() || arguments.new_passphrase;
    let (mut passphrase, mut new_passphrase) = (None, None);
    if wrapping && key.provider == "passphrase" {
        passphrase = Some(read_passphrase("Current passphrase: ")?);
    }
    let becomes = provider.as_deref().unwrap_or(&key.provider);
    if becomes == "passphrase" && (key.provider != "passphrase" || arguments.new_passphrase) {
        new_passphrase = Some(match io::stdin().is_terminal() {
            true => choose_passphrase("Choose a new passphrase: ")?,
            false => read_passphrase("")?,
        });
    }
    if becomes != "passphrase" && arguments.new_passphrase {
        let text = format!("a key of the {becomes} needs no passphrase");
        return Err(Failure::own("no_passphrase", FAILED, text, "leave out `--new-passphrase`"));
    }
    let request = RotateKeysRequest {
        wrapping,
        data: arguments.data,
        provider: provider.clone(),
        weaker: arguments.weaker,
        passphrase,
        new_passphrase,
    };
    client.rotate_keys(&request).map_err(|error| explain(error, &key.provider, becomes))?;
    confirm(client, arguments, wrapping, console)
}

fn explain(error: Error, current: &str, becomes: &str) -> Failure {
    let hint = particular_hint(&error).map(str::to_owned);
    let is_weaker = is_about(&error, "weaker");
    let failure = hint.into_iter().fold(Failure::from(error), Failure::advise);
    match is_weaker {
        true => failure
            .reword(format!("{becomes} protects less than {current}"))
            .advise("add `--weaker` if you accept that".to_owned()),
        false => failure,
    }
}

fn confirm(
    client: &Client,
    arguments: &KeyRotateArgs,
    wrapping: bool,
    console: &Console,
) -> Result<(), Failure> {
    let Status { key, .. } = client.status()?;
    if console.is_json() {
        return console.print_json(&json!({ "key": key }));
    }
    let mut text = String::new();
    if wrapping {
        text += &format!("The key is now another one: {}: {}.\n", key.provider, key.protection);
    }
    let is_new = arguments.new_passphrase || arguments.provider.is_some();
    if let Some(path) = key.passphrase_file.filter(|_| is_new && key.provider == "passphrase") {
        text += &format!(
            "Write the new passphrase into {path}, which the configuration names: with another one there, valetkeyd will not start.\n"
        );
    }
    if arguments.data {
        text += "Records are sealed anew, while the daemon goes on; `valetkey key` tells when that is done.\n";
    }
    if arguments.weaker && key.provider == "file" {
        text += "It is in a file beside the store: whoever can read the folder, or a backup of it, can read the tokens.\n";
    }
    console.print(&clean_lines(&text))
}

fn clean_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", clean(line))).collect()
}

const UNKNOWN: &str = "before this was noted";

/// The width of a name and the gap behind it.
const MARGIN: usize = 9;
/// Of what is no terminal.
const COLUMNS: usize = 80;
