//! App Service, Functions, Container Apps and Automation, and Machine Learning, whose endpoint is an older form of it.

use serde_json::json;

use super::{Denial, issue};
use crate::entra::message::{Reply, Request};
use crate::entra::state::State;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `api-version=2019-08-01`
    AppService,
    /// `api-version=2017-09-01`
    MachineLearning,
}

impl Dialect {
    fn version(self) -> &'static str {
        match self {
            Self::AppService => "2019-08-01",
            Self::MachineLearning => "2017-09-01",
        }
    }

    fn secret_header(self) -> &'static str {
        match self {
            Self::AppService => "x-identity-header",
            Self::MachineLearning => "secret",
        }
    }

    fn names(self) -> [&'static str; 3] {
        match self {
            Self::AppService => ["client_id", "mi_res_id", "object_id"],
            Self::MachineLearning => ["clientid", "msi_res_id", "object_id"],
        }
    }
}

pub(super) fn answer(state: &mut State, request: &Request, dialect: Dialect) -> Reply {
    if request.header(dialect.secret_header()) != Some(state.machine_secret.as_str()) {
        return refuse(401, "The secret header is missing or wrong.");
    }
    if request.query.get("api-version") != Some(dialect.version()) {
        return refuse(400, "The api-version is not supported.");
    }
    match issue(state, &request.query, dialect.names()) {
        Ok(token) => Reply::json(
            200,
            &json!({
                "access_token": token.access_token,
                "client_id": token.identity.client_id,
                "expires_on": token.expires_at.to_string(),
                "resource": token.resource,
                "token_type": "Bearer",
            }),
        ),
        Err(Denial::NoResource) => refuse(400, "The parameter resource is missing."),
        Err(Denial::NoSuchIdentity) => refuse(400, "No managed identity was found for this app."),
    }
}

fn refuse(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({"statusCode": status, "message": message}))
}
