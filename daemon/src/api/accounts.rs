//! `GET /v1/apps/{app}/accounts` and `DELETE /v1/apps/{app}/accounts/{home_account_id}`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use serde::Deserialize;
use valetkey_model::AccountId;
use valetkey_proto::v1::Accounts;

use super::Api;
use super::answer::{empty, failed, json};
use super::guard::{Path, Query};
use crate::failure::Failure;
use crate::session::Session;
use crate::to_wire;

#[derive(Deserialize)]
pub(super) struct Filter {
    username: Option<String>,
}

pub(super) async fn get(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path(app): Path<String>,
    Query(filter): Query<Filter>,
) -> Response<Body> {
    let correlation_id = api.broker.engine().new_correlation_id();
    let found = async {
        let opened = api.broker.find_app(&session, &app).await?;
        api.broker.accounts(&session, opened, correlation_id.clone()).await
    };
    match found.await {
        Ok(mut accounts) => {
            let wanted = filter.username.unwrap_or_default().to_lowercase();
            accounts
                .retain(|account| wanted.is_empty() || account.username.to_lowercase() == wanted);
            json(
                StatusCode::OK,
                &Accounts { accounts: accounts.iter().map(to_wire::account).collect() },
            )
        }
        Err(failure) => failed(&failure, &correlation_id),
    }
}

pub(super) async fn delete(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Path((app, account)): Path<(String, String)>,
) -> Response<Body> {
    let correlation_id = api.broker.engine().new_correlation_id();
    let signed_out = async {
        let account = AccountId::new(&account)
            .map_err(|error| Failure::bad_member("home_account_id", error))?;
        let opened = api.broker.find_app(&session, &app).await?;
        api.broker.sign_out(&session, opened, account, correlation_id.clone()).await
    };
    match signed_out.await {
        Ok(()) => empty(StatusCode::NO_CONTENT),
        Err(failure) => failed(&failure, &correlation_id),
    }
}
