//! Form fields that a program adds to a token request: which ones cannot say what the token is for, or whose it is.

use crate::subject::Subject;

/// Keys that a token is bound to, Azure CLI's name for its run, and Entra's path to an identity below the application's own. All
/// others may name a target: beside `scope` there are `resource`, `audience`, `request`, and whatever a provider thinks of
/// next (RFC 8693 section 2.1, RFC 8707, RFC 9101, RFC 9396).
const HARMLESS: [&str; 5] = ["client_session", "fmi_path", "key_id", "req_cnf", "token_type"];

/// The first field of the program's own that may say what the token is for.
pub(crate) fn find_target<T: Subject>(subject: &T) -> Option<String> {
    let is_harmless = |name: &str| HARMLESS.iter().any(|known| known.eq_ignore_ascii_case(name));
    subject.extra_fields().into_iter().find(|name| !is_harmless(name)).map(str::to_owned)
}
