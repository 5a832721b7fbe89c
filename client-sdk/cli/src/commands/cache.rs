//! `valetkey cache import` and `valetkey cache export`: moving in from another library, and out to one.

mod export;
mod import;

use std::io::{self, BufRead, IsTerminal};

use valetkey_client::blocking::Client;

use crate::args::CacheCommand;
use crate::console::Console;
use crate::failure::{FAILED, Failure};

pub(super) fn run(
    client: &Client,
    command: &CacheCommand,
    console: &Console,
) -> Result<(), Failure> {
    match command {
        CacheCommand::Import(arguments) => import::run(client, arguments, console),
        CacheCommand::Export(arguments) => export::run(client, arguments, console),
    }
}

/// What a person types, when there is one to ask.
fn ask(console: &Console, question: &str) -> Result<Option<String>, Failure> {
    if !io::stdin().is_terminal() || console.stderr_width.is_none() {
        return Ok(None);
    }
    console.tell(question);
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line).map_err(|error| {
        Failure::own("no_answer", FAILED, format!("read your answer: {error}"), "")
    })?;
    Ok(Some(line.trim().to_owned()))
}
