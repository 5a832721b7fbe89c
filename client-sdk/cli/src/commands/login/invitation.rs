//! What a person is told to do: on standard error, since the result goes to standard output.

use serde_json::{Map, Value};
use valetkey_client::v1::{Flow, FlowKind, FlowState};

use crate::args::LoginArgs;
use crate::browser;
use crate::console::Console;
use crate::qr;
use crate::text::clean;
use crate::time::span;

pub(super) fn show(flow: &Flow, arguments: &LoginArgs, console: &Console) {
    if flow.state != FlowState::Pending {
        return;
    }
    match flow.kind {
        FlowKind::DeviceCode => show_code(flow, arguments, console),
        FlowKind::Interactive | FlowKind::AuthCode => show_page(flow, arguments, console),
    }
}

fn show_page(flow: &Flow, arguments: &LoginArgs, console: &Console) {
    let address = flow.auth_uri.as_deref().unwrap_or_default();
    // The page is open already, opened by whoever began the flow; a second one would only confuse.
    let text = if flow.joined {
        "A sign-in for this is open already; finish it in its browser window. If you have closed it, open:".to_owned()
    } else if arguments.no_browser {
        "To sign in, open this address on this machine:".to_owned()
    } else if browser::open(address) {
        "Sign in in the browser window that has just opened. If none did, open:".to_owned()
    } else {
        "No browser could be opened. To sign in, open this address on this machine:".to_owned()
    };
    console.tell(&format!("{text}\n  {}\n", clean(address)));
}

fn show_code(flow: &Flow, arguments: &LoginArgs, console: &Console) {
    let empty = Map::new();
    let told = flow.device.as_ref().unwrap_or(&empty);
    let text = |name| told.get(name).and_then(Value::as_str).map(clean);
    let address = text("verification_uri").unwrap_or_default();
    let code = text("user_code").unwrap_or_default();
    let complete = text("verification_uri_complete");
    console.tell(&format!(
        "To sign in, open  {}\nand type the code  {}\n",
        console.bold_told(&address),
        console.bold_told(&code)
    ));
    if let Some(columns) = console.stderr_width.filter(|_| !arguments.no_qr && !console.is_json())
        && let Some(drawn) =
            qr::draw(complete.as_deref().unwrap_or(&address), columns, console.tells_in_colour())
    {
        console.tell(&format!("\n{drawn}\n"));
    }
    // RFC 8628 section 5.4: a code that somebody else sent signs that somebody in.
    console.tell("Compare the code that the page shows with this one, and type no code that you were sent.\n");
    if let Some(seconds) = told.get("expires_in").and_then(Value::as_i64) {
        console.tell(&format!("It is good for {}.\n", span(seconds)));
    }
}
