//! `valetkey cache export --unencrypted`: all tokens, in clear, by the person's own act.

use std::io::{self, IsTerminal};
use std::path::Path;

use serde_json::json;
use valetkey_client::blocking::Client;
use valetkey_client::v1::{ExportCacheRequest, SecretText};
use valetkey_msal_caches::NewFile;

use super::ask;
use crate::args::CacheExportArgs;
use crate::commands::lock::read_passphrase;
use crate::console::Console;
use crate::failure::{DENIED, FAILED, Failure, USAGE};

pub(super) fn run(
    client: &Client,
    arguments: &CacheExportArgs,
    console: &Console,
) -> Result<(), Failure> {
    if arguments.file.is_none() && io::stdout().is_terminal() {
        let what = "a terminal is no place for tokens".to_owned();
        return Err(Failure::own("no_file", USAGE, what, "name a file that does not exist yet"));
    }
    if !arguments.yes {
        confirm(console)?;
    }
    // Before the daemon hands anything out, and puts on record that it did.
    let file = arguments.file.as_deref().map(take_place).transpose()?;
    let request = ExportCacheRequest {
        unencrypted: arguments.unencrypted,
        passphrase: passphrase(client)?.map(SecretText),
    };
    let exported = client.export_cache(&request)?;
    // Strings and numbers alone, which always can be written.
    let text = serde_json::to_string(&exported.cache).unwrap_or_default();
    match arguments.file.as_deref().zip(file) {
        Some((path, file)) => save(path, file, &text, console),
        None => console.print(&(text + "\n")),
    }
}

fn confirm(console: &Console) -> Result<(), Failure> {
    match ask(console, QUESTION)?.as_deref() {
        Some("yes") => Ok(()),
        Some(_) => Err(Failure::own("not_confirmed", DENIED, "you said no".to_owned(), "")),
        None => {
            let what = "nobody is at a terminal to confirm that tokens are written in clear";
            let next = "a script says `--yes`";
            Err(Failure::own("not_confirmed", USAGE, what.to_owned(), next))
        }
    }
}

/// Where a passphrase protects the store, it is asked for again.
fn passphrase(client: &Client) -> Result<Option<String>, Failure> {
    if client.status()?.key.provider != "passphrase" {
        return Ok(None);
    }
    read_passphrase("Passphrase: ").map(Some)
}

fn take_place(path: &Path) -> Result<NewFile, Failure> {
    NewFile::create(path).map_err(|error| not_written(&error))
}

fn not_written(error: &impl ToString) -> Failure {
    let next = "name a file that does not exist yet, in a folder of your own";
    Failure::own("file_not_written", FAILED, error.to_string(), next)
}

fn save(path: &Path, file: NewFile, text: &str, console: &Console) -> Result<(), Failure> {
    file.write(text).map_err(|error| not_written(&error))?;
    if console.is_json() {
        return console.print_json(&json!({ "file": path.display().to_string() }));
    }
    console.print(&format!("Wrote {}, for you alone to read.\n", path.display()))?;
    console.tell(TWO_OWNERS);
    Ok(())
}

const QUESTION: &str = "\
This writes every token that your programs share, refresh tokens too, in clear. Whoever reads it can sign in as you until the
tokens are revoked. Type yes to go on: ";

const TWO_OWNERS: &str = "\
valetkey still has its copy of each refresh token. Where the provider replaces a refresh token at each use, the copy that is
used second is worthless: sign out here (`valetkey logout`) only at the end, since that revokes the tokens where it can, or
stop using one of the two. Delete the file when the other library has read it.\n";
