//! Azure's instance metadata service, which every virtual machine has; and pod identities in Kubernetes, which stand in
//! its place.

use http::header::HeaderValue;
use url::Url;
use valetkey_model::UnixTime;

use super::{METADATA, ManagedIdentityError, ManagedIdentityRequest, build_get, read_token};
use crate::error::unavailable;
use crate::{HttpRequest, HttpResponse, Misbehaviour, TokenResponse, TokenResponseError};

/// The address of the service, which is the same everywhere.
pub(super) const DEFAULT_HOST: &str = "http://169.254.169.254";
pub(super) const PATH: &str = "metadata/identity/oauth2/token";

/// The instance metadata service.
#[derive(Clone, Debug)]
pub struct Imds {
    /// With its path.
    pub endpoint: Url,
}

impl Imds {
    pub(super) fn build_request(&self, request: &ManagedIdentityRequest) -> HttpRequest {
        let query = [("api-version", "2018-02-01"), ("resource", &request.resource)];
        let id = request.id.parameter(["client_id", "msi_res_id", "object_id"]);
        let correlation_id = HeaderValue::from_str(request.correlation_id.as_str());
        let headers = [
            METADATA,
            ("x-client-sku", HeaderValue::from_static("valetkey")),
            ("x-client-ver", HeaderValue::from_static(env!("CARGO_PKG_VERSION"))),
        ];
        let correlation_id = correlation_id.ok().map(|id| ("x-ms-client-request-id", id));
        let headers = headers.into_iter().chain(correlation_id);
        build_get(&self.endpoint, query.into_iter().chain(id), headers)
    }

    /// It speaks as a token endpoint does. While it is updated, though, there may be nobody who does (404, 410).
    pub(super) fn parse_response(
        &self,
        request: &ManagedIdentityRequest,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<TokenResponse, ManagedIdentityError> {
        let read = read_token(request, response, now);
        Err(match (read, response.status) {
            (Ok(token), _) => return Ok(token),
            (
                Err(TokenResponseError::ServerMisbehaved(
                    Misbehaviour::NotJson { .. } | Misbehaviour::NoErrorCode { .. },
                )),
                404 | 410,
            ) => unavailable(response, now).into(),
            (Err(error), _) => error.into(),
        })
    }
}
