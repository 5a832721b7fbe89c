//! The instance metadata service of a virtual machine, and Cloud Shell's likeness of it.

use serde_json::json;

use super::{Denial, has_metadata_header, issue, refuse};
use crate::entra::message::{Reply, Request};
use crate::entra::state::State;

const NAMES: [&str; 3] = ["client_id", "msi_res_id", "object_id"];

/// `GET /metadata/identity/oauth2/token`
pub(super) fn answer(state: &mut State, request: &Request) -> Reply {
    if !has_metadata_header(request) {
        return without_header();
    }
    if request.query.get("api-version").is_none() {
        return refuse(400, "invalid_request", "Required query variable 'api-version' is missing");
    }
    match issue(state, &request.query, NAMES) {
        Ok(token) => Reply::json(200, &token.to_imds_json()),
        Err(Denial::NoResource) => {
            refuse(400, "invalid_resource", "AADSTS500011: The resource is missing.")
        }
        Err(Denial::NoSuchIdentity) => refuse(400, "invalid_request", "Identity not found"),
    }
}

/// `POST /oauth2/token`, in Cloud Shell on port 50342.
pub(super) fn answer_cloud_shell(state: &mut State, request: &Request) -> Reply {
    if request.method != "POST" || !has_metadata_header(request) {
        return without_header();
    }
    let refuse = |code: &str, message: &str| {
        Reply::json(400, &json!({"error": {"code": code, "message": message}}))
    };
    match issue(state, &request.form, NAMES) {
        Ok(token) => Reply::json(200, &token.to_imds_json()),
        Err(Denial::NoResource) => refuse("invalid_request", "The resource is missing."),
        Err(Denial::NoSuchIdentity) => refuse("invalid_request", "There is no such identity."),
    }
}

/// `/metadata/instance/compute`, and its member `location` as text.
pub(crate) fn describe_compute(state: &State, request: &Request) -> Reply {
    if !has_metadata_header(request) {
        return without_header();
    }
    if request.query.get("api-version").is_none() {
        return refuse(400, "invalid_request", "Required query variable 'api-version' is missing");
    }
    let region = &state.machine.region;
    if request.path.trim_end_matches('/').ends_with("/location") {
        return Reply { status: 200, headers: Vec::new(), body: region.clone() }
            .with_header("content-type", "text/plain; charset=utf-8");
    }
    let body = json!({
        "azEnvironment": "AzurePublicCloud",
        "location": region,
        "name": "emulator",
        "osType": "Linux",
        "provider": "Microsoft.Compute",
        "resourceGroupName": "emulator",
        "subscriptionId": "00000000-0000-4000-8000-0000000005ab",
    });
    Reply::json(200, &body)
}

fn without_header() -> Reply {
    refuse(400, "invalid_request", "Required metadata header not specified")
}
