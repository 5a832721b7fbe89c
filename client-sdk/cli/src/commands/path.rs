//! `valetkey path`: where the socket is, whether a daemon runs or not.

use serde_json::json;
use valetkey_client::Endpoint;

use crate::console::Console;
use crate::failure::{FAILED, Failure};

pub(super) fn run(console: &Console) -> Result<(), Failure> {
    let endpoint = Endpoint::of_this_user()
        .map_err(|error| Failure::own("no_endpoint", FAILED, error.to_string(), ""))?;
    match console.is_json() {
        true => console.print_json(&json!({ "socket": endpoint.to_string() })),
        false => console.print(&format!("{endpoint}\n")),
    }
}
