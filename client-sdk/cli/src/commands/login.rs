//! `valetkey login`: a person signs in, here in a browser or anywhere with a code.

mod invitation;
mod waiting;

use serde_json::json;
use valetkey_client::blocking::{App, Client};
use valetkey_client::browser;
use valetkey_client::v1::{Account, ErrorCode, FlowKind, StartFlowRequest, TokenResponse};

use crate::accounts::label;
use crate::args::LoginArgs;
use crate::console::Console;
use crate::failure::Failure;

pub(super) fn run(
    client: &Client,
    arguments: &LoginArgs,
    console: &Console,
) -> Result<(), Failure> {
    let app = arguments.app.open(client)?;
    let request = request(arguments);
    let flow = app.start_flow(&request).map_err(|error| {
        // Who asked for no code is told why there would have been one.
        let is_fallback = request.kind == FlowKind::DeviceCode && !arguments.device_code;
        match is_fallback && error.is(ErrorCode::AccessDenied) {
            true => Failure::from(error).about(&NO_BROWSER),
            false => error.into(),
        }
    })?;
    // Before the person is told anything: opening a browser takes a moment, in which they may think better of it.
    let interrupted = waiting::cancel_on_interrupt(client, &flow);
    invitation::show(&app.describe(), &flow, arguments, console);
    let token = waiting::finish(client, flow, &interrupted, arguments.timeout, console)?;
    // Whose it is, is told by the accounts; a daemon that cannot tell now has the sign-in all the same.
    let account = app.accounts(None).ok().and_then(|accounts| find_account(accounts, &token));
    report(&app, account.as_ref(), &token, console)
}

fn request(arguments: &LoginArgs) -> StartFlowRequest {
    // Who wants no browser opened here has one elsewhere that reaches this machine's loopback.
    let has_browser = arguments.no_browser || browser::is_at_hand();
    let kind = match arguments.device_code || !has_browser {
        true => FlowKind::DeviceCode,
        false => FlowKind::Interactive,
    };
    StartFlowRequest {
        claims_challenge: arguments.scope.claims.clone(),
        login_hint: arguments.login_hint.clone(),
        prompt: arguments.prompt.clone(),
        timeout: arguments.timeout.filter(|_| kind == FlowKind::Interactive),
        ..StartFlowRequest::new(kind, arguments.scope.scopes())
    }
}

/// The account whose local id is the ID token's `oid`, or `sub` where there is none.
fn find_account(accounts: Vec<Account>, token: &TokenResponse) -> Option<Account> {
    let claims = token.id_token_claims.as_ref()?;
    let id = claims.get("oid").or_else(|| claims.get("sub"))?.as_str()?;
    accounts.into_iter().find(|account| account.local_account_id.as_deref() == Some(id))
}

fn report(
    app: &App,
    account: Option<&Account>,
    token: &TokenResponse,
    console: &Console,
) -> Result<(), Failure> {
    if console.is_json() {
        return console.print_json(&json!({
            "app": app.describe().app,
            "account": account,
            "scope": token.scope,
            "expires_in": token.expires_in,
        }));
    }
    let who = account.map(|account| format!(" as {}", label(account))).unwrap_or_default();
    console.print(&format!("Signed in{who}.\n"))
}

const NO_BROWSER: &str = "no browser is at hand, and without one it takes a code";
