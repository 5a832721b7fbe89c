//! Requests that are to be signed.

use std::sync::Arc;

use valetkey_engine::{ClientApplication, ClientType, ProofRequest};
use valetkey_model::Secret;
use valetkey_oauth::{DpopRequest, ExtraFields, PopRequest, ProofRequestError};
use valetkey_proto::v1;
use valetkey_proto::v1::ErrorCode;

use super::short;
use crate::failure::Failure;

/// Form fields by which a program names a key of its own.
const KEY_FIELDS: [&str; 3] = ["token_type", "req_cnf", "key_id"];

/// The request that is to be signed in the place of a token.
pub(super) fn auth_scheme(
    app: &ClientApplication,
    scheme: Option<v1::PopScheme>,
) -> Result<Option<PopRequest>, Failure> {
    let Some(v1::PopScheme { http_method, url, nonce }) = scheme else { return Ok(None) };
    let refuse = |reason| Err(Failure::bad_member("auth_scheme", reason));
    if app.definition().client_type == ClientType::Confidential {
        return refuse("only a public client has requests signed");
    }
    if app.definition().dpop {
        return refuse("this application's tokens are bound by DPoP, whose proofs are made apart");
    }
    let request = PopRequest::new(&http_method, &url, &nonce);
    request.map(Some).map_err(|error| Failure::bad_member("auth_scheme", error))
}

/// A token is bound to one key: the application's, or the program's.
pub(super) fn check_one_key(
    app: &ClientApplication,
    scheme: Option<&PopRequest>,
    fields: &ExtraFields,
) -> Result<(), Failure> {
    let has_own = scheme.is_some() || app.definition().dpop;
    match fields.iter().find(|(name, _)| KEY_FIELDS.contains(name)) {
        Some((name, _)) if has_own => {
            let reason = format!("{name:?} names a key, and the daemon names its own");
            Err(Failure::bad_member("data", reason))
        }
        _ => Ok(()),
    }
}

/// A proof for a request to a resource.
///
/// # Errors
/// When a member cannot be.
pub fn proof_request(
    app: Arc<ClientApplication>,
    request: v1::ProofRequest,
) -> Result<ProofRequest, Failure> {
    let v1::ProofRequest { access_token, http_method, url, nonce } = request;
    let access_token = short("access_token", access_token.0)?;
    // RFC 6750 section 2.1: it stands in a header.
    if access_token.is_empty() || !access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Failure::bad_member("access_token", "must be one, of printable ASCII"));
    }
    let request = DpopRequest::new(&http_method, &url, nonce.as_deref()).map_err(misnamed)?;
    Ok(ProofRequest { app, request, access_token: Secret::new(access_token) })
}

/// The error names the member.
fn misnamed(error: ProofRequestError) -> Failure {
    Failure::request(ErrorCode::BadRequest, error.to_string())
}
