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

/// The command line's definition, for completions and man pages.
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Does what the command line says.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let console = Console::of_this_process(arguments.output);
    match commands::run(arguments.command, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&console),
    }
}
