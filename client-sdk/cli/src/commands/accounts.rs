//! `valetkey accounts`: who has signed in.

use serde_json::json;
use valetkey_client::blocking::Client;

use crate::accounts::of_all_apps;
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
