//! `valetkey grants`: which program may use which account, as the person has said; and where the person says it.

mod watch;

use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::{ErrorCode, ProgramGrant};

use crate::args::{GrantsArgs, GrantsCommand};
use crate::console::Console;
use crate::failure::{FAILED, Failure};
use crate::table::Column::{Path, Text, Time, Whole};
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
        console.tell(NOTHING);
        return Ok(());
    }
    let mut table = Table::new([
        Whole("ID"),
        Text("ANSWER"),
        Time("UNTIL"),
        Text("ACCOUNT"),
        Text("FOR"),
        Path("PROGRAM"),
    ]);
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

/// All of them where nothing is named. Each name is looked up before anything is revoked.
fn revoke(client: &Client, names: &[String], console: &Console) -> Result<(), Failure> {
    let grants = client.grants()?;
    let ids: Vec<&str> = match names.is_empty() {
        true => grants.iter().map(|grant| grant.id.as_str()).collect(),
        false => names.iter().map(|name| find(&grants, name)).collect::<Result<_, _>>()?,
    };
    match names.is_empty() {
        true if ids.is_empty() => {}
        true => client.revoke_grant(None)?,
        false => {
            for id in &ids {
                client.revoke_grant(Some(id)).map_err(|error| Failure::from(error).about(id))?;
            }
        }
    }
    match (console.is_json(), ids.len()) {
        (true, _) => console.print_json(&json!({ "revoked": ids })),
        (false, 0) => {
            console.tell(NOTHING);
            Ok(())
        }
        (false, 1) => console.print("Revoked; the person is asked again.\n"),
        (false, several) => {
            console.print(&format!("Revoked {several}; the person is asked again.\n"))
        }
    }
}

/// The id that this is, or that alone begins so.
fn find<'a>(grants: &'a [ProgramGrant], name: &str) -> Result<&'a str, Failure> {
    let ids = || grants.iter().map(|grant| grant.id.as_str());
    if let Some(id) = ids().find(|id| *id == name) {
        return Ok(id);
    }
    let mut meant = ids().filter(|id| id.starts_with(name));
    match (meant.next(), meant.next()) {
        (Some(id), None) => Ok(id),
        (first, _) => {
            let what = match first {
                Some(_) => format!("several grants have an id that begins with {name:?}"),
                None => format!("no grant has the id {name:?}, or one that begins with it"),
            };
            let next = "`valetkey grants` lists those that there are";
            Err(Failure::own(ErrorCode::UnknownGrant.as_str(), FAILED, what, next))
        }
    }
}

const NOTHING: &str = "Nothing has been said about any program.\n";
