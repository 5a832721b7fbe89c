//! The `valetkey` command: a client of the daemon like any other, without a private door.
//!
//! Start with `args.rs`, which is what a person types; each verb has its file in `commands/`. Results go to standard
//! output, everything meant for a person meanwhile to standard error. It asks over the blocking client, so that
//! `valetkey token` is done before a runtime would have started.
//!
//! It is a library only so that completions and man pages can be made from [`command`]; it has no other interface.

mod accounts;
mod args;
mod commands;
mod console;
mod failure;
mod next_step;
mod protection;
mod qr;
mod question;
mod select;
mod spinner;
mod suggest;
mod table;
mod text;
mod time;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::args::Arguments;
use crate::console::Console;
use crate::suggest::is_near;

/// The command line's definition, for completions and man pages.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Without a suggestion that is another word than what was typed.
fn only_near(mut error: clap::Error) -> clap::Error {
    use clap::error::{ContextKind, ContextValue};
    let typed = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(typed)) => typed.clone(),
        _ => return error,
    };
    let suggested = match error.remove(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) => names,
        _ => return error,
    };
    let near: Vec<_> = suggested.into_iter().filter(|name| is_near(&typed, name)).collect();
    if !near.is_empty() {
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(near));
    }
    error
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let arguments = Arguments::try_parse().unwrap_or_else(|error| only_near(error).exit());
    let console = Console::of_this_process(arguments.format());
    match commands::run(arguments.command, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&console),
    }
}
