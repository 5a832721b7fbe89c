//! `valetkey status`: what runs, and how safely it keeps what it holds.

use valetkey_client::blocking::Client;
use valetkey_client::v1::{ConfigurationStatus, Counts, KeyStatus, Status};

use super::key::describe_auto_lock;
use crate::console::Console;
use crate::failure::Failure;
use crate::text::{clean, wrap};
use crate::time::span;

pub(super) fn run(client: &Client, console: &Console) -> Result<(), Failure> {
    let status = client.status()?;
    if console.is_json() {
        return console.print_json(&status);
    }
    let columns = console.width.unwrap_or(COLUMNS).saturating_sub(MARGIN);
    let mut text = String::new();
    for (name, value) in describe(&status) {
        let names = std::iter::once(name).chain(std::iter::repeat(""));
        for (name, line) in names.zip(wrap(&clean(&value), columns)) {
            text += &format!("{}  {line}\n", console.bold(&format!("{name:<7}")));
        }
    }
    console.print(&text)
}

fn describe(status: &Status) -> Vec<(&'static str, String)> {
    let Status { version, pid, uptime_seconds, socket, locked, key, store, .. } = status;
    let Status { auto_lock, configuration, protection, counts, service, .. } = status;
    let mut lines = vec![
        ("daemon", format!("valetkeyd {version}, process {pid}, up for {}", span(*uptime_seconds))),
        ("socket", socket.clone()),
        ("store", store.path.clone()),
        ("key", describe_key(key)),
    ];
    let is_closed = *locked || service.as_ref().is_some_and(|service| service.locked_by_you);
    lines.push((
        "holds",
        match is_closed {
            true => "what it holds is seen when it is unlocked".to_owned(),
            false => describe_counts(counts),
        },
    ));
    if *locked {
        let text = match key.provider.as_str() {
            "passphrase" => "the store waits for its passphrase: run `valetkey unlock`",
            "file" | "credential" => "the store was locked: run `valetkey unlock`",
            _ => "the store waits for its key: see above what is in the way",
        };
        lines.push(("locked", text.to_owned()));
    }
    if auto_lock.after_idle.is_some() || !auto_lock.on.is_empty() {
        lines.push(("locks", describe_auto_lock(auto_lock)));
    }
    if let Some(service) = service {
        let whom = if service.administrator { "; you administer it" } else { "" };
        lines.push(("service", format!("the system's, for several users of this machine{whom}")));
        if service.locked_by_you {
            lines.push(("locked", "by yourself: run `valetkey unlock`".to_owned()));
        }
    }
    if store.unsaved > 0 {
        let changes = count(store.unsaved, "change");
        lines.push((
            "unsaved",
            format!("{changes} could not be written: free some space on the disk"),
        ));
    }
    if protection.keys_in_swap > 0 {
        let keys = count(protection.keys_in_swap, "key");
        lines.push((
            "problem",
            format!("{keys} may reach the swap: raise the limit on locked memory (`ulimit -l`)"),
        ));
    }
    if protection.callers_unseen {
        lines.push(("problem", UNSEEN.to_owned()));
    }
    lines.extend(store.problems.iter().map(|problem| ("problem", problem.clone())));
    lines.extend(describe_configuration(configuration));
    lines
}

fn describe_configuration(
    ConfigurationStatus { path, expected_at, problem, at_next_start }: &ConfigurationStatus,
) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    lines.extend(path.iter().map(|path| ("config", path.clone())));
    lines.extend(expected_at.iter().map(|path| ("config", format!("none; it would be {path}"))));
    lines.extend(problem.iter().map(|problem| {
        ("problem", format!("the configuration is in force as it was before: {problem}"))
    }));
    if !at_next_start.is_empty() {
        let settings = at_next_start.join(", ");
        lines.push(("pending", format!("{settings}: takes effect at the next start")));
    }
    lines
}

/// In JSON the whole of it: where exactly the key is, and why there is none that is better protected.
fn describe_key(key: &KeyStatus) -> String {
    match key.provider.as_str() {
        "file" => FILE_KEY.to_owned(),
        "" => format!("not at hand: {}", key.protection),
        provider => format!("{provider}: {}", key.protection),
    }
}

fn describe_counts(counts: &Counts) -> String {
    [
        count(counts.apps, "application"),
        count(counts.accounts, "account"),
        count(counts.access_tokens, "access token"),
        count(counts.refresh_tokens, "refresh token"),
        count(counts.flows, "open sign-in"),
    ]
    .join(", ")
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

const FILE_KEY: &str = "file: beside the store, with nothing but its permissions to protect it. \
    That is the last resort, and weaker than a keyring: whoever can read the folder, or a backup of it, can read the tokens. \
    For more, set `[vault] key` to `keyring` where a keyring runs, or to `passphrase`, and run `valetkey key rotate --provider` \
    with it.";

const UNSEEN: &str = "the process that looks at callers does not answer, and programs may be refused for it: see \
    `valetkey doctor`";

/// The width of a name and the gap behind it.
const MARGIN: usize = 9;
/// Of what is no terminal.
const COLUMNS: usize = 80;
