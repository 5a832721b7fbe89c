//! Service Fabric: over TLS, with a certificate that the client knows by its thumbprint alone.

use serde_json::json;

use super::{Denial, issue};
use crate::entra::message::{Reply, Request};
use crate::entra::state::State;

pub(super) fn answer(state: &mut State, request: &Request) -> Reply {
    if request.header("secret") != Some(state.machine_secret.as_str()) {
        return refuse(
            state,
            400,
            "SecretHeaderNotFound",
            "Secret is not found in the request headers.",
        );
    }
    // An application of a cluster has one identity; MSAL sends no other's name.
    match issue(state, &request.query, ["", "", ""]) {
        Ok(token) => Reply::json(
            200,
            &json!({
                "access_token": token.access_token,
                "expires_on": token.expires_at,
                "resource": token.resource,
                "token_type": "Bearer",
            }),
        ),
        Err(Denial::NoResource) => {
            refuse(state, 400, "ArgumentNullOrEmpty", "The parameter resource is missing.")
        }
        Err(Denial::NoSuchIdentity) => {
            refuse(state, 404, "ManagedIdentityNotFound", "The application has no identity.")
        }
    }
}

fn refuse(state: &mut State, status: u16, code: &str, message: &str) -> Reply {
    let id = state.random.next_uuid();
    let error = json!({"correlationId": id, "code": code, "message": message});
    Reply::json(status, &json!({"error": error}))
}
