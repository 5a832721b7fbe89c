//! `valetkey token`: the access token alone, for `curl -H "Authorization: Bearer $(valetkey token …)"`.

use valetkey_client::Error;
use valetkey_client::blocking::{App, Client};
use valetkey_client::v1::{ClientKind, ErrorCode, Grant, TokenRequest};

use crate::args::TokenArgs;
use crate::console::Console;
use crate::failure::{Failure, is_about};
use crate::question::while_asking;
use crate::text::quote;
use crate::time::span;

pub(super) fn run(
    client: &Client,
    arguments: &TokenArgs,
    console: &Console,
) -> Result<(), Failure> {
    let app = arguments.app.open(client)?;
    let request = TokenRequest {
        scopes: arguments.scope.scopes(),
        account: arguments.account.clone(),
        force_refresh: arguments.force_refresh,
        claims_challenge: arguments.scope.claims.clone(),
        min_validity: arguments.min_validity,
        grant: grant_of(&app, arguments),
        ..TokenRequest::default()
    };
    let token = while_asking(client, console, || app.acquire_token(&request));
    let token = token.map_err(|error| explain(&app, arguments, error))?;
    if console.is_json() {
        return console.print_json(&token);
    }
    if let Some(wanted) = arguments.min_validity.filter(|it| token.expires_in < i64::from(*it)) {
        // A second or two have gone by since it was issued.
        let (lives, wanted) = (span((token.expires_in + 59) / 60 * 60), span(wanted.into()));
        console.tell(&format!(
            "valetkey: the provider issues tokens for {lives}; {wanted} cannot be had\n"
        ));
    }
    console.print(&format!("{}\n", token.access_token))
}

/// An application with a credential asks for itself, unless somebody is named.
fn grant_of(app: &App, arguments: &TokenArgs) -> Grant {
    match (app.describe().kind, &arguments.account) {
        (ClientKind::Confidential, None) => Grant::ClientCredentials,
        _ => Grant::Silent,
    }
}

/// Says what to type next, which the daemon cannot know.
fn explain(app: &App, arguments: &TokenArgs, error: Error) -> Failure {
    if error.is_sign_in_needed() {
        let next = format!("run `{}`", sign_in(arguments, &error));
        let word = arguments.account.as_ref().filter(|_| error.is(ErrorCode::UnknownAccount));
        let failure = Failure::from(error).advise(next);
        let Some(word) = word else { return failure };
        let accounts = app.accounts(None).unwrap_or_default();
        return failure.suggest(word, accounts.iter().map(|account| account.username.as_str()));
    }
    if error.is(ErrorCode::AccountAmbiguous) {
        let meant = app.accounts(arguments.account.as_deref()).unwrap_or_default();
        return Failure::from(error).choose(meant);
    }
    let lacks_scopes = arguments.scope.scopes().is_empty() && is_about(&error, "scopes");
    let failure = Failure::from(error);
    if lacks_scopes { failure.advise(name_scopes(arguments)) } else { failure }
}

fn name_scopes(arguments: &TokenArgs) -> String {
    let here = "name one with `--scope`";
    match &arguments.app.app {
        Some(name) => format!(
            "{here}, or once for all with `scopes = [\"…\"]` under `[apps.{name}]` in the configuration"
        ),
        None => here.to_owned(),
    }
}

/// The command that brings what was missing.
fn sign_in(arguments: &TokenArgs, error: &Error) -> String {
    let mut command = format!("valetkey login{}", arguments.app.words());
    for scope in arguments.scope.scopes() {
        command += &format!(" --scope {}", quote(&scope));
    }
    // A home account id is no name that a provider could show.
    if let Some(name) = arguments.account.as_ref().filter(|account| account.contains('@')) {
        command += &format!(" --login-hint {}", quote(name));
    }
    let challenge = error.body().and_then(|body| body.claims.as_ref());
    if let Some(claims) = challenge.or(arguments.scope.claims.as_ref()) {
        command += &format!(" --claims {}", quote(claims));
    }
    command
}
