//! What a person is told to do: on standard error, since the result goes to standard output.

use serde_json::{Map, Value, json};
use valetkey_client::browser;
use valetkey_client::v1::{App, Flow, FlowKind, FlowState};

use crate::args::LoginArgs;
use crate::console::Console;
use crate::qr;
use crate::text::{clean, wrap};
use crate::time::span;

pub(super) fn show(app: &App, flow: &Flow, arguments: &LoginArgs, console: &Console) {
    if flow.state != FlowState::Pending {
        return;
    }
    match flow.kind {
        FlowKind::DeviceCode => show_code(app, flow, arguments, console),
        FlowKind::Interactive | FlowKind::AuthCode => show_page(flow, arguments, console),
    }
}

fn show_page(flow: &Flow, arguments: &LoginArgs, console: &Console) {
    let address = flow.auth_uri.as_deref().unwrap_or_default();
    // A page that was joined is open already, opened by whoever began the flow; a second one would only confuse.
    let is_open = !flow.joined && !arguments.no_browser && browser::open(address);
    if console.is_json() {
        return console.tell_json(&json!({ "auth_uri": address }));
    }
    let text = if flow.joined {
        "A sign-in for this is open already; finish it in its browser window. If you have closed it, open:".to_owned()
    } else if arguments.no_browser {
        "To sign in, open this address on this machine:".to_owned()
    } else if is_open {
        "Sign in in the browser window that has just opened. If none did, open:".to_owned()
    } else {
        "No browser could be opened. To sign in, open this address on this machine:".to_owned()
    };
    console.tell(&format!("{text}\n  {}\n", clean(address)));
}

/// With the application that the code is for: who did not ask for that one was lured.
fn show_code(app: &App, flow: &Flow, arguments: &LoginArgs, console: &Console) {
    let empty = Map::new();
    let told = flow.device.as_ref().unwrap_or(&empty);
    if console.is_json() {
        let mut told = told.clone();
        told.insert("client_id".to_owned(), app.client_id.as_str().into());
        return console.tell_json(&told.into());
    }
    let text = |name| told.get(name).and_then(Value::as_str).map(clean);
    let address = text("verification_uri").unwrap_or_default();
    let code = text("user_code").unwrap_or_default();
    // The picture leads where the text does: what a person checks is what they open.
    let complete =
        text("verification_uri_complete").filter(|complete| is_same_site(complete, &address));
    let mut words = paragraph(&format!("This signs you in to {}.", clean(&name(app))), console);
    words += &format!(
        "To sign in, open  {}\nand type the code  {}\n",
        console.bold_told(&address),
        console.bold_told(&code)
    );
    if let Some(seconds) = told.get("expires_in").and_then(Value::as_i64) {
        words += &format!("It is good for {}.\n", span(seconds));
    }
    words += &paragraph(BEWARE, console);
    // Above the words: what is nearest to the prompt is never scrolled away.
    if !arguments.no_qr {
        console.tell(&draw(complete.as_deref().unwrap_or(&address), &words, console));
    }
    console.tell(&words);
}

fn name(App { name, client_id, .. }: &App) -> String {
    match name {
        Some(name) => format!("`{name}` (client id {client_id})"),
        None => format!("the application {client_id}"),
    }
}

/// As wide as the terminal, if it goes to one.
fn paragraph(text: &str, console: &Console) -> String {
    let lines = wrap(text, console.stderr_width.unwrap_or(usize::MAX));
    lines.join("\n") + "\n"
}

/// The code of an address, where a terminal has room for it and the words below it; else empty.
fn draw(address: &str, words: &str, console: &Console) -> String {
    let size = console.stderr_width.zip(console.stderr_height);
    let drawn = size.and_then(|(columns, rows)| {
        let rows = rows.saturating_sub(words.lines().count() + ROWS_OF_WAITING);
        qr::draw(address, columns, rows, console.tells_in_colour())
    });
    drawn.unwrap_or_default()
}

/// RFC 8628 section 5.4: a code that somebody else sent signs that somebody in.
const BEWARE: &str =
    "Compare the code with the page's; never type one that somebody else sent you.";

const ROWS_OF_WAITING: usize = 1;

/// True when two links name the same scheme, host and port in the same letters.
fn is_same_site(one: &str, other: &str) -> bool {
    site(one).is_some_and(|site_of_one| site(other) == Some(site_of_one))
}

/// A browser reads a backslash as a slash.
fn site(link: &str) -> Option<(String, String)> {
    let (scheme, rest) = link.split_once("://")?;
    let authority = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default();
    Some((scheme.to_ascii_lowercase(), authority.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_link_to_the_same_site_is_drawn() {
        let plain = "https://op.example/device";
        for (complete, expected) in [
            ("https://op.example/device?user_code=A", true),
            ("HTTPS://OP.example?user_code=A", true),
            ("https://op.example#A", true),
            ("https://evil.example/device", false),
            ("https://op.example.evil.example/device", false),
            ("https://op.example@evil.example/device", false),
            ("https://evil.example\\@op.example/device", false),
            ("https://op.example:8443/device", false),
            ("http://op.example/device", false),
            ("op.example/device", false),
        ] {
            assert_eq!(is_same_site(complete, plain), expected, "{complete}");
        }
        assert!(!is_same_site("", ""));
    }
}
