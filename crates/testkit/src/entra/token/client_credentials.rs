//! `grant_type=client_credentials` (RFC 6749 section 4.4): a token for the application itself.

use super::TokenRequest;
use super::client_auth::Proof;
use crate::entra::app_answer::AppAnswer;
use crate::entra::error::Refusal;
use crate::entra::message::Reply;
use crate::entra::state::State;

pub(super) fn issue(state: &mut State, request: &TokenRequest) -> Result<Reply, Refusal> {
    if request.proof == Proof::None {
        return Err(Refusal::new(
            "invalid_client",
            7_000_218,
            "The request body must contain a client_assertion or a client_secret.",
        ));
    }
    let tenant_id = request.directory.organization()?;
    let resource = read_resource(request)?;
    let answer = AppAnswer {
        directory: request.directory,
        client: &request.client,
        tenant_id,
        proof_level: request.proof.level(),
        resource: &resource,
        fmi_path: request.form.get("fmi_path"),
        claims: request.claims.as_ref(),
        confirmation: request.confirmation.as_ref(),
    };
    Ok(answer.write(state))
}

/// An application has no scopes to choose from: it names a resource, and gets what an administrator granted.
fn read_resource(request: &TokenRequest) -> Result<String, Refusal> {
    if !request.directory.has_tenants() {
        return Ok(request.form.get("scope").unwrap_or(&request.client.id).to_owned());
    }
    let scopes = request.form.require("scope")?;
    match scopes.strip_suffix("/.default") {
        Some(resource) if !resource.is_empty() && !resource.contains(' ') => {
            Ok(resource.to_owned())
        }
        _ => {
            let text = format!(
                "The scope '{scopes}' is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier."
            );
            Err(Refusal::new("invalid_scope", 1_002_012, text))
        }
    }
}
