//! Errors, as a person or a program reads them, and the exit codes.

use std::io;
use std::process::ExitCode;

use serde_json::{Map, Value, json};
use valetkey_client::Error;
use valetkey_client::v1::{Account, ErrorCode};

use crate::accounts::label;
use crate::console::Console;
use crate::next_step::next_step;
use crate::suggest::did_you_mean;
use crate::text::clean;

/// Why the command did not do it.
pub(crate) struct Failure {
    exit: u8,
    /// Empty when there is nobody left to read it.
    what: String,
    /// What to do or to type next; may be empty.
    next: String,
    /// Those to choose from.
    accounts: Vec<Account>,
    /// For programs, as the daemon's error bodies are.
    body: Map<String, Value>,
}

const SEVERAL: &str = "several accounts may be meant";

pub(crate) const FAILED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
const SIGN_IN_NEEDED: u8 = 3;
pub(crate) const DENIED: u8 = 4;
pub(crate) const NO_DAEMON: u8 = 5;
pub(crate) const INTERRUPTED: u8 = 130;

impl Failure {
    /// What the command found out by itself.
    pub(crate) fn own(code: &str, exit: u8, what: String, next: &str) -> Self {
        let body = own_body(code, &what);
        Self { exit, what, next: next.to_owned(), accounts: Vec::new(), body }
    }

    /// Standard output does not take the result. Whoever closed it has read enough.
    pub(crate) fn output(error: io::Error) -> Self {
        let what = match error.kind() {
            io::ErrorKind::BrokenPipe => String::new(),
            _ => format!("print the result: {error}"),
        };
        Self::own("output_failed", FAILED, what, "")
    }

    /// Several have signed in, and it was not said which one is meant.
    pub(crate) fn ambiguous(accounts: Vec<Account>) -> Self {
        let code = ErrorCode::AccountAmbiguous.as_str();
        Self::own(code, FAILED, SEVERAL.to_owned(), "").choose(accounts)
    }

    /// What happened, and what to do next.
    pub(crate) fn into_words(self) -> (String, String) {
        (self.what, self.next)
    }

    /// Says what to do next.
    pub(crate) fn advise(self, next: String) -> Self {
        Self { next, ..self }
    }

    /// Says with what it happened.
    pub(crate) fn about(self, thing: &impl std::fmt::Display) -> Self {
        Self { what: format!("{thing}: {}", self.what), ..self }
    }

    /// Says in other words what happened.
    pub(crate) fn reword(self, what: String) -> Self {
        Self { what, ..self }
    }

    /// Says what may have been meant, before what to do next.
    pub(crate) fn suggest<'a>(self, word: &str, names: impl IntoIterator<Item = &'a str>) -> Self {
        let next = did_you_mean(word, names) + &self.next;
        self.advise(next)
    }

    /// Says who there is to choose from. The daemon's words name them as well, which is once too often.
    pub(crate) fn choose(self, accounts: Vec<Account>) -> Self {
        let what = if accounts.is_empty() { self.what } else { SEVERAL.to_owned() };
        Self { what, accounts, ..self }.advise("name one with `--account`".to_owned())
    }

    /// On standard error.
    pub(crate) fn report(&self, console: &Console) -> ExitCode {
        match console.is_json() {
            true => console.tell_json(&self.to_json()),
            false => console.tell(&self.to_text(console)),
        }
        ExitCode::from(self.exit)
    }

    fn to_text(&self, console: &Console) -> String {
        if self.what.is_empty() {
            return String::new();
        }
        let mut text = format!("{} {}\n", console.bold_told("valetkey:"), clean(&self.what));
        for account in &self.accounts {
            text += &format!("  {}\n", label(account));
        }
        if !self.next.is_empty() {
            text += &format!("{}\n", clean(&self.next));
        }
        text
    }

    fn to_json(&self) -> Value {
        let mut body = self.body.clone();
        if !self.next.is_empty() {
            body.insert("hint".to_owned(), self.next.as_str().into());
        }
        if !self.accounts.is_empty() {
            body.insert("accounts".to_owned(), json!(self.accounts));
        }
        body.into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let body = match error.body().map(|body| json!(body)) {
            Some(Value::Object(mut body)) => {
                body.remove("hint");
                body
            }
            _ => own_body(own_code(&error), &text),
        };
        let what = in_words(&error).unwrap_or(text);
        let next = next_step(&error).into_owned();
        Self { exit: exit_of(&error), what, next, accounts: Vec::new(), body }
    }
}

/// Whether the daemon does not like this member of the request: its text begins with it.
pub(crate) fn is_about(error: &Error, member: &str) -> bool {
    let said = error.body().filter(|_| error.is(ErrorCode::BadRequest));
    said.and_then(|body| body.error_description.split_once(':')).is_some_and(|it| it.0 == member)
}

/// Without the JSON member that the daemon's text begins with: nobody has typed one.
fn in_words(error: &Error) -> Option<String> {
    let is_about_request = error.is(ErrorCode::BadRequest) || error.is(ErrorCode::AccessDenied);
    let description = &error.body().filter(|_| is_about_request)?.error_description;
    let (member, rest) = description.split_once(": ")?;
    let is_name = member.chars().all(|it| it.is_ascii_lowercase() || it == '_');
    let words = match member {
        _ if !is_name => return None,
        "provider" | "weaker" => rest.to_owned(),
        _ => format!("the {}: {rest}", member.replace('_', " ")),
    };
    Some(error.to_string().replacen(description, &words, 1))
}

fn exit_of(error: &Error) -> u8 {
    // `authorization_declined` is Entra's word when the person says no to a device code.
    let is_denied =
        || error.is(ErrorCode::AccessDenied) || error.code() == Some("authorization_declined");
    match error {
        Error::NoDaemon { .. } => NO_DAEMON,
        _ if is_denied() => DENIED,
        _ if error.is_sign_in_needed() => SIGN_IN_NEEDED,
        _ => FAILED,
    }
}

fn own_code(error: &Error) -> &'static str {
    match error {
        Error::NoDaemon { .. } => "no_daemon",
        Error::Protocol(_) => "protocol_error",
        _ => "connection_failed",
    }
}

fn own_body(code: &str, what: &str) -> Map<String, Value> {
    let members = [("error", code), ("error_description", what)];
    members.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}
