//! `valetkey logout`: an account's tokens are forgotten.

use serde_json::json;
use valetkey_client::blocking::{App, Client};
use valetkey_client::v1::Account;

use crate::accounts::{is_meant, label};
use crate::args::LogoutArgs;
use crate::console::Console;
use crate::failure::{FAILED, Failure};

pub(super) fn run(
    client: &Client,
    arguments: &LogoutArgs,
    console: &Console,
) -> Result<(), Failure> {
    let app = arguments.app.open(client)?;
    let accounts = choose(&app, arguments)?;
    for account in &accounts {
        app.remove_account(&account.home_account_id)?;
        if !console.is_json() {
            console.print(&format!("Signed out: {}\n", label(account)))?;
        }
    }
    match console.is_json() {
        true => console.print_json(&json!({ "accounts": accounts })),
        false if accounts.is_empty() => {
            console.tell("Nobody has signed in.\n");
            Ok(())
        }
        false => Ok(()),
    }
}

fn choose(app: &App, arguments: &LogoutArgs) -> Result<Vec<Account>, Failure> {
    let mut accounts = app.accounts(None)?;
    if arguments.all {
        return Ok(accounts);
    }
    if let Some(word) = &arguments.account {
        let (meant, others): (Vec<_>, _) =
            accounts.into_iter().partition(|account| is_meant(account, word));
        if meant.is_empty() {
            return Err(unknown(word, &others, arguments));
        }
        accounts = meant;
    }
    match accounts.len() {
        0 | 1 => Ok(accounts),
        _ => Err(Failure::ambiguous(accounts).advise(CHOOSE.to_owned())),
    }
}

fn unknown(word: &str, accounts: &[Account], arguments: &LogoutArgs) -> Failure {
    let what = format!("nobody of the name {word} has signed in");
    let next = format!("`valetkey accounts{}` lists who has", arguments.app.words());
    Failure::own("unknown_account", FAILED, what, &next)
        .suggest(word, accounts.iter().map(|account| account.username.as_str()))
}

const CHOOSE: &str = "name one with `--account`, or sign all of them out with `--all`";
