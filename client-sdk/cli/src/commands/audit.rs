//! `valetkey audit`: who got what, and when.

use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::{AuditRecord, AuditedProgram};

use crate::accounts::Names;
use crate::args::AuditArgs;
use crate::console::Console;
use crate::failure::Failure;
use crate::table::Column::{Path, Text, Time, Whole};
use crate::table::Table;
use crate::time::timestamp;

pub(super) fn run(
    client: &Client,
    arguments: &AuditArgs,
    console: &Console,
) -> Result<(), Failure> {
    let records = client.audit(arguments.limit.into())?;
    if console.is_json() {
        return console.print_json(&json!({ "records": records }));
    }
    if records.is_empty() {
        console.tell("Nothing is on record.\n");
        return Ok(());
    }
    let mut table = Table::new([
        Time("WHEN"),
        Text("WHAT"),
        Text("APP"),
        Whole("ACCOUNT"),
        Text("FOR"),
        Path("PROGRAM"),
    ]);
    let names = Names::of(client);
    for record in &records {
        table.add([
            &timestamp(record.at),
            record.act.describe(),
            record.app.as_deref().or(record.client_id.as_deref()).unwrap_or_default(),
            record.username.as_deref().unwrap_or_else(|| {
                names.account(record.home_account_id.as_deref().unwrap_or_default())
            }),
            &purpose(record),
            &record.program.as_ref().map(describe).unwrap_or_default(),
        ]);
    }
    console.print(&table.render(console))?;
    let programs = records.iter().filter_map(|record| record.program.as_ref());
    if programs.into_iter().any(|program| program.unidentified.is_some()) {
        console.tell(UNIDENTIFIED);
    }
    Ok(())
}

fn purpose(record: &AuditRecord) -> String {
    match record.count {
        Some(count) => format!("{count} records"),
        None => record.scope.clone().or_else(|| record.detail.clone()).unwrap_or_default(),
    }
}

fn describe(program: &AuditedProgram) -> String {
    let path = program.path.as_deref().unwrap_or_default();
    match program.unidentified {
        None => path.to_owned(),
        Some(_) => format!("{path} (unidentified)").trim_start().to_owned(),
    }
}

const UNIDENTIFIED: &str = "\
(unidentified): the path does not tell what the program runs, as of an interpreter. Each reason,
and the processes that it comes from, are in `--output json`.\n";
