//! The authorization endpoint as a browser walks it: pages, forms and the session cookie.

use super::{PendingAuthorization, Step, begin, cancel, decide_consent, find_pending, sign_in};
use crate::entra::error::Refusal;
use crate::entra::message::{Reply, Request};
use crate::entra::pages;
use crate::entra::state::{SignedIn, State};

/// The session cookie, under Entra's name for it.
const COOKIE: &str = "ESTSAUTH";

/// Answers a GET or POST; a POST with a `ticket` is a step on one of our pages.
pub(crate) fn answer(state: &mut State, authority_path: &str, request: &Request) -> Reply {
    let step = match request.form.get("ticket") {
        Some(ticket) => take_step(state, ticket, request),
        None => {
            let params = if request.method == "POST" { &request.form } else { &request.query };
            let session = find_session(state, request);
            begin(state, authority_path, params, &session)
        }
    };
    match step {
        Ok(step) => show(state, step, request),
        Err(refusal) => retry_or_fail(state, request, &refusal),
    }
}

fn take_step(state: &mut State, ticket: &str, request: &Request) -> Result<Step, Refusal> {
    match request.form.get("action") {
        Some("cancel") => cancel(state, ticket),
        Some("accept") => decide_consent(state, ticket, true),
        Some("decline") => decide_consent(state, ticket, false),
        _ => sign_in(state, ticket, request.form.get("username").unwrap_or("")),
    }
}

fn show(state: &mut State, step: Step, request: &Request) -> Reply {
    // Whoever signed in on this request is remembered, whether or not consent is still to come.
    let signed_in = request
        .form
        .get("username")
        .and_then(|name| state.find_user(name))
        .map(|user| user.name.to_lowercase());
    let reply = match step {
        Step::AwaitSignIn { ticket } => show_sign_in(state, &ticket, request, None),
        Step::AwaitConsent { ticket } => match find_pending(state, &ticket) {
            Ok(pending) => pages::consent(state, &ticket, &pending),
            Err(refusal) => pages::error(&refusal),
        },
        Step::Done(redirect) => redirect.to_reply(&mut state.random),
    };
    match signed_in {
        Some(user) => remember_sign_in(state, request, user, reply),
        None => reply,
    }
}

/// A wrong user name can be typed again; anything else ends on a page.
fn retry_or_fail(state: &mut State, request: &Request, refusal: &Refusal) -> Reply {
    match request.form.get("ticket") {
        Some(ticket) if state.pending.contains_key(ticket) => {
            show_sign_in(state, ticket, request, Some(refusal))
        }
        _ => pages::error(refusal),
    }
}

fn show_sign_in(
    state: &State,
    ticket: &str,
    request: &Request,
    refusal: Option<&Refusal>,
) -> Reply {
    let session = find_session(state, request);
    let typed = request.form.get("username");
    match find_pending(state, ticket) {
        Ok(PendingAuthorization { request, .. }) => {
            pages::sign_in(state, ticket, &request, &session, typed, refusal)
        }
        Err(refusal) => pages::error(&refusal),
    }
}

/// Who is signed in in this browser.
pub(crate) fn find_session(state: &State, request: &Request) -> Vec<SignedIn> {
    request.cookie(COOKIE).and_then(|id| state.sessions.get(id)).cloned().unwrap_or_default()
}

fn remember_sign_in(state: &mut State, request: &Request, user: String, reply: Reply) -> Reply {
    let known =
        request.cookie(COOKIE).filter(|id| state.sessions.contains_key(*id)).map(str::to_owned);
    let id = known.unwrap_or_else(|| state.random.next_text(1));
    let auth_time = state.clock.now();
    let session = state.sessions.entry(id.clone()).or_default();
    session.retain(|signed_in| signed_in.user != user);
    session.push(SignedIn { user, auth_time });
    reply.with_header("set-cookie", format!("{COOKIE}={id}; Path=/; HttpOnly; SameSite=Lax"))
}

/// Ends the browser's session; goes on to `post_logout_redirect_uri` when that is a loopback address.
pub(crate) fn logout(state: &mut State, request: &Request) -> Reply {
    if let Some(id) = request.cookie(COOKIE) {
        state.sessions.remove(id);
    }
    let expired = format!("{COOKIE}=; Path=/; Max-Age=0");
    let next =
        request.query.get("post_logout_redirect_uri").and_then(|text| url::Url::parse(text).ok());
    let is_loopback =
        |url: &url::Url| matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    match next.filter(is_loopback) {
        Some(url) => Reply::redirect(url.into()),
        None => pages::message(
            "You signed out",
            "It is a good idea to close all browser windows.",
            true,
        ),
    }
    .with_header("set-cookie", expired)
}
