//! `valetkey accounts`: who has signed in.

use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::Account;

use crate::args::AccountsArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::table::Column::{Text, Whole};
use crate::table::Table;

pub(super) fn run(
    client: &Client,
    arguments: &AccountsArgs,
    console: &Console,
) -> Result<(), Failure> {
    let accounts = match arguments.app.definition() {
        Some(_) => arguments.app.open(client)?.accounts(None)?,
        None => of_all_apps(client)?,
    };
    if console.is_json() {
        return console.print_json(&json!({ "accounts": accounts }));
    }
    if accounts.is_empty() {
        console.tell("Nobody has signed in.\n");
        return Ok(());
    }
    let mut table =
        Table::new([Whole("USER"), Text("TENANT"), Text("PROVIDER"), Whole("HOME ACCOUNT ID")]);
    for account in &accounts {
        table.add([
            &account.username,
            &account.realm,
            &account.environment,
            &account.home_account_id,
        ]);
    }
    console.print(&table.render(console))
}

/// Applications share sign-ins, so the same account may come several times.
fn of_all_apps(client: &Client) -> Result<Vec<Account>, Failure> {
    let mut accounts: Vec<Account> = Vec::new();
    for app in client.apps()? {
        for account in client.handle(app).accounts(None)? {
            let is_same = |known: &Account| {
                (&known.home_account_id, &known.environment, &known.realm)
                    == (&account.home_account_id, &account.environment, &account.realm)
            };
            if !accounts.iter().any(is_same) {
                accounts.push(account);
            }
        }
    }
    Ok(accounts)
}
