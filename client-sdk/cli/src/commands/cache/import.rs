//! `valetkey cache import`: tokens of another library, which goes on having its own copy.

use serde_json::{Map, Value, json};
use valetkey_client::blocking::Client;
use valetkey_client::v1::paths::MAX_CACHE_BYTES;
use valetkey_client::v1::{CacheCounts, CacheImport, ImportCacheRequest};
use valetkey_msal_caches::{Found, Places, Product, Source, SourceError, find, read};

use super::ask;
use crate::args::{CacheImportArgs, KnownProduct};
use crate::console::Console;
use crate::failure::{FAILED, Failure, USAGE};
use crate::text::clean;

pub(super) fn run(
    client: &Client,
    arguments: &CacheImportArgs,
    console: &Console,
) -> Result<(), Failure> {
    let sources = choose(arguments, console)?;
    // All are read before any is sent: one that is broken leaves everything as it is.
    let caches: Vec<_> = sources.iter().map(load).collect::<Result<_, _>>()?;
    let mut imported = Vec::new();
    for (source, cache) in sources.iter().zip(caches) {
        let outcome = client.import_cache(&ImportCacheRequest { cache });
        imported.push((source, outcome.map_err(|error| Failure::from(error).about(source))?));
    }
    report(&imported, console)
}

/// Which caches are meant.
fn choose(arguments: &CacheImportArgs, console: &Console) -> Result<Vec<Source>, Failure> {
    if let Some(file) = &arguments.file {
        return Ok(vec![Source::File(file.clone())]);
    }
    if !arguments.keyring.is_empty() {
        return Ok(vec![Source::Keyring(arguments.keyring.clone())]);
    }
    let places = Places::of_this_user();
    let (mut found, refusal) = find(&places);
    if let Some(product) = arguments.from {
        found.retain(|it| it.product == product.into());
    }
    if found.is_empty() {
        return Err(nothing_found(&places, refusal.as_ref()));
    }
    match arguments.from {
        Some(_) => Ok(found.into_iter().map(|it| it.source).collect()),
        None => ask_which(found, console),
    }
}

fn nothing_found(places: &Places, refusal: Option<&SourceError>) -> Failure {
    let folders = places.azure_config.iter().chain(&places.identity_services);
    let mut looked: Vec<_> = folders.map(|folder| folder.display().to_string()).collect();
    // Why it could not is D-Bus's matter, and seldom this person's.
    looked.push(match refusal {
        Some(_) => "the keyring, which does not answer".to_owned(),
        None => "the keyring".to_owned(),
    });
    let what = format!("no cache of another library was found in {}", looked.join(", "));
    let next = "name its file, or its keyring item by `--keyring NAME=VALUE`";
    Failure::own("no_cache_found", FAILED, what, next)
}

fn ask_which(found: Vec<Found>, console: &Console) -> Result<Vec<Source>, Failure> {
    let mut question = "Caches of other libraries:\n".to_owned();
    for (number, it) in (1..).zip(&found) {
        question +=
            &format!("  {number}  {}  {}\n", name(it.product), clean(&it.source.to_string()));
    }
    let sources = || found.iter().map(|it| it.source.clone());
    let usage = |what: &str| {
        let next = "name a file, or a product by `--from`";
        Failure::own("no_source", USAGE, format!("{what}\n{}", question.trim_end()), next)
    };
    match ask(console, &format!("{question}Which one? A number, or `all`: "))?.as_deref() {
        None => Err(usage("say which cache to import")),
        Some("all") => Ok(sources().collect()),
        Some(answer) => {
            let number = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
            let chosen = number.and_then(|index| sources().nth(index));
            chosen.map(|source| vec![source]).ok_or_else(|| usage("that is none of them"))
        }
    }
}

/// What is in it, as far as it is JSON: what it means is for the daemon to say.
fn load(source: &Source) -> Result<Map<String, Value>, Failure> {
    let text = read(source, MAX_CACHE_BYTES).map_err(|error| unusable(source, &error))?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(cache)) => Ok(cache),
        Ok(_) => Err(unusable(source, &"it is no token cache: it must be an object")),
        // The parser tells places and never content.
        Err(error) => Err(unusable(source, &format!("it is no JSON: {error}"))),
    }
}

fn unusable(source: &Source, why: &dyn std::fmt::Display) -> Failure {
    let what = format!("read {source}: {why}");
    Failure::own("source_unusable", FAILED, what, "nothing was changed, here or there")
}

fn report(imported: &[(&Source, CacheImport)], console: &Console) -> Result<(), Failure> {
    if console.is_json() {
        let each = imported.iter().map(|(source, it)| {
            json!({"source": source.to_string(), "taken": it.taken, "skipped": it.skipped})
        });
        return console.print_json(&json!({ "imported": each.collect::<Vec<_>>() }));
    }
    for (source, it) in imported {
        console.print(&format!(
            "Took {} from {}.\n",
            count(&it.taken),
            clean(&source.to_string())
        ))?;
        for skipped in &it.skipped {
            let what = singular(&skipped.section);
            let entries = of(skipped.count, what);
            let line = format!("  left out {entries}: {}", skipped.reason);
            console.print(&(clean(&line) + "\n"))?;
        }
    }
    if imported.iter().any(|(_, it)| it.taken.refresh_tokens > 0) {
        console.tell(TWO_OWNERS);
    }
    Ok(())
}

fn of(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// What a section of MSAL's schema has.
fn singular(section: &str) -> &str {
    match section {
        "AccessToken" => "access token",
        "RefreshToken" => "refresh token",
        "IdToken" => "ID token",
        "Account" => "account",
        "AppMetadata" => "note about an application",
        other => other,
    }
}

fn count(taken: &CacheCounts) -> String {
    format!(
        "{}, {} and {}",
        of(taken.accounts, "account"),
        of(taken.refresh_tokens, "refresh token"),
        of(taken.access_tokens, "access token")
    )
}

fn name(product: Product) -> &'static str {
    match product {
        Product::AzureCli => "azure-cli",
        Product::AzureIdentity => "azure-identity",
    }
}

impl From<KnownProduct> for Product {
    fn from(product: KnownProduct) -> Self {
        match product {
            KnownProduct::AzureCli => Self::AzureCli,
            KnownProduct::AzureIdentity => Self::AzureIdentity,
        }
    }
}

const TWO_OWNERS: &str = "\
The other library still has its copy of each refresh token. Where the provider replaces a refresh token at each use, the copy
that is used second is worthless, and some providers then sign you out everywhere. Once all is well here, sign out there.\n";
