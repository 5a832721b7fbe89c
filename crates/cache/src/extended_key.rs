//! The extended cache key: what shapes a token beyond client, account, tenant and scope
//! (`spec/msal-python.md` section 4.5; MSAL Go and JS digest alike).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

/// Parameters that every request has, that the ordinary key covers, or that differ from request to request.
const ORDINARY_PARAMETERS: [&str; 22] = [
    "assertion",
    "claims",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_info",
    "client_secret",
    "code",
    "code_verifier",
    "device_code",
    "grant_type",
    "key_id",
    "password",
    "redirect_uri",
    "refresh_token",
    "req_cnf",
    "requested_token_use",
    "scope",
    "token_type",
    "user_federated_identity_credential",
    "user_id",
    "username",
];

/// A digest of the token request's parameters that are out of the ordinary; `None` when all are ordinary or empty.
pub fn extended_cache_key<'a>(
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Option<String> {
    let mut extraordinary: Vec<(&str, &str)> = parameters
        .into_iter()
        .filter(|(name, value)| !value.is_empty() && !ORDINARY_PARAMETERS.contains(name))
        .collect();
    if extraordinary.is_empty() {
        return None;
    }
    extraordinary.sort_unstable();
    let mut digest = Sha256::new();
    for (name, value) in extraordinary {
        // The lengths keep {"ab": "c"} and {"a": "bc"} apart.
        for text in [name, value] {
            digest.update(format!("{}:", text.len()));
            digest.update(text);
        }
    }
    let mut key = URL_SAFE_NO_PAD.encode(digest.finalize());
    key.make_ascii_lowercase();
    Some(key)
}
