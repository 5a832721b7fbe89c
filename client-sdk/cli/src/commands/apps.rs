//! `valetkey apps`: the applications that are open or configured.

use serde_json::json;
use valetkey_client::blocking::Client;

use crate::console::Console;
use crate::failure::Failure;
use crate::table::Table;

pub(super) fn run(client: &Client, console: &Console) -> Result<(), Failure> {
    let apps = client.apps()?;
    if console.is_json() {
        return console.print_json(&json!({ "apps": apps }));
    }
    if apps.is_empty() {
        console.tell("No application is open, and none is configured.\n");
        return Ok(());
    }
    let mut table = Table::new(["NAME", "CLIENT ID", "AUTHORITY"]);
    for app in &apps {
        table.add([app.name.as_deref().unwrap_or("-"), &app.client_id, &app.authority]);
    }
    console.print(&table.render(console))
}
