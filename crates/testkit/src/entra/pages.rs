//! The pages that a person sees. The markup is in `pages/`; here the values are put in.

use super::authorize::{AuthorizationRequest, PendingAuthorization};
use super::client::Client;
use super::error::Refusal;
use super::message::Reply;
use super::state::{SignedIn, State, User};
use super::template::Html;

/// Nothing from elsewhere; no `form-action`, since browsers apply it to the redirect after a form as well.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

/// More accounts than these are found by typing.
const MAX_TILES: usize = 5;

/// Pick an account or type a user name.
pub(crate) fn sign_in(
    state: &State,
    ticket: &str,
    request: &AuthorizationRequest,
    session: &[SignedIn],
    typed: Option<&str>,
    refusal: Option<&Refusal>,
) -> Reply {
    let hidden = hidden_fields(&[("ticket", ticket)]);
    let typed = typed.or(request.login_hint.as_deref()).unwrap_or("");
    let accounts: Vec<&User> =
        state.users.values().filter(|user| request.directory.tenant_for(user).is_ok()).collect();
    account_page(&request.client, &accounts, session, typed, refusal, "sign_in", &hidden)
}

/// The same for a device.
pub(crate) fn device_accounts(
    state: &State,
    client: &Client,
    user_code: &str,
    session: &[SignedIn],
    mistake: Option<(&str, &Refusal)>,
) -> Reply {
    let hidden = hidden_fields(&[("user_code", user_code)]);
    let accounts: Vec<&User> = state.users.values().collect();
    let (typed, refusal) = mistake.map_or(("", None), |(typed, refusal)| (typed, Some(refusal)));
    account_page(client, &accounts, session, typed, refusal, "pick", &hidden)
}

fn account_page(
    client: &Client,
    accounts: &[&User],
    session: &[SignedIn],
    typed: &str,
    refusal: Option<&Refusal>,
    action: &'static str,
    hidden: &Html,
) -> Reply {
    let tiles = account_tiles(accounts, session, action, hidden);
    let slots = [
        ("heading", Html::fixed(if accounts.is_empty() { "Sign in" } else { "Pick an account" })),
        ("client", Html::text(&name_of(client))),
        ("alert", alert(refusal)),
        (
            "label",
            Html::fixed(if accounts.is_empty() { "User name" } else { "Use another account" }),
        ),
        ("tiles", tiles),
        ("hidden", hidden.clone()),
        ("typed", Html::text(typed)),
        ("action", Html::fixed(action)),
        ("field_state", field_state(refusal)),
    ];
    page(200, "Sign in to your account", Html::fill(include_str!("pages/sign_in.html"), &slots))
}

/// Who is signed in comes first.
fn account_tiles(
    accounts: &[&User],
    session: &[SignedIn],
    action: &'static str,
    hidden: &Html,
) -> Html {
    if accounts.is_empty() {
        return Html::default();
    }
    let is_signed_in =
        |user: &User| session.iter().any(|signed_in| signed_in.user == user.name.to_lowercase());
    let mut accounts = accounts.to_vec();
    accounts.sort_by_key(|user| !is_signed_in(user));
    let tile = |user: &&User| {
        let badge = if is_signed_in(user) { "<span class=\"badge\">Signed in</span>" } else { "" };
        let slots = [
            ("name", Html::text(&user.name)),
            ("person", person(user)),
            ("badge", Html::fixed(badge)),
        ];
        Html::fill(
            "<button class=\"tile\" name=\"username\" value=\"{{name}}\">{{person}}{{badge}}</button>",
            &slots,
        )
    };
    let slots = [
        ("hidden", hidden.clone()),
        ("action", Html::fixed(action)),
        ("tiles", Html::join(accounts.iter().take(MAX_TILES).map(tile))),
    ];
    Html::fill(
        "<form method=\"post\" class=\"tiles\">{{hidden}}<input type=\"hidden\" name=\"action\" value=\"{{action}}\">{{tiles}}</form><div class=\"or\">or</div>",
        &slots,
    )
}

/// Agree to what the client asks.
pub(crate) fn consent(state: &State, ticket: &str, pending: &PendingAuthorization) -> Reply {
    let user = pending.signed_in.as_ref().and_then(|signed_in| state.find_user(&signed_in.user));
    // That the user signs in goes without saying.
    let scopes = pending.request.scopes.iter().filter(|scope| *scope != "openid");
    let slots = [
        ("client", Html::text(&name_of(&pending.request.client))),
        ("scopes", Html::join(scopes.map(|scope| describe_scope(scope)))),
        ("person", user.map_or_else(Html::default, person)),
        ("hidden", hidden_fields(&[("ticket", ticket)])),
    ];
    page(200, "Permissions requested", Html::fill(include_str!("pages/consent.html"), &slots))
}

/// Type the code of a device.
pub(crate) fn device_code(typed: &str, refusal: Option<&Refusal>) -> Reply {
    let slots = [
        ("alert", alert(refusal)),
        ("typed", Html::text(typed)),
        ("field_state", field_state(refusal)),
    ];
    page(200, "Enter code", Html::fill(include_str!("pages/device_code.html"), &slots))
}

/// Confirm that it is one's own device.
pub(crate) fn device_confirm(client: &Client, user: &User, user_code: &str) -> Reply {
    let slots = [
        ("client", Html::text(&name_of(client))),
        ("user_code", Html::text(user_code)),
        ("person", person(user)),
        ("hidden", hidden_fields(&[("user_code", user_code), ("username", &user.name)])),
    ];
    page(
        200,
        "Sign in on another device",
        Html::fill(include_str!("pages/device_confirm.html"), &slots),
    )
}

/// The end of a road, good or bad.
pub(crate) fn message(heading: &str, text: &str, good: bool) -> Reply {
    outcome(200, heading, text, good, Html::default())
}

/// A request that cannot go back to the client.
pub(crate) fn error(refusal: &Refusal) -> Reply {
    let number = format!("AADSTS{}", refusal.number);
    let slots = [
        ("number", Html::text(&number)),
        ("error", Html::text(refusal.error)),
        ("text", Html::text(&refusal.text)),
    ];
    let detail = Html::fill(
        "<div class=\"detail\"><code>{{number}} ({{error}}): {{text}}</code></div>",
        &slots,
    );
    let text = "This request cannot be answered. Go back to the application and try again.";
    outcome(refusal.status, "Sign-in failed", text, false, detail)
}

pub(crate) fn not_found() -> Reply {
    outcome(
        404,
        "There is nothing here",
        "Start from the application that wants you to sign in.",
        false,
        Html::default(),
    )
}

fn outcome(status: u16, heading: &str, text: &str, good: bool, detail: Html) -> Reply {
    const CHECK: &str = r#"<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="m5 13 4.5 4.5L19 7.5"/></svg>"#;
    const CROSS: &str = r#"<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.5" stroke-linecap="round" aria-hidden="true"><path d="M12 6v8M12 18v.1"/></svg>"#;
    let slots = [
        ("tone", Html::fixed(if good { "good" } else { "bad" })),
        ("icon", Html::fixed(if good { CHECK } else { CROSS })),
        ("heading", Html::text(heading)),
        ("text", Html::text(text)),
        ("detail", detail),
    ];
    page(status, heading, Html::fill(include_str!("pages/message.html"), &slots))
}

/// The page that posts the answer to the client; without scripts a person presses the button.
pub(crate) fn form_post(action: &str, params: &[(String, String)], nonce: &str) -> Reply {
    let fields: Vec<(&str, &str)> =
        params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let slots = [
        ("action", Html::text(action)),
        ("hidden", hidden_fields(&fields)),
        ("nonce", Html::text(nonce)),
    ];
    let reply = page(200, "Working…", Html::fill(include_str!("pages/form_post.html"), &slots));
    reply.with_header("content-security-policy", format!("{POLICY}; script-src 'nonce-{nonce}'"))
}

/// The application's name, or its id.
pub(crate) fn name_of(client: &Client) -> String {
    client.name.clone().unwrap_or_else(|| client.id.clone())
}

fn page(status: u16, title: &str, body: Html) -> Reply {
    let style = Html::fixed(include_str!("pages/style.css"));
    let slots = [("title", Html::text(title)), ("style", style), ("body", body)];
    let html = Html::fill(include_str!("pages/layout.html"), &slots);
    Reply::html(status, html.into_string()).with_header("content-security-policy", POLICY)
}

fn alert(refusal: Option<&Refusal>) -> Html {
    refusal.map_or_else(Html::default, |refusal| {
        Html::fill(
            "<div class=\"alert\" role=\"alert\">{{text}}</div>",
            &[("text", Html::text(&refusal.text))],
        )
    })
}

fn field_state(refusal: Option<&Refusal>) -> Html {
    Html::fixed(if refusal.is_some() { " aria-invalid=\"true\"" } else { "" })
}

fn hidden_fields(fields: &[(&str, &str)]) -> Html {
    Html::join(fields.iter().map(|(name, value)| {
        let slots = [("name", Html::text(name)), ("value", Html::text(value))];
        Html::fill("<input type=\"hidden\" name=\"{{name}}\" value=\"{{value}}\">", &slots)
    }))
}

fn person(user: &User) -> Html {
    let initials: String = user
        .display_name
        .split_whitespace()
        .take(2)
        .filter_map(|word| word.chars().next())
        .collect();
    let hue = user.name.bytes().fold(0_u32, |sum, byte| (sum * 31 + u32::from(byte)) % 360);
    let slots = [
        ("hue", Html::text(&hue.to_string())),
        ("initials", Html::text(&initials)),
        ("display_name", Html::text(&user.display_name)),
        ("name", Html::text(&user.name)),
    ];
    Html::fill(
        "<span class=\"avatar\" style=\"--hue:{{hue}}\" aria-hidden=\"true\">{{initials}}</span><span class=\"who\"><b>{{display_name}}</b><small>{{name}}</small></span>",
        &slots,
    )
}

fn describe_scope(scope: &str) -> Html {
    let meaning = match scope.rsplit('/').next().unwrap_or(scope) {
        "profile" => "See your name and picture",
        "email" => "See your email address",
        "offline_access" => "Stay signed in when you are not there",
        "User.Read" => "Read your profile",
        "Mail.Read" => "Read your mail",
        "Calendars.Read" => "Read your calendars",
        "Files.Read" => "Read your files",
        _ => "Access this resource as you",
    };
    let slots = [("meaning", Html::fixed(meaning)), ("scope", Html::text(scope))];
    Html::fill("<li><b>{{meaning}}</b><small>{{scope}}</small></li>", &slots)
}
