//! One file for each verb.

mod accounts;
mod apps;
mod audit;
mod cache;
mod completions;
mod doctor;
mod events;
mod grants;
mod key;
mod lock;
mod login;
mod logout;
mod path;
mod status;
mod token;

use valetkey_client::blocking::Client;

use crate::args::Command;
use crate::console::Console;
use crate::failure::Failure;

/// Does what was asked for.
pub(crate) fn run(command: Command, console: &Console) -> Result<(), Failure> {
    match command {
        Command::Path => return path::run(console),
        Command::Doctor => return doctor::run(console),
        Command::Completions { shell } => return completions::run(shell, console),
        _ => {}
    }
    let client = Client::new()?;
    match command {
        Command::Login(arguments) => login::run(&client, &arguments, console),
        Command::Token(arguments) => token::run(&client, &arguments, console),
        Command::Accounts(arguments) => accounts::run(&client, &arguments, console),
        Command::Logout(arguments) => logout::run(&client, &arguments, console),
        Command::Apps(arguments) => apps::run(&client, &arguments, console),
        Command::Cache(command) => cache::run(&client, &command, console),
        Command::Status => status::run(&client, console),
        Command::Events => events::run(&client, console),
        Command::Audit(arguments) => audit::run(&client, &arguments, console),
        Command::Grants(arguments) => grants::run(&client, &arguments, console),
        Command::Lock { everybody } => lock::lock(&client, everybody, console),
        Command::Unlock => lock::unlock(&client, console),
        Command::Key { command } => key::run(&client, command.as_ref(), console),
        Command::Path | Command::Doctor | Command::Completions { .. } => Ok(()),
    }
}
