//! `POST /v1/keys/rotate`.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use valetkey_model::Secret;
use valetkey_proto::v1::{AuditAct, RotateKeysRequest};
use valetkey_vault::{KeyChoice, KeyProvider};

use super::Api;
use super::answer::{empty, failed};
use super::guard::Json;
use crate::audit::Deed;
use crate::failure::Failure;
use crate::session::Session;
use crate::store::Rotation;

pub(super) async fn rotate(
    State(api): State<Arc<Api>>,
    Extension(session): Extension<Arc<Session>>,
    Json(request): Json<RotateKeysRequest>,
) -> Response<Body> {
    let rotated = async {
        api.broker.decide_on_shared_administration(&session).await?;
        api.broker.decide_on_own_administration(&session).await?;
        let declared = declared_provider(&api).await;
        let rotation = Rotation { declared, ..read(request)? };
        let (wrapping, data) = (rotation.wrapping, rotation.data);
        api.store.rotate(rotation, session.caller().process).await?;
        Ok::<_, Failure>((wrapping, data))
    };
    match rotated.await {
        Ok((wrapping, data)) => {
            let provider = api.store.report().key_provider;
            let wrapped = format!("the wrapping key; its provider is now `{provider}`");
            for (is_done, what) in [(wrapping, wrapped.as_str()), (data, "the data keys")] {
                if is_done {
                    api.broker.note(&session, &Deed::new(AuditAct::KeysRotated).because(what));
                }
            }
            empty(StatusCode::NO_CONTENT)
        }
        Err(failure) => failed(&failure, &api.broker.engine().new_correlation_id()),
    }
}

/// Who is to keep the key, in the words of whoever starts the daemon or writes its configuration.
async fn declared_provider(api: &Api) -> Option<KeyProvider> {
    if let Some(KeyChoice::Only(provider)) = api.process.key_of_environment {
        return Some(provider);
    }
    let in_force = api.broker.configuration().look(api.broker.engine().now()).await;
    match in_force.config().vault.key.into() {
        KeyChoice::Only(provider) => Some(provider),
        KeyChoice::Auto => None,
    }
}

fn read(request: RotateKeysRequest) -> Result<Rotation, Failure> {
    let provider = match request.provider.as_deref().map(str::parse) {
        None => None,
        Some(Ok(KeyChoice::Only(provider))) => Some(provider),
        Some(Ok(KeyChoice::Auto) | Err(_)) => {
            let text = "is none; use keyring, credential, passphrase or file";
            return Err(Failure::bad_member("provider", text));
        }
    };
    let wrapping = request.wrapping || provider.is_some() || request.new_passphrase.is_some();
    if !wrapping && !request.data {
        return Err(Failure::bad_member("wrapping", "neither this nor `data` is asked for"));
    }
    Ok(Rotation {
        wrapping,
        data: request.data,
        provider,
        accepts_weaker: request.weaker,
        passphrase: request.passphrase.map(Secret::new),
        new_passphrase: request.new_passphrase.map(Secret::new),
        ..Rotation::default()
    })
}
