//! `valetkey grants`: which program may use which account, as the person has said; and where the person says it.

mod watch;

use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::ProgramGrant;

use crate::args::{GrantsArgs, GrantsCommand};
use crate::console::Console;
use crate::failure::Failure;
use crate::table::Table;
use crate::time::timestamp;

pub(super) fn run(
    client: &Client,
    arguments: &GrantsArgs,
    console: &Console,
) -> Result<(), Failure> {
    match &arguments.command {
        None | Some(GrantsCommand::List) => list(client, console),
        Some(GrantsCommand::Revoke { ids, .. }) => revoke(client, ids, console),
        Some(GrantsCommand::Watch) => watch::run(client, console),
    }
}

fn list(client: &Client, console: &Console) -> Result<(), Failure> {
    let grants = client.grants()?;
    if console.is_json() {
        return console.print_json(&json!({ "grants": grants }));
    }
    if grants.is_empty() {
        console.tell("Nothing has been said about any program.\n");
        return Ok(());
    }
    let mut table = Table::new(["ID", "ANSWER", "UNTIL", "ACCOUNT", "FOR", "PROGRAM"]);
    for grant in &grants {
        table.add([
            &grant.id,
            grant.word.describe(),
            &grant.until.map(timestamp).unwrap_or_default(),
            grant.username.as_deref().unwrap_or(&grant.home_account_id),
            grant.scope.as_deref().unwrap_or("anything"),
            &describe(grant),
        ]);
    }
    console.print(&table.render(console))
}

fn describe(grant: &ProgramGrant) -> String {
    match (&grant.program, grant.process) {
        (Some(path), _) => match &grant.sandbox {
            Some(sandbox) => format!("{path} ({sandbox})"),
            None => path.clone(),
        },
        (None, Some(process)) => format!("process {process} (unidentified)"),
        (None, None) => String::new(),
    }
}

fn revoke(client: &Client, ids: &[String], console: &Console) -> Result<(), Failure> {
    if ids.is_empty() {
        client.revoke_grant(None)?;
    }
    for id in ids {
        client.revoke_grant(Some(id)).map_err(|error| Failure::from(error).about(id))?;
    }
    match console.is_json() {
        true => console.print_json(&json!({ "revoked": ids })),
        false => console.print("Revoked; the person is asked again.\n"),
    }
}
