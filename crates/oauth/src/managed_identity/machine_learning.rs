//! Azure Machine Learning.

use url::Url;
use valetkey_model::{Secret, UnixTime};

use super::{ManagedIdentityError, ManagedIdentityRequest, build_get, read_answer, secret_header};
use crate::{HttpRequest, HttpResponse, TokenResponse};

/// The endpoint that the platform opens for one job.
#[derive(Clone, Debug)]
pub struct MachineLearning {
    /// `MSI_ENDPOINT`.
    pub endpoint: Url,
    /// `MSI_SECRET`, by which the platform knows the job.
    pub secret: Secret,
}

impl MachineLearning {
    pub(super) fn build_request(
        &self,
        request: &ManagedIdentityRequest,
    ) -> Result<HttpRequest, ManagedIdentityError> {
        let query = [("api-version", "2017-09-01"), ("resource", &request.resource)];
        let id = request.id.parameter(["clientid", "msi_res_id", "object_id"]);
        let secret = secret_header(&self.secret, "MSI_SECRET")?;
        Ok(build_get(&self.endpoint, query.into_iter().chain(id), [("secret", secret)]))
    }

    pub(super) fn parse_response(
        &self,
        request: &ManagedIdentityRequest,
        response: &HttpResponse,
        now: UnixTime,
    ) -> Result<TokenResponse, ManagedIdentityError> {
        read_answer(request, response, now, |_, body| ("invalid_scope", body))
    }
}
