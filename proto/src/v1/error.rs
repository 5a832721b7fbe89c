//! Errors: one body for all, and the table of codes.

use serde::{Deserialize, Serialize};

/// Every error's body. What a provider said is passed through under the provider's own `error` code.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transform = add_usual_members))]
pub struct ErrorBody {
    /// A code of [`ERROR_CODES`], or the provider's (RFC 6749 section 5.2, RFC 8628 section 3.5, OIDC Core 3.1.2.6).
    pub error: String,
    /// What went wrong, for a person.
    pub error_description: String,
    /// Entra's numbers (AADSTS…).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub error_codes: Vec<i64>,
    /// Entra's refinement of `error`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suberror: Option<String>,
    /// MSAL's reading of `suberror`: what the person can do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classification: Option<String>,
    /// A claims challenge to put into the next sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
    /// Find this request in both logs by it.
    pub correlation_id: String,
    /// Seconds to wait before trying again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
    /// What to do next, for a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Everything else that the provider said (`trace_id`, `timestamp`, `error_uri`, …), as it said it.
    #[serde(flatten)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub others: serde_json::Map<String, serde_json::Value>,
}

/// What providers usually say beside the standard's members; not each says each.
#[cfg(feature = "schema")]
fn add_usual_members(schema: &mut schemars::Schema) {
    let members = [
        ("error_uri", "The provider's page about the error (RFC 6749 section 5.2), a text."),
        ("timestamp", "When the provider said it, a text of Entra's."),
        ("trace_id", "Find this request in the provider's log by it, a text of Entra's."),
    ];
    let properties = schema.ensure_object().get_mut("properties");
    if let Some(properties) = properties.and_then(serde_json::Value::as_object_mut) {
        for (name, description) in members {
            properties.insert(name.to_owned(), serde_json::json!({ "description": description }));
        }
    }
}

macro_rules! error_codes {
    ($($variant:ident $code:literal $status:literal $meaning:literal $action:literal;)*) => {
        /// The codes that are valetkey's own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        /// The table behind `error-codes.md`.
        pub const ERROR_CODES: &[ErrorCodeRow] = &[
            $(ErrorCodeRow { code: ErrorCode::$variant, text: $code, status: $status, meaning: $meaning, action: $action },)*
        ];

        impl ErrorCode {
            /// The code's row: text, HTTP status, meaning, what the application should do.
            pub const fn row(self) -> &'static ErrorCodeRow {
                &ERROR_CODES[self as usize]
            }
        }
    };
}

/// What a code means, and what the application should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorCodeRow {
    /// The code.
    pub code: ErrorCode,
    /// As it stands in `error`.
    pub text: &'static str,
    /// The HTTP status that goes with it.
    pub status: u16,
    /// What it means.
    pub meaning: &'static str,
    /// What the application should do.
    pub action: &'static str,
}

impl ErrorCode {
    /// As it stands in `error`.
    pub const fn as_str(self) -> &'static str {
        self.row().text
    }

    /// The HTTP status that goes with it.
    pub const fn status(self) -> u16 {
        self.row().status
    }
}

error_codes! {
    BadRequest "bad_request" 400
        "The request is malformed: not JSON, a member missing, misspelt or of the wrong type, or a value that cannot be." "Fix the call; the description says what is wrong with it.";
    ReservedScope "reserved_scope" 400
        "`openid`, `profile` or `offline_access` was asked for; they are added automatically." "Leave them out.";
    InvalidAuthority "invalid_authority" 400
        "The authority is no safe URL, names no tenant, does not exist, or its metadata belong to another issuer." "Fix the authority; nothing was sent to it but discovery.";
    StateMismatch "state_mismatch" 400
        "The redirect's `state` is not the flow's: it belongs to another sign-in, or somebody forged it." "Drop the redirect; the flow still waits for its own.";
    IssuerMismatch "issuer_mismatch" 400
        "The redirect's `iss` (RFC 9207) is another provider's, or is missing where the provider promised it." "Stop; start a new sign-in. It may be a mix-up attack.";
    NonceMismatch "nonce_mismatch" 400
        "The ID token's nonce, issuer, audience or sign-in time is not what this flow asked for; nothing was stored." "Stop; start a new sign-in.";
    InvalidCredential "invalid_credential" 400
        "The application's credential cannot be used: a certificate that does not parse, a wrong passphrase, a key that does not fit its certificate." "Fix the credential; the description says which part, and nothing of what is in it.";
    AccessDenied "access_denied" 403
        "The person, or the policy of this machine, said no." "Stop, and tell the person.";
    BrowserRefused "browser_refused" 403
        "The request carries a browser's headers (`Origin`, `Referer`, `Sec-Fetch-*`) or a foreign `Host`." "Call from a program, not from a web page.";
    NotFound "not_found" 404
        "There is no such path." "Look at `/v1/openapi.json`; the daemon may be older than the client.";
    UnknownApp "unknown_app" 404
        "No open application has this id or name." "Open it again with `POST /v1/apps`, and the id will be the same; a name must be in the daemon's configuration.";
    UnknownFlow "unknown_flow" 404
        "No flow has this id: it ended more than ten minutes ago, or the daemon restarted." "Look whether an account is there now; else start a new flow.";
    UnknownAccount "unknown_account" 404
        "No account has this home account id or user name." "List the accounts; sign in if it is not there.";
    UnknownGrant "unknown_grant" 404
        "No grant has this id: it was revoked, or its time is over." "List the grants.";
    UnknownPrompt "unknown_prompt" 404
        "No prompt has this id: somebody has answered it, or nobody waits for it any more." "List the prompts.";
    MethodNotAllowed "method_not_allowed" 405
        "The path exists, but not with this method." "Look at `/v1/openapi.json`.";
    SignInNeeded "sign_in_needed" 409
        "Nothing in the cache answers this request, and only a person's sign-in can bring a token." "Start a flow: interactive where there is a browser, device code elsewhere.";
    AccountAmbiguous "account_ambiguous" 409
        "Several accounts are signed in and the request names none of them, or a user name that several share." "Name one in `account`, by its home account id if need be.";
    ClientAssertionNeeded "client_assertion_needed" 409
        "The application makes its client assertions itself, and the provider must be asked." "Make an assertion for `client_id` and `token_endpoint` of this answer, and repeat the request with `client_assertion`; the SDKs do.";
    FederationRefused "federation_refused" 409
        "The identity provider of the user's own domain refused the user name or the password." "Ask the person again; a browser sign-in works where a password does not.";
    FlowClosed "flow_closed" 409
        "The flow has ended already: its redirect came twice, or it was cancelled." "Read the flow's result; start a new flow if there is none.";
    FlowTimedOut "flow_timed_out" 408
        "The person did not finish in time." "Start a new flow when the person is back.";
    FlowCancelled "flow_cancelled" 409
        "The flow was cancelled." "Nothing, or start a new flow.";
    PayloadTooLarge "payload_too_large" 413
        "The request's body is over the limit." "Send less; no honest request is that large.";
    UnsupportedMediaType "unsupported_media_type" 415
        "The body is not `application/json`." "Set `Content-Type: application/json`.";
    StoreLocked "store_locked" 423
        "The store waits for its passphrase, or its keyring is locked." "Run `valetkey unlock`, or unlock the keyring; then ask again.";
    Throttled "throttled" 429
        "The provider asked to be left alone for a while, and the same request came again." "Wait `retry_after` seconds.";
    TooManyRequests "too_many_requests" 429
        "This user has too many flows or applications open, or asks for this again too soon." "Wait `retry_after` seconds if given; else finish or cancel some.";
    Internal "internal" 500
        "A defect of the daemon." "Report it with the correlation id.";
    ProviderMisbehaved "provider_misbehaved" 502
        "The provider's answer breaks the protocol: no JSON, a member missing, a redirect." "Try later; report it to the provider with the correlation id. A proxy's sign-in page looks like this too.";
    ProviderUnreachable "provider_unreachable" 502
        "The provider cannot be reached: name, route, TLS or proxy." "Check the network, and `HTTPS_PROXY` and `SSL_CERT_FILE` where it needs them. Cached tokens go on working.";
    ProviderUnavailable "provider_unavailable" 503
        "The provider answered with a server error." "Wait `retry_after` seconds if given, else back off.";
    StoreUnavailable "store_unavailable" 503
        "A new token could not be saved (disk full, read-only); it is kept in memory and saved as soon as it can be." "Free some space, then ask again; nobody has to sign in again.";
    ShuttingDown "shutting_down" 503
        "The daemon is about to stop." "Ask again in a moment; it will be started anew.";
}

#[cfg(test)]
mod tests {
    use super::ERROR_CODES;

    #[test]
    fn each_code_has_its_own_row_and_text() {
        for (index, row) in ERROR_CODES.iter().enumerate() {
            assert_eq!(row.code as usize, index);
            assert!(
                ERROR_CODES.iter().filter(|other| other.text == row.text).count() == 1,
                "{}",
                row.text
            );
        }
    }
}
