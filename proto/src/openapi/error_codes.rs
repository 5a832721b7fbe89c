//! `error-codes.md`, from the table in `v1/error.rs`.

use std::fmt::Write;

use crate::v1::ERROR_CODES;

/// The table of codes, for people.
pub fn error_codes_markdown() -> String {
    let mut text = String::from(OPENING);
    for row in ERROR_CODES {
        let (meaning, action) = (cell(row.meaning), cell(row.action));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| `{}` | {} | {meaning} | {action} |", row.text, row.status);
    }
    text + CLOSING
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

const OPENING: &str = "\
# Error codes

<!-- Generated from proto/src/v1/error.rs; `UPDATE_GENERATED=1 cargo test -p valetkey-proto` writes it. -->

Every error has the same body: `error` is one of the codes below or the provider's own, `error_description` says what went
wrong, `hint` what to do next, both for a person, and `correlation_id` finds the request in the daemon's log and in the
provider's. Branch on `error`, never on the texts: codes keep their meaning, texts are improved.

## valetkey's own

| `error` | HTTP | what it means | what the application should do |
|---|---|---|---|
";

const CLOSING: &str = "
## The provider's, passed through

What a provider refuses keeps the provider's `error` (RFC 6749 section 5.2, RFC 8628 section 3.5, OpenID Connect Core section
3.1.2.6), with everything else that it said: `error_description`, Entra's `error_codes` and `suberror`, `claims`, `trace_id`,
`timestamp`, `error_uri`. The status says what helps:

| HTTP | when | what the application should do |
|---|---|---|
| 409 | `invalid_grant`, `interaction_required`, `login_required`, `consent_required`, or a `claims` challenge: the person is needed. Also what a redirect says when the person, or the provider, ended the sign-in | Start a flow, with `claims` as its `claims_challenge` if there is one. `classification` (MSAL's reading of `suberror`) says what the person can do |
| 429 | the provider asks for a pause | Wait `retry_after` seconds |
| 400 | anything else, for example `invalid_client`, `invalid_scope`, `unauthorized_client` | Fix the application or its registration |

A flow that failed is itself answered with 200; its `error` member is such a body.
";
