//! App Service, Functions, Automation and Container Apps.

use serde_json::{Map, Value};
use url::Url;
use valetkey_model::{Secret, UnixTime};

use super::{
    METADATA, ManagedIdentityError, ManagedIdentityRequest, build_get, read_answer, secret_header,
};
use crate::{HttpRequest, HttpResponse, TokenResponse};

/// The endpoint that the platform opens for one application.
#[derive(Clone, Debug)]
pub struct AppService {
    /// `IDENTITY_ENDPOINT`.
    pub endpoint: Url,
    /// `IDENTITY_HEADER`, by which the platform knows the application.
    pub secret: Secret,
}

impl AppService {
    pub(super) fn build_request(
        &self,
        request: &ManagedIdentityRequest,
    ) -> Result<HttpRequest, ManagedIdentityError> {
        let query = [("api-version", "2019-08-01"), ("resource", &request.resource)];
        let id = request.id.parameter(["client_id", "mi_res_id", "object_id"]);
        let secret = secret_header(&self.secret, "IDENTITY_HEADER")?;
        let headers = [("x-identity-header", secret), METADATA];
        Ok(build_get(&self.endpoint, query.into_iter().chain(id), headers))
    }

    pub(super) fn parse_response(
        &self,
        request: &ManagedIdentityRequest,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<TokenResponse, ManagedIdentityError> {
        read_answer(request, response, now, |members, body| {
            ("invalid_scope", describe(members).unwrap_or(body))
        })
    }
}

fn describe(members: &Map<String, Value>) -> Option<String> {
    let status = members.get("statusCode")?;
    let message = members.get("message").and_then(Value::as_str).unwrap_or_default();
    Some(format!("{status}, {message}"))
}
